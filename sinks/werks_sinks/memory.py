"""The sink `memory`: the last hours of rows, for the program that runs the pipeline."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import ClassVar, Literal

import attrs
import pyarrow as pa

from werks.components import Mark, Proof, Receipt, Window, Writer, option
from werks.hookspecs import hookimpl
from werks.options import duration

from .gather import require_fit
from .held import Held, between
from .sizes import size
from .store import Kept, Store

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Time = date | int


@attrs.frozen(slots=False)
class Memory:
    """Keeps the last rows of each stream in memory, for the program that runs the pipeline.

    The program asks `load(FILE).sink(NAME)` for `rows`, `latest` and `streams`, in any thread and
    while the run goes on. Nothing outlasts the process, and none other sees it: a process that
    begins reads the days of its sources anew, and tasks run by the executor `inline` only.
    """

    replaces: ClassVar[bool] = True

    keep: str = option(
        "24h", help="How much of each stream is kept, back from its newest row: 30m, 24h, 7d."
    )
    limit: str = option("1 GB", help="How much memory all rows together may take.")
    drop: Literal["never", "oldest"] = option(
        "never",
        help="What gives way at the limit: `never` anything, the run fails; or the `oldest` rows.",
        validator=attrs.validators.in_(("never", "oldest")),
    )

    def __attrs_post_init__(self) -> None:
        keep, limit = duration(self.keep, "keep"), size(self.limit, "limit")
        # Not a field, as all fields are options: equal sinks may keep different rows.
        vars(self)["_store"] = Store(keep, limit, self.drop == "oldest")

    def open(self, schemas: Mapping[str, pa.Schema]) -> Writer:
        """Return a writer for these nodes; SinkError in another process than the sink's own."""
        self.store.expect(schemas)
        return _Writer(self.store, schemas)

    def holds(self, window: Window, node: str, receipt: Receipt) -> bool:
        """Tell whether this process has taken a window's rows, be they gone by their age or not."""
        return self.store.holds(window, node, receipt)

    def proofs(self, node: str) -> Iterator[tuple[Window, Proof | None]]:
        """Yield the windows of a node; where rows have gone by their age there is no proof."""
        yield from self.store.windows(node)

    def read(self, window: Window, node: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a window that are there."""
        for there, batches in self.store.batches((node, window.exchange, window.symbol)):
            if there == window:
                yield from batches

    def rows(
        self,
        node: str,
        exchange: str,
        symbol: str,
        start: Time | None = None,
        stop: Time | None = None,
        *,
        open: bool = False,  # noqa: A002  (as in `werks export --open`)
    ) -> pa.Table:
        """Return the rows from `start` on and before `stop`, oldest first.

        Both are a datetime (UTC if it names no zone), a date (its midnight, UTC) or nanoseconds
        since 1970; TypeError if one is anything else. With `open` what is not complete, such as
        the bar of this minute, comes last.
        """
        schema = self.store.schema(node)
        found: list[pa.RecordBatch] = []
        for window, batches in self.store.batches((node, exchange, symbol)):
            if window.day or open:
                found += between(batches, _nanoseconds(start), _nanoseconds(stop))
        return pa.Table.from_batches(found, found[0].schema if found else schema)

    def latest(self, node: str, exchange: str, symbol: str) -> pa.Table:
        """Return the newest row that is complete, or none: a table of at most one row."""
        found = pa.Table.from_batches([], self.store.schema(node))
        for window, batches in self.store.batches((node, exchange, symbol)):
            if window.day and batches:
                found = pa.Table.from_batches([batches[-1].slice(len(batches[-1]) - 1)])
        return found

    def streams(self) -> list[Kept]:
        """Return what is there by node, exchange and symbol: rows, times, how many were dropped."""
        return self.store.streams()

    @property
    def bytes(self) -> int:
        """How many bytes all rows take."""
        return self.store.bytes

    @property
    def store(self) -> Store:
        """Where the rows are."""
        store: Store = vars(self)["_store"]
        return store


class _Writer:
    """Puts rows aside until they are committed or appended."""

    def __init__(self, store: Store, schemas: Mapping[str, pa.Schema]) -> None:
        self._store, self._schemas = store, schemas
        self._parts: dict[tuple[Window, str], Held] = {}

    def write(self, window: Window, node: str, batch: pa.RecordBatch) -> None:
        """Take rows of a node for a window."""
        require_fit(window, node, batch, self._schemas)
        if len(batch):
            self._store.write(self._part(window, node), batch)

    def commit(
        self, window: Window, proofs: Mapping[str, Proof], mark: Mark | None = None
    ) -> Receipt:
        """Put what was written in place of the window's rows."""
        receipt = self._store.replace(self._of(window, proofs), proofs)
        self._forget(window, proofs)
        return receipt

    def append(self, window: Window, nodes: Sequence[str], mark: Mark | None = None) -> Receipt:
        """Put what was written behind the window's rows."""
        receipt = self._store.append(self._of(window, nodes))
        self._forget(window, nodes)
        return receipt

    def resume(self, window: Window, receipt: Receipt) -> None:
        """Cut the window back; rows that an earlier process had are taken as gone by their age."""
        for node in self._schemas:
            if (window, node) in self._parts:
                self._store.forget(self._parts.pop((window, node)))
            self._store.resume(window, node, receipt.get(node, {}).get("rows", 0))

    def finish(
        self, window: Window, proofs: Mapping[str, Proof], mark: Mark | None = None
    ) -> Receipt:
        """Append what was written and close the window."""
        receipt = self._store.finish(self._of(window, proofs), proofs)
        self._forget(window, proofs)
        return receipt

    def abort(self) -> None:
        """Throw away what was written and neither committed nor appended."""
        for part in self._parts.values():
            self._store.forget(part)
        self._parts.clear()

    def close(self) -> None:
        """Throw away what was not committed."""
        self.abort()

    def _part(self, window: Window, node: str) -> Held:
        key = (window, node)
        return self._parts.get(key) or self._parts.setdefault(key, self._store.begin(*key))

    def _of(self, window: Window, nodes: Mapping[str, Proof] | Sequence[str]) -> list[Held]:
        return [self._part(window, node) for node in nodes]

    def _forget(self, window: Window, nodes: Mapping[str, Proof] | Sequence[str]) -> None:
        for node in nodes:
            del self._parts[window, node]


def _nanoseconds(time: Time | None) -> int | None:
    if time is None or isinstance(time, int):
        return time
    if not isinstance(time, date):
        raise TypeError(f"a datetime, a date or nanoseconds are expected, not {time!r}")
    if not isinstance(time, datetime):
        time = datetime.combine(time, datetime.min.time())
    time = time if time.tzinfo else time.replace(tzinfo=UTC)
    return (time - _EPOCH) // timedelta(microseconds=1) * 1000


@hookimpl
def werks_sinks() -> dict[str, type]:
    """Offer the sink."""
    return {"memory": Memory}
