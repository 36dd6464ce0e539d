"""What connections tell the pipeline: rows and events, in one bounded queue."""

import queue
import time
from collections import deque
from collections.abc import Iterable, Iterator

import attrs
import pyarrow as pa

from .spool import Kept, Spool


@attrs.frozen
class Arrived:
    """Rows of one symbol that came on a connection."""

    connection: int
    batch: pa.RecordBatch


@attrs.frozen
class Connected:
    """A connection is open and the subscriptions of these symbols are sent."""

    connection: int
    symbols: tuple[str, ...]


@attrs.frozen
class Disconnected:
    """A connection has ended, and why; rows of these symbols may be missing from here on."""

    connection: int
    symbols: tuple[str, ...]
    why: str


@attrs.frozen
class Told:
    """An event about a symbol: `acked`, `refused`, or `missed`, rows that have not come."""

    connection: int
    symbol: str
    what: str
    why: str


@attrs.frozen
class Failed:
    """A connection has given up for good: its thread has met an error of ours or of a plugin.

    `every` is whether all of its symbols are concerned; else it may be one of them that is bad.
    """

    connection: int
    symbols: tuple[str, ...]
    error: Exception
    every: bool


# Why rows of any symbol of a connection may be missing.
UNREADABLE = "a message could not be read"
Item = Arrived | Connected | Disconnected | Told | Failed
# Connections are numbered by source, with room for all that replace one another.
ROOM = 1_000_000
# So many items and rows wait in memory: more than a second of a busy day on all connections.
_MOST, _ROWS = 10_000, 50_000
# So many rows are gathered at once; with so many waiting, there is no time for a rest.
_TOGETHER, _BEHIND = 16_384, 10_000
_LONGEST_REST = 0.5


@attrs.frozen
class _Spilled:
    """Rows that came and wait on disk."""

    connection: int
    kept: Kept


class _Items(queue.Queue[Item]):
    """Items in the order in which they came; if nobody takes them, their rows wait on disk.

    Rows for which there is no room are left out, and told as missed.
    """

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        super().__init__()

    def _init(self, maxsize: int) -> None:
        self._old: deque[Item | _Spilled] = deque()
        self._new: deque[Item] = deque()
        self._rows = 0
        self._left_out: set[tuple[int, str]] = set()

    @property
    def is_behind(self) -> bool:
        """Whether much waits."""
        return bool(self._old) or self._rows > _BEHIND

    def _qsize(self) -> int:
        return len(self._old) + len(self._new)

    def _put(self, item: Item) -> None:
        self._new.append(item)
        self._rows += len(item.batch) if isinstance(item, Arrived) else 0
        if self._rows > _ROWS or len(self._new) > _MOST:
            self._spill()

    def _get(self) -> Item:
        if not self._old:
            item = self._new.popleft()
            self._rows -= len(item.batch) if isinstance(item, Arrived) else 0
            return item
        old = self._old.popleft()
        if not isinstance(old, _Spilled):
            if isinstance(old, Told):  # what is left out behind it is told anew
                self._left_out.discard((old.connection, old.symbol))
            return old
        batch = self._spool.get(old.kept)
        self._spool.drop(old.kept)
        return Arrived(old.connection, batch)

    def _spill(self) -> None:
        """Put rows on disk; those of a symbol between two events become one batch."""
        rows: dict[tuple[int, str], list[pa.RecordBatch]] = {}
        for item in self._new:
            if not isinstance(item, Arrived):
                self._spill_rows(rows)
                rows = {}
                self._old.append(item)
            elif len(item.batch):
                key = item.connection, item.batch["symbol"][0].as_py()
                rows.setdefault(key, []).append(item.batch)
        self._spill_rows(rows)
        self._new.clear()
        self._rows = 0

    def _spill_rows(self, rows: dict[tuple[int, str], list[pa.RecordBatch]]) -> None:
        for key, batches in rows.items():
            connection, symbol = key
            kept = self._spool.put(pa.concat_batches(batches))
            if kept is not None:
                self._left_out.discard(key)
                self._old.append(_Spilled(connection, kept))
            elif key not in self._left_out:
                self._left_out.add(key)
                self._old.append(Told(connection, symbol, "missed", self._spool.why))


class Inbox:
    """A queue that many connections fill and the pipeline empties; what is much waits on disk."""

    def __init__(self, spool: Spool | None = None) -> None:
        self._queue = _Items(spool or Spool())

    def put(self, item: Item) -> None:
        """Add an item, at once."""
        self._queue.put(item)

    def __len__(self) -> int:
        return self._queue.qsize()

    def clock(self) -> float:
        """Return seconds that only go forward."""
        return time.monotonic()

    def rest(self, spent: float) -> None:
        """Let rows come for as long as the last ones took: a batch of many costs little more."""
        if not self._queue.is_behind:
            time.sleep(min(spent, _LONGEST_REST))

    def take(self, seconds: float) -> Iterator[Item]:
        """Yield what is there, waiting so long for the first item at the most.

        The rows of a symbol between two events come as one batch.
        """
        yield from gathered(self._taken(seconds))

    def _taken(self, seconds: float) -> Iterator[Item]:
        try:
            yield self._queue.get(timeout=seconds)
            for _ in range(self._queue.qsize()):
                yield self._queue.get_nowait()
        except queue.Empty:
            return


def gathered(items: Iterable[Item]) -> Iterator[Item]:
    """Yield the same, the rows of a symbol between two events as one batch.

    Those without ids are kept apart by their connections: of two, nothing else tells repeats.
    """
    found: dict[tuple[int, str], list[Arrived]] = {}
    rows = 0
    for item in items:
        if isinstance(item, Arrived) and len(item.batch):
            key = _line(item), item.batch["symbol"][0].as_py()
            found.setdefault(key, []).append(item)
            rows += len(item.batch)
        if not isinstance(item, Arrived) or rows > _TOGETHER:
            yield from _joined(found)
            rows = 0
        if not isinstance(item, Arrived):
            yield item
    yield from _joined(found)


def _line(item: Arrived) -> int:
    has_ids = item.batch.schema.get_field_index("trade_id") >= 0
    return item.connection // ROOM if has_ids else item.connection


def _joined(found: dict[tuple[int, str], list[Arrived]]) -> Iterator[Arrived]:
    for each in found.values():
        batches = [item.batch for item in each]
        yield each[0] if len(each) == 1 else Arrived(each[0].connection, pa.concat_batches(batches))
    found.clear()
