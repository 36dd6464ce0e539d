"""The windows of one stream: rows parted at midnight, pushed through the flow, committed by day."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs
import numpy as np
import pyarrow as pa

from ..amounts import decimal, limbs, total
from ..components import Mark, Proof, Receipt, State, Stream, Window, Writer
from ..order import Holes, Repeats
from ..proof import Digest
from ..schema import nanoseconds
from ..verify.minutes import Minutes
from .flow import Flow, Rows
from .mark import entry, mark
from .task import DAY, DayTask, Done, StreamTask, Task, midnight

Heard = Callable[[Done | tuple[Stream, int]], None]
# Adds what only the door knows of a window.
Known = Callable[[Done], Done]


class Windows:
    """Takes a stream's rows in order and commits each of its windows to every sink."""

    def __init__(
        self,
        task: Task,
        stream: StreamTask,
        writers: Mapping[str, Writer],
        tell: tuple[Heard, Known],
    ) -> None:
        self._task = task
        self._stream = stream.stream
        self._left = list(stream.days)
        self._writers = writers
        self._heard, self._known = tell
        self._states: Mapping[str, State] = stream.states
        self._cut = stream.cut
        self._verify = stream.verify
        self._beside = stream.beside
        self._last_id = stream.last_id
        self._day: _Day | None = None

    def take(self, batch: pa.RecordBatch) -> None:
        """Take rows; those of days that are not asked for are left out."""
        days = nanoseconds(batch["timestamp"]) // DAY
        begin = 0
        while begin < len(batch):
            number = int(days[begin])
            end = int(np.searchsorted(days, number, "right"))
            self._until(number)
            if self._day is not None and self._day.number == number:
                self._day.take(batch.slice(begin, end - begin))
            begin = end
        self._heard((self._stream, len(batch)))

    def finish(self) -> None:
        """Commit what is left, days without any row included."""
        while self._day is not None or self._left:
            self._next()

    def _until(self, number: int) -> None:
        """Commit the days before a day, and begin that day if it is asked for."""
        while (self._day or self._left) and self._number() < number:
            self._next()
        if self._day is None and self._left and self._number() == number:
            self._begin()

    def _number(self) -> int:
        day = self._day.task.day if self._day else self._left[0].day
        return midnight(day) // DAY

    def _begin(self) -> None:
        day = self._left.pop(0)
        given = (self._writers, self._states, self._verify, self._beside)
        self._day = _Day(self._task, self._stream, day, *given)
        before = (self._cut, None if self._cut else self._last_id)
        self._day.follow(self._task.prints.began(self._states, before), before)
        self._cut = False

    def _next(self) -> None:
        if self._day is None:
            self._begin()
        if self._day is not None:
            done = self._day.commit(self._known)
            self._day = None
            self._states = done.states
            if done.ids and done.rows:
                self._last_id = done.ids.most
            self._heard(done)


