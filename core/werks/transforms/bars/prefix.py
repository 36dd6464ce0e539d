"""Running sums, searched exactly."""

from bisect import bisect_left

import numpy as np

from ...amounts import INT64_MAX, Ints, carried, parts
from ..addends import Addends

_WORD = 64
# Fewer bars than one in so many rows are looked for one by one.
_FEW = 16


class Prefix:
    """Running sums of amounts that are not negative.

    All that is given and returned is in units of the amounts; inside, sums are in units of the
    addends where those have one.
    """

    def __init__(self, addends: Addends) -> None:
        values, self._unit = addends.values, addends.unit
        self._rows = len(values)
        if addends.narrow:
            self._low = np.cumsum(values, dtype=np.int64)
            self._high = np.zeros(0, np.int64)
        else:
            low, middle, high = (np.cumsum(part) for part in parts(values))
            both = carried(low, middle, high)
            self._low, self._high = both[:, 0].copy(), both[:, 1].copy()
        # The sums without their last bits, so that 62 bits hold them: they find nearly every row.
        self._bits = _WORD  # so far
        self._bits = max(0, self._before(self._rows).bit_length() - 62)
        self._short = self._shortened()
        self._view = memoryview(self._short.data)  # of which single numbers are had fast

    def _shortened(self) -> Ints:
        if not len(self._high):
            return self._low >> np.int64(self._bits) if self._bits else self._low
        if not self._bits:
            return self._low
        bits = np.uint64(self._bits)
        if self._bits >= _WORD:
            return self._high >> np.int64(self._bits - _WORD)
        upper = self._high.view(np.uint64) << np.uint64(_WORD - self._bits)
        return (upper | (self._low.view(np.uint64) >> bits)).view(np.int64)

    def before(self, row: int) -> int:
        """Return the sum of all rows before `row`."""
        return self._before(row) * self._unit

    def _before(self, row: int) -> int:
        if row == 0:
            return 0
        if not self._bits:
            return int(self._view[row - 1])
        if not len(self._high):
            return int(self._low[row - 1])
        return int(self._high[row - 1]) * 2**64 + (int(self._low[row - 1]) & (2**64 - 1))

    def first(self, goal: int) -> int:
        """Return the first row at whose end the running sum is at least `goal`."""
        return self._first(-(-goal // self._unit))

    def _first(self, goal: int, begin: int = 0) -> int:
        row = bisect_left(self._view, goal >> self._bits, begin)
        return self._exact(row, goal) if self._bits else row

    def _exact(self, row: int, goal: int) -> int:
        while row < self._rows and self._before(row + 1) < goal:
            row += 1
        return row

    def closing(self, begin: int, goal: int, end: int) -> list[int]:
        """Return the rows before `end` that bring the sum to `goal`.

        It is counted from `begin` on, then from each.
        """
        if begin >= end:
            return []
        goal = -(-goal // self._unit)
        if (self._before(self._rows) // goal) * _FEW > self._rows:
            return self._many(begin, goal, end)
        found = []
        while (row := self._first(self._before(begin) + goal, begin)) < end:
            found.append(row)
            begin = row + 1
        return found

    def _many(self, begin: int, goal: int, end: int) -> list[int]:
        least = min(goal >> self._bits, INT64_MAX)
        sought = np.minimum(np.append(0, self._short[:-1]), INT64_MAX - least) + least
        found = np.searchsorted(self._short, sought)
        # The bits that were left out may put the true row after the one that was found.
        near = self._short[np.minimum(found, self._rows - 1)] <= sought + 1
        rows, sure = found.tolist(), (~near if self._bits else np.ones(len(near), bool)).tolist()
        closing = []
        while begin < end:
            row = rows[begin]
            if not sure[begin]:
                row = self._exact(row, self._before(begin) + goal)
            if row >= end:
                break
            closing.append(row)
            begin = row + 1
        return closing
