"""Bars that close when a sum reaches a threshold."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ...components import State
from ..addends import Addends
from ..carry import Folded, Row
from ..columns import DAY, Columns, changes
from .prefix import Prefix
from .step import Cut

Times = npt.NDArray[np.int64]
_WEEK, _MONDAY = 7 * DAY, 4 * DAY


class Threshold:
    """Ends a bar with the row that brings the sum of ticks, volume or notional to `every`.

    With `carry`, what a row brings beyond it counts for the next bar. `reset` names the boundary
    at which an open bar is cut off. `adaptive` (days, bars a day) takes the threshold from the last
    whole days as soon as there are enough of them; it holds for a day.
    """

    def __init__(
        self, by: str, every: int, carry: bool, reset: str, adaptive: tuple[int, int] | None
    ) -> None:
        self._by = "size" if by == "volume" else by
        self._every = self._goal = every
        self._carry = carry
        self._reset = reset
        self._adaptive = adaptive
        self._sum = 0
        self._period: int | None = None
        self._day: int | None = None
        self._torn: int | None = None
        self._today = 0
        self._past: list[int] = []

    def cut(self, cells: Columns, open_: Row | None) -> Cut:
        """Return where the sum reaches the threshold, or a period ends."""
        given = getattr(cells, self._by)
        prefix = Prefix(given if isinstance(given, Addends) else Addends.of_ints(given))
        same, first, complete = True, [0], list[bool]()
        for begin, end, period, day in self._stretches(cells.time):
            if self._period not in (None, period):
                self._sum = 0
                if begin == 0:
                    same = False
                elif first[-1] != begin:
                    first.append(begin)
                    complete.append(False)
            self._period = period
            if self._adaptive:
                self._enter(day)
                self._today += prefix.before(end) - prefix.before(begin)
            ends = self._ends(prefix, begin, end)
            first += ends
            complete += [True] * len(ends)
        closed = first[-1] == len(cells)
        if closed:
            first.pop()
        else:
            complete.append(True)
        return Cut(np.array(first), same, False, np.array(complete, bool), closed)

    def _stretches(self, time: Times) -> Iterator[tuple[int, int, int, int]]:
        """Yield (first row, row after the last, period, day) of what has one of each.

        The day is the period where nobody asks for it.
        """
        if self._reset == "never" and not self._adaptive:
            yield 0, len(time), 0, 0
            return
        periods = _period(time, self._reset)
        keys = (periods, time // DAY) if self._adaptive else (periods,)
        for begin, end in pairwise([*changes(*keys).tolist(), len(time)]):
            yield begin, end, int(periods[begin]), int(keys[-1][begin])

    def _ends(self, prefix: Prefix, begin: int, end: int) -> list[int]:
        """Return the row after each row that closes a bar."""
        found = []
        while begin < end:
            base = prefix.before(begin)
            row = max(prefix.first(base + self._goal - self._sum), begin)
            if row >= end:
                self._sum += prefix.before(end) - base
                break
            self._sum += prefix.before(row + 1) - base - self._goal
            begin = row + 1
            found.append(begin)
            if not self._carry:
                self._sum = 0
                found += [row + 1 for row in prefix.closing(begin, self._goal, end)]
                begin = found[-1]
        return found

    def _enter(self, day: int) -> None:
        """Take note that rows of a day come: the days before it are whole, even without a trade."""
        if self._adaptive is None or day == self._day:
            return
        if self._day is not None:
            whole = [] if self._day == self._torn else [self._today]
            self._past += [*whole, *[0] * (day - self._day - 1)]
            self._past = self._past[-self._adaptive[0] :]
        self._day, self._today = day, 0
        wanted, bars = self._adaptive
        if len(self._past) == wanted:
            self._goal = max(1, -(-sum(self._past) // (wanted * bars)))

    def label(self, bars: Folded) -> Folded:
        """Return bars as they are: known by the times of their trades."""
        return bars

    def closes(self, open_: Row, time: int) -> bool | None:
        """Return False once the bar's period has ended."""
        period = int(_period(np.array([time]), self._reset)[0])
        return False if self._period is not None and period > self._period else None

    def advanced(self, time: int) -> None:
        """Take note of the days that have ended."""
        if self._day is not None:
            self._enter(max(time // DAY, self._day))

    def filled(self, bars: pa.RecordBatch | None, until: int | None) -> Iterator[pa.RecordBatch]:
        """Yield the bars as they are."""
        if bars is not None and len(bars):
            yield bars

    def torn(self, open_: Row | None) -> bool:
        """Close the open bar at a gap, and count the day that is torn for nothing."""
        self._sum, self._period, self._torn, self._day, self._today = 0, None, self._day, None, 0
        return True

    def state(self) -> State:
        """Return the running sum, and what an adaptive threshold knows of the days before."""
        return {
            "sum": self._sum,
            "goal": self._goal,
            "period": self._period,
            "day": self._day,
            "torn": self._torn,
            "today": self._today,
            "past": list(self._past),
        }

    def restore(self, state: State) -> None:
        """Go on from what `state` returned."""
        self._sum, self._goal, self._period = state["sum"], state["goal"], state["period"]
        self._day, self._torn, self._today = state["day"], state["torn"], state["today"]
        self._past = list(state["past"])


def _period(time: Times, name: str) -> Times:
    """Return the number of the period that each time lies in."""
    if name == "never":
        return np.zeros(len(time), np.int64)
    if name == "day":
        return np.asarray(time // DAY)
    if name == "week":
        return np.asarray((time - _MONDAY) // _WEEK)
    months = time.astype("datetime64[ns]").astype("datetime64[M]").astype(np.int64)
    return np.asarray(months) // {"month": 1, "quarter": 3, "year": 12}[name]