class _Day:
    """One window on its way: its rows go through a flow of its own, from the state before it."""

    def __init__(
        self,
        task: Task,
        stream: Stream,
        day: DayTask,
        writers: Mapping[str, Writer],
        states: Mapping[str, State],
        verify: bool,
        beside: Mapping[str, pa.RecordBatch],
    ) -> None:
        self.task = day
        self.number = midnight(day.day) // DAY
        self._task, self._stream = task, stream
        self._writers = writers
        self._window = Window(stream.exchange, stream.symbol, day.day)
        self._flow = Flow(task.source, task.nodes, task.schemas, states, beside)
        self._schema = task.schemas[task.source]
        # Rows without an id (candles, open interest) are told apart by their time, by the core.
        named = "trade_id" in self._schema.names
        self._repeats = Repeats() if named else None
        contiguous = named and task.door.continuity == "contiguous"
        self._name = task.file.url
        self._holes = Holes(self._name) if contiguous else None
        self._minutes = Minutes(self._schema) if verify else None
        self._rows = 0
        self._sums = dict.fromkeys({"size", "notional"} & set(self._schema.names), 0)
        self._ids: tuple[Any, Any] | None = None
        self._digests = {node: Digest(task.schemas[node]) for node in day.targets}
        self._open = dict.fromkeys(day.targets, 0)
        self._began: Mapping[str, str] = {}

    def follow(self, began: Mapping[str, str], before: tuple[bool, int | None]) -> None:
        """Take note of what is carried in, whether days are missing before, and the last id."""
        self._began, (cut, last_id) = began, before
        if self._holes is not None:
            self._holes = Holes(self._name, last_id)
        if cut:
            self.cut()

    def cut(self) -> None:
        self._write(self._window, self._flow.cut(), self._digests)

    def take(self, batch: pa.RecordBatch) -> None:
        time = nanoseconds(batch["timestamp"])
        if time[-1] >= self.task.until:
            batch = batch.slice(0, int(np.searchsorted(time, self.task.until)))
        if not len(batch):
            return
        if self._repeats is not None:
            batch = self._repeats.without(batch)
            if not len(batch):
                return
            ids = batch["trade_id"]
            self._ids = (self._ids[0] if self._ids else ids[0].as_py(), ids[len(ids) - 1].as_py())
        torn = self._holes.count(batch) if self._holes is not None else []
        if self._minutes is not None:
            self._minutes.push(batch)
        self._rows += len(batch)
        for name in self._sums:
            self._sums[name] += total(limbs(batch[name]))
        begin = 0
        for row in torn:  # no bar runs across trades that are missing as if there were none
            if row > begin:
                self._push(batch.slice(begin, row - begin))
            self.cut()
            begin = row
        self._push(batch.slice(begin) if begin else batch)

    def _push(self, batch: pa.RecordBatch) -> None:
        self._write(self._window, self._flow.push(batch), self._digests)

    def _write(self, window: Window, rows: Iterable[Rows], digests: Mapping[str, Digest]) -> None:
        for node, batch in rows:
            for sink in self.task.targets.get(node, ()):
                self._writers[sink].write(window, node, batch)
            if node in digests:
                digests[node].add(batch)

    def commit(self, known: Known) -> Done:
        """Close the window: commit its rows, and the open remainder if this window settles it.

        Sinks that lie in the ledger's database come last, and the last of them writes the mark.
        """
        self._write(self._window, self._flow.advance(self.task.until), self._digests)
        states = self._flow.states()
        if self.task.settles:
            self._settle()
        proofs = {node: digest.proof() for node, digest in self._digests.items()}
        receipts: dict[str, Receipt] = {}
        done = known(self._done(receipts, proofs, states))
        nodes = _by_sink(self.task.targets)
        sharing = [name for name in nodes if self._shares(name)]
        for name in sorted(nodes, key=sharing.__contains__):
            mine = {node: proofs[node] for node in nodes[name]}
            given = [self._marking(name, done)] if [name] == sharing[-1:] else []
            receipts[name] = self._writers[name].commit(self._window, mine, *given)
        return done

    def _settle(self) -> None:
        """Commit what is still open, apart; it goes first, as no mark speaks of it."""
        window = Window(self._stream.exchange, self._stream.symbol, None)
        digests = {node: Digest(self._task.schemas[node]) for node in self._digests}
        self._write(window, self._flow.flush(), digests)
        proofs = {node: digest.proof() for node, digest in digests.items()}
        self._open = {node: proof.rows for node, proof in proofs.items()}
        for name, nodes in _by_sink(self.task.targets).items():
            self._writers[name].commit(window, {node: proofs[node] for node in nodes})

    def _shares(self, sink: str) -> bool:
        shares = getattr(self._task.sinks[sink], "shares", None)
        return shares is not None and bool(shares(self._task.state))

    def _marking(self, sink: str, done: Done) -> Mark:
        def write(connection: Any, receipt: Receipt) -> None:
            whole = {**done.receipts, sink: receipt}
            made = entry(self._task, attrs.evolve(done, receipts=whole), self._began)
            mark(connection, self._task, made)

        return write

    def _done(
        self,
        receipts: Mapping[str, Receipt],
        proofs: Mapping[str, Proof],
        states: Mapping[str, State],
    ) -> Done:
        sums = {
            name: format(decimal(value, self._schema.field(name).type.scale), "f")
            for name, value in self._sums.items()
        }
        first, last = self._ids or (None, None)
        return Done(
            stream=self._stream,
            task=self.task,
            rows=self._rows,
            repeats=self._repeats.found if self._repeats is not None else 0,
            ids=self._holes.found if self._holes is not None else None,
            size=sums.get("size"),
            notional=sums.get("notional"),
            first_id=first,
            last_id=last,
            written={node: proof.rows + self._open[node] for node, proof in proofs.items()},
            receipts=receipts,
            proofs=proofs,
            states=states,
            minutes=self._minutes.packed(self.task.until) if self._minutes else None,
        )


def _by_sink(targets: Mapping[str, tuple[str, ...]]) -> dict[str, list[str]]:
    """Return the nodes of each sink."""
    nodes: dict[str, list[str]] = {}
    for node, sinks in targets.items():
        for sink in sinks:
            nodes.setdefault(sink, []).append(node)
    return nodes
