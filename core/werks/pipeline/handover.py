"""Rows without ids go on from one connection at a time: of two, nothing tells what is a repeat."""

import attrs
import pyarrow as pa

from ..schema import nanoseconds

# Rows of the connection before may be on their way for so long, in seconds.
_WAIT = 2.0


@attrs.define
class Handover:
    """Which connection's rows go on, and the rows of the one that is to take its place.

    A connection that replaces another is heard beside it, and has all rows behind its first one:
    the other's count up to the time of that, and it takes over once they must have come.
    """

    _on: int = attrs.field(default=0, init=False)
    _next: int = attrs.field(default=0, init=False)
    _last: int = attrs.field(default=0, init=False)
    _cut: int = attrs.field(default=0, init=False)
    _rows: list[pa.RecordBatch] = attrs.field(factory=list, init=False)
    _since: float | None = attrs.field(default=None, init=False)

    @property
    def held(self) -> int:
        """How many rows wait until their connection takes over."""
        return sum(map(len, self._rows))

    def take(self, batch: pa.RecordBatch, connection: int) -> pa.RecordBatch:
        """Return those rows of a connection that go on now; it is 0 where that is not known."""
        time = nanoseconds(batch["timestamp"])
        if connection in (0, self._on) or not self._on:
            self._on = connection or self._on
            if self._next:
                return batch.filter(pa.array(time <= self._cut))
            self._last = max(self._last, int(time.max()))
            return batch
        if connection > self._on and self._next in (0, connection):
            if not self._next:
                self._next, self._cut = connection, max(self._last, int(time.min()))
            self._rows.append(batch)
        # Of one that is older than the one that counts, or newer than the next, nothing goes on.
        return batch.slice(0, 0)

    def poll(self, clock: float) -> list[pa.RecordBatch]:
        """Return the rows that waited, once their connection takes over."""
        if not self._next:
            return []
        self._since = clock if self._since is None else self._since
        if clock - self._since < _WAIT:
            return []
        following, cut = self._next, self._cut
        rows = [each.filter(pa.array(nanoseconds(each["timestamp"]) > cut)) for each in self.end()]
        self._on = following
        return rows

    def end(self) -> list[pa.RecordBatch]:
        """Let any connection go on, as one of them has ended; return the rows that waited."""
        rows = self._rows
        self._on, self._next, self._last, self._rows, self._since = 0, 0, 0, [], None
        return rows
