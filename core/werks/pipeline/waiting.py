"""Live rows of a stream whose history is being read: they wait, on disk if they are many."""

from collections.abc import Iterator

import pyarrow as pa

from ..live.spool import Kept, Spool

# So many rows wait in memory.
_MOST = 50_000


class Waiting:
    """Rows in the order in which they came; `doubt` is why some before them may be missing."""

    def __init__(self) -> None:
        self._spool = Spool()
        self._rows: list[pa.RecordBatch | Kept] = []
        self._fresh = 0
        self.connected, self.doubt = False, ""

    def __len__(self) -> int:
        return sum(
            each.num_rows if isinstance(each, pa.RecordBatch) else each.rows for each in self._rows
        )

    def take(self, batch: pa.RecordBatch) -> None:
        """Take rows of a connection; if there is no room, those before them are thrown away."""
        if self._fresh < _MOST:
            self._fresh += len(batch)
            self._rows.append(batch)
            return
        kept = self._spool.put(batch)
        if kept is None:
            self.clear(self._spool.why)
        self._rows.append(kept or batch)

    def clear(self, why: str) -> None:
        """Throw them away: REST has to tell what lies before the next row, and is asked for it."""
        for each in self._rows:
            if isinstance(each, Kept):
                self._spool.drop(each)
        self._rows, self._fresh, self.doubt = [], 0, why

    def rows(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows, which wait no longer."""
        rows, self._rows, self._fresh = self._rows, [], 0
        for each in rows:
            if isinstance(each, pa.RecordBatch):
                yield each
            else:
                yield self._spool.get(each)
                self._spool.drop(each)
