"""One window on its way: rows go through a flow of their own and into every sink."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import attrs
import numpy as np
import pyarrow as pa

from ..components import Mark, Proof, Receipt, State, Stream, Window, Writer
from ..errors import SinkError
from ..proof import Digest
from ..schema import nanoseconds
from ..transforms.join import Values
from .bundles import Bundles
from .flow import Flow, Rows
from .mark import entry, mark
from .tally import Tally
from .task import DAY, DayTask, Done, Task, midnight

# Adds what only the door knows of a window.
Known = Callable[[Done], Done]
Before = tuple[bool, int | None]


@attrs.frozen
class Given:
    """What a window begins with: the sinks, what nodes carry into it, what stands beside rows.

    Sinks and proofs get so many rows of a node at once, but for the last ones.
    """

    writers: Mapping[str, Writer]
    states: Mapping[str, State]
    verify: bool
    beside: Mapping[str, pa.RecordBatch | Values]
    at_once: int = 0


class Day:
    """Takes the rows of a window in order. In history it is committed once, live by segments."""

    def __init__(self, task: Task, stream: Stream, day: DayTask, given: Given) -> None:
        self.task = day
        self.number = midnight(day.day) // DAY
        self._of, self._stream = task, stream
        self._writers = given.writers
        self.window = Window(stream.exchange, stream.symbol, day.day)
        self.flow = Flow(task.source, task.nodes, task.schemas, given.states, given.beside)
        schema, contiguous = task.schemas[task.source], task.door.continuity == "contiguous"
        self.tally = Tally(task.file.url, schema, contiguous, given.verify)
        self.digests = {node: Digest(task.schemas[node]) for node in day.targets}
        self._bundles = Bundles(given.at_once)
        self._open = dict.fromkeys(day.targets, 0)
        self._began: Mapping[str, str] = {}
        self._closed: dict[str, Receipt] = {}
        self.fresh = False

    @property
    def sinks(self) -> dict[str, list[str]]:
        """The nodes that go into each sink."""
        nodes: dict[str, list[str]] = {}
        for node, sinks in self.task.targets.items():
            for sink in sinks:
                nodes.setdefault(sink, []).append(node)
        return nodes

    @property
    def closing(self) -> bool:
        """Whether a sink has closed the window: it is no longer one to append to."""
        return bool(self._closed)

    def follow(self, began: Mapping[str, str], before: Before) -> None:
        """Take note of what is carried in, whether days are missing before, and the last id."""
        self._began, (cut, last_id) = began, before
        self.tally.follow(last_id)
        if cut:
            self.cut()

    def cut(self) -> None:
        """Take note that rows are missing here."""
        self._write(self.flow.cut())

    def take(self, batch: pa.RecordBatch) -> None:
        """Take rows; those behind the window's end are left out."""
        time = nanoseconds(batch["timestamp"])
        if time[-1] >= self.task.until:
            batch = batch.slice(0, int(np.searchsorted(time, self.task.until)))
        if not len(batch):
            return
        batch, torn = self.tally.take(batch)
        begin = 0
        for row in torn:  # no bar runs across trades that are missing as if there were none
            if row > begin:
                self._push(batch.slice(begin, row - begin))
            self.cut()
            begin = row
        if len(batch):
            self._push(batch.slice(begin) if begin else batch)

    def advance(self, time: int) -> bool:
        """Take note that all rows before a time have been taken; tell whether that ended any."""
        return self._write(self.flow.advance(min(time, self.task.until)))

    def _push(self, batch: pa.RecordBatch) -> None:
        self._write(self.flow.push(batch))

    def _write(self, rows: Iterable[Rows]) -> bool:
        """Give rows to the sinks once there are enough of them; tell whether there were any."""
        found = False
        for node, batch in rows:
            found = True
            if node in self.digests:
                self._give(self.window, self._bundles.add(node, batch), self.digests)
                self.fresh = True
        return found

    def _give(self, window: Window, rows: Iterable[Rows], digests: Mapping[str, Digest]) -> None:
        for node, batch in rows:
            for sink in self.task.targets[node]:
                self._writers[sink].write(window, node, batch)
            digests[node].add(batch)

    def append_with(self, others: dict[Any, dict[Window, Sequence[str]]]) -> None:
        """Add this window to those of which each writer makes segments at once."""
        for name, nodes in self.sinks.items():
            others.setdefault(self._writers[name], {})[self.window] = nodes

    def append(self) -> dict[str, Receipt]:
        """Close a segment: what came since the last one is durable in every sink.

        SinkError if one of them fails, once the others have had their turn; it may be asked again.
        """
        receipts, failed = {}, None
        for name, nodes in self.sinks.items():
            try:
                found = self._writers[name].append(self.window, nodes)
                receipts[name] = _receipt(name, found)
            except SinkError as error:
                failed = error
        if failed is not None:
            raise failed
        return receipts

    def close(self, known: Known, appended: bool = False) -> Done:
        """Close the window: commit its rows, and the open remainder if this window settles it.

        Sinks that lie in the ledger's database come last, and the last of them writes the mark.
        After a SinkError it may be asked again: sinks that have closed are left alone then.
        """
        self.advance(self.task.until)
        self._give(self.window, self._bundles.rest(), self.digests)
        if self.flow.waits:
            raise SinkError(f"the bars of {self.task.day} wait for what stands beside them")
        states = self.flow.states()
        if self.task.settles:
            self.settle()
        proofs = {node: digest.proof() for node, digest in self.digests.items()}
        receipts = self._closed
        done = known(self._done(receipts, proofs, states))
        nodes = self.sinks
        sharing = [name for name in nodes if self._shares(name)]
        for name in sorted(
            nodes.keys() - receipts.keys(), key=lambda each: (each in sharing, each)
        ):
            mine = {node: proofs[node] for node in nodes[name]}
            given = [self._marking(name, done)] if [name] == sharing[-1:] else []
            writer = self._writers[name]
            end = writer.finish if appended else writer.commit
            receipts[name] = _receipt(name, end(self.window, mine, *given))
        return done

    def settle(self) -> None:
        """Commit what is still open, apart; it goes first, as no mark speaks of it."""
        window = Window(self._stream.exchange, self._stream.symbol, None)
        digests = {node: Digest(self._of.schemas[node]) for node in self.digests}
        rows = ((node, batch) for node, batch in self.flow.flush() if node in digests)
        self._give(window, rows, digests)
        proofs = {node: digest.proof() for node, digest in digests.items()}
        self._open = {node: proof.rows for node, proof in proofs.items()}
        for name, nodes in self.sinks.items():
            self._writers[name].commit(window, {node: proofs[node] for node in nodes})

    def _shares(self, sink: str) -> bool:
        shares = getattr(self._of.sinks[sink], "shares", None)
        return shares is not None and bool(shares(self._of.state))

    def _marking(self, sink: str, done: Done) -> Mark:
        def write(connection: Any, receipt: Receipt) -> None:
            whole = {**done.receipts, sink: receipt}
            made = entry(self._of, attrs.evolve(done, receipts=whole), self._began)
            mark(connection, self._of, made)

        return write

    def _done(
        self,
        receipts: Mapping[str, Receipt],
        proofs: Mapping[str, Proof],
        states: Mapping[str, State],
    ) -> Done:
        tally, sums = self.tally, self.tally.sums
        return Done(
            stream=self._stream,
            task=self.task,
            rows=tally.rows,
            repeats=tally.repeats,
            ids=tally.ids,
            size=sums.get("size"),
            notional=sums.get("notional"),
            first_id=tally.first_id,
            last_id=tally.last_id,
            written={node: proof.rows + self._open[node] for node, proof in proofs.items()},
            receipts=receipts,
            proofs=proofs,
            states=states,
            minutes=tally.minutes(self.task.until),
        )


def _receipt(sink: str, found: Any) -> Receipt:
    """Return what a writer gave for a receipt; SinkError if it is none, as it may be foreign."""
    if not isinstance(found, dict):
        raise SinkError(f"{sink}: its writer gave {found!r:.40} where it has to give a receipt")
    return found
