"""The lane of rows without ids: quotes, candles, funding. Nothing proves that none is missing."""

from collections.abc import Iterator

import attrs
import numpy as np
import pyarrow as pa

from ..components import Stream
from ..schema import kind, nanoseconds
from .lane import Hole
from .place import Place

# Of these a stream has one row a time at the most, so that a time that came is a repeat.
_ONE_A_TIME = ("CANDLE", "FUNDING", "OPEN_INTEREST")


@attrs.define
class Newest:
    """How far a stream has come."""

    last: Place


class Unnumbered:
    """Lets rows go on in the order of their times; an outage is a hole."""

    def __init__(self, stream: Stream, last: Place) -> None:
        self.stream, self.known = stream, Newest(last)
        self.connected = False
        self._held: list[pa.RecordBatch] = []
        self._doubt = ""

    @property
    def waits(self) -> str:
        """Why rows wait: they never do."""
        return ""

    @property
    def held(self) -> int:
        """How many rows wait."""
        return sum(map(len, self._held))

    def doubt(self, why: str) -> None:
        """Take note that rows may be missing between the last row and the next one."""
        self._doubt = self._doubt or why

    def take(self, batch: pa.RecordBatch) -> None:
        """Take rows of a connection."""
        if len(batch):
            self._held.append(batch)

    def poll(self, now: int, clock: float) -> Iterator[pa.RecordBatch | Hole]:
        """Yield the rows that came, and before them a hole if there was an outage."""
        if not self._held:
            return
        held, self._held = self._held, []
        rows, last = pa.concat_batches(held), self.known.last.time
        time = nanoseconds(rows["timestamp"])
        once = kind(rows.schema) in _ONE_A_TIME
        keep = time > last if once else time >= last
        if once:
            keep &= _newest_of_each(time)
        rows = rows.filter(pa.array(keep))
        if not len(rows):
            return
        rows = rows.take(pa.array(np.argsort(nanoseconds(rows["timestamp"]), kind="stable")))
        time = nanoseconds(rows["timestamp"])
        if self._doubt:
            ends = " and ".join(str(np.datetime64(t // 10**6, "ms")) for t in (last, int(time[0])))
            yield Hole(self._doubt, f"between {ends}", None)
            self._doubt = ""
        self.known.last = Place(int(time[-1]))
        yield rows


def _newest_of_each(
    time: np.ndarray[tuple[int], np.dtype[np.int64]],
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return which rows are the last of those with their time."""
    keep = np.zeros(len(time), bool)
    _, places = np.unique(time[::-1], return_index=True)
    keep[len(time) - 1 - places] = True
    return keep
