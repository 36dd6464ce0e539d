"""Rows that wait until there are enough of them to be worth a write."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Generic, Protocol, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from werks.components import Window
from werks.errors import SinkError

ROWS = 1 << 16
MOST_BYTES = 16 << 20


class Gathered:
    """Rows in waiting; they leave by so many, wherever the batches that came in were cut."""

    def __init__(self, enough: int = ROWS) -> None:
        self._enough = enough
        self._batches: list[pa.RecordBatch] = []
        self._rows = 0
        self.bytes = 0

    def add(self, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        """Take rows and yield those that are enough for a write."""
        start = 0
        while self._rows + len(batch) - start >= self._enough:
            head = batch.slice(start, self._enough - self._rows)
            start += len(head)
            self._keep(head)
            yield from self.rest()
        if start < len(batch):
            self._keep(owned(batch.slice(start)))

    def rest(self) -> Iterator[pa.RecordBatch]:
        """Yield all rows that wait, if there are any, as one batch."""
        batches, self._batches, self._rows, self.bytes = self._batches, [], 0, 0
        if batches:
            # Copied even if it is one: the bytes that follow a slice would get into the file.
            yield pa.concat_batches(batches)

    def _keep(self, batch: pa.RecordBatch) -> None:
        self._batches.append(batch)
        self._rows += len(batch)
        self.bytes += batch.nbytes


def regrouped(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    """Yield the same rows by so many at a time."""
    waiting = Gathered(rows)
    for batch in batches:
        yield from waiting.add(batch)
    yield from waiting.rest()


class Part(Protocol):
    """What has been written of one node in one window."""

    waiting: Gathered
    rows: int

    def put(self, batch: pa.RecordBatch) -> None:
        """Take rows out of memory."""
        ...

    def drop(self) -> None:
        """Throw the rows away."""
        ...


P = TypeVar("P", bound=Part)


class Parts(Generic[P]):
    """All windows and nodes that are being written; together they keep `MOST_BYTES` in memory."""

    def __init__(self, schemas: Mapping[str, pa.Schema], make: Callable[[Window, str], P]) -> None:
        self._schemas, self._make = schemas, make
        self._parts: dict[tuple[Window, str], P] = {}
        self._waiting: dict[tuple[Window, str], int] = {}
        self._bytes = 0
        self._is_broken = False

    def write(self, window: Window, node: str, batch: pa.RecordBatch) -> None:
        """Take rows of a node for a window."""
        require_fit(window, node, batch, self._schemas)
        with self.unbroken():
            if len(batch):
                self._add((window, node), batch)

    @contextmanager
    def unbroken(self) -> Iterator[None]:
        """Refuse all work after an error, until everything is dropped: rows would be missing."""
        if self._is_broken:
            raise SinkError("rows were lost in an error before this; abort and write them again")
        try:
            yield
        except BaseException:
            self._is_broken = True
            raise

    def get(self, window: Window, node: str) -> P | None:
        """Return what was written of a node for a window; None if there are no rows."""
        return self._parts.get((window, node))

    def forget(self, window: Window, node: str) -> None:
        """Let go of a node's rows for a window, once they are committed."""
        part = self._parts.pop((window, node), None)
        if part:
            part.drop()
        self._bytes -= self._waiting.pop((window, node), 0)

    def drop(self) -> None:
        """Throw everything away."""
        parts, self._parts, self._waiting = self._parts, {}, {}
        self._bytes, self._is_broken = 0, False
        for part in parts.values():
            part.drop()

    def _add(self, key: tuple[Window, str], batch: pa.RecordBatch) -> None:
        part = self._parts.get(key) or self._parts.setdefault(key, self._make(*key))
        part.rows += len(batch)
        for enough in part.waiting.add(batch):
            part.put(enough)
        self._count(key, part.waiting.bytes)
        if self._bytes > MOST_BYTES:
            largest = max(self._waiting, key=self._waiting.__getitem__)
            for batch in self._parts[largest].waiting.rest():
                self._parts[largest].put(batch)
            self._count(largest, 0)

    def _count(self, key: tuple[Window, str], waiting: int) -> None:
        self._bytes += waiting - self._waiting.get(key, 0)
        self._waiting[key] = waiting


def require_fit(
    window: Window, node: str, batch: pa.RecordBatch, schemas: Mapping[str, pa.Schema]
) -> None:
    """Raise SinkError unless a batch has the columns, the exchange and the symbol it ought to."""
    if node not in schemas:
        raise SinkError(f"{node}: rows of a node that this sink was not opened for")
    if not batch.schema.equals(schemas[node]):
        raise SinkError(f"{node}: rows with other columns than those the sink was opened for")
    for name, expected in (("exchange", window.exchange), ("symbol", window.symbol)):
        place = batch.schema.get_field_index(name)
        if place >= 0 and not _is_constant(batch.column(place), expected):
            raise SinkError(
                f"{node}: rows for {window.exchange} {window.symbol} name another {name}"
            )


def _is_constant(column: pa.Array, word: str) -> bool:
    if pa.types.is_dictionary(column.type):
        if len(column.dictionary) == 1 and not column.null_count:
            return bool(column.dictionary[0].as_py() == word)
        column = column.cast(column.type.value_type)
    return bool(pc.all(pc.equal(column, word).fill_null(False), min_count=0).as_py())


def owned(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return a batch that keeps no much larger one in memory."""
    if batch.get_total_buffer_size() <= 2 * batch.nbytes:
        return batch
    return pa.concat_batches([batch])
