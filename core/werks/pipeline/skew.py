"""How much later than their times rows come at least: our clock may be ahead of the exchange's."""

from collections import deque

import pyarrow as pa

from ..schema import nanoseconds

# Of so many batches one was not late, so that the least tells; it is no more than this, in ns.
_SEVERAL, _MOST = 32, 30 * 10**9


class Skew:
    """The least time from a row's own to that of its hearing, of the last batches, in ns."""

    def __init__(self) -> None:
        self._last = deque[int](maxlen=_SEVERAL)

    def take(self, batch: pa.RecordBatch) -> None:
        """Take note of rows; those that were not heard, as by REST, tell nothing."""
        place = batch.schema.get_field_index("received")
        if place < 0:
            self._last.append(0)
        elif not batch.column(place).null_count:
            late = nanoseconds(batch.column(place)) - nanoseconds(batch["timestamp"])
            self._last.append(int(late.min()))

    @property
    def least(self) -> int:
        """So much time has to pass before it is clear that no row comes, besides all other.

        It is the most there can be until a row has been heard.
        """
        return min(max(0, min(self._last, default=_MOST)), _MOST)
