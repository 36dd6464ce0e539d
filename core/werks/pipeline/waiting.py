"""Live rows of a stream whose history is being read: they wait, on disk if they are many."""

import pyarrow as pa

from ..live.spool import Kept, Spool
from .lane import Lane
from .unnumbered import Unnumbered

# So many rows of a stream wait in memory.
_MOST = 1 << 12


class Waiting:
    """Rows in the order in which they came, and between them why some may be missing there."""

    def __init__(self, spool: Spool, most: int = _MOST) -> None:
        self._spool, self._most = spool, most
        self._heard: list[Kept | str] = []
        self._fresh: list[pa.RecordBatch] = []
        self._rows = 0
        self.connected = False

    def take(self, batch: pa.RecordBatch) -> None:
        """Take rows of a connection; if there is no room, those before them are thrown away."""
        self._fresh.append(batch)
        self._rows += len(batch)
        if self._rows > self._most:
            self._keep()

    def doubt(self, why: str) -> None:
        """Take note that rows may be missing between the last row and the next one."""
        self._keep()
        if not (self._heard and isinstance(self._heard[-1], str)):
            self._heard.append(why)

    def close(self) -> None:
        """Give up the rows that wait."""
        for each in self._heard:
            if isinstance(each, Kept):
                self._spool.drop(each)
        self._heard, self._fresh, self._rows = [], [], 0

    def pour(self, lane: Lane | Unnumbered) -> None:
        """Give all to the lane, in order; nothing waits here any longer."""
        lane.connected = self.connected
        for each in self._heard:
            if isinstance(each, str):
                lane.doubt(each)
            else:
                lane.take(self._spool.get(each))
        for batch in self._fresh:
            lane.take(batch)
        self.close()

    def _keep(self) -> None:
        """Put what is in memory on disk."""
        if not self._fresh:
            return
        kept = self._spool.put(pa.concat_batches(self._fresh))
        if kept is None:  # REST has to tell what lies before the next row
            why = self._spool.why
            self.close()
            self._heard.append(why)
            return
        self._heard.append(kept)
        self._fresh, self._rows = [], 0
