"""What connections tell the pipeline: rows and events, in one bounded queue."""

import queue
import time
from collections.abc import Iterator

import attrs
import pyarrow as pa


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
    """An event of the exchange about a symbol: a refusal, or rows that it has left out."""

    connection: int
    symbol: str
    what: str
    why: str


@attrs.frozen
class Failed:
    """A connection has given up for good: its thread has met an error of ours or of a plugin."""

    connection: int
    error: Exception


Item = Arrived | Connected | Disconnected | Told | Failed
# Connections are numbered by source, with room for all that replace one another.
ROOM = 1_000_000
# As many items as are a second of a busy day on all connections; then a connection waits, and the
# exchange with it.
_MOST = 10_000


class Inbox:
    """A queue that many connections fill and the pipeline empties."""

    def __init__(self, most: int = _MOST) -> None:
        self._queue: queue.Queue[Item] = queue.Queue(most)

    def put(self, item: Item) -> None:
        """Add an item; waits while the queue is full."""
        self._queue.put(item)

    def __len__(self) -> int:
        return self._queue.qsize()

    def clock(self) -> float:
        """Return seconds that only go forward."""
        return time.monotonic()

    def take(self, seconds: float) -> Iterator[Item]:
        """Yield what is there, waiting so long for the first item at the most."""
        try:
            yield self._queue.get(timeout=seconds)
            for _ in range(self._queue.qsize()):
                yield self._queue.get_nowait()
        except queue.Empty:
            return
