"""Bars by the clock: right-open, UTC, counted from midnight."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ...amounts import INT64_MAX
from ...components import State
from ...schema import nanoseconds
from ..carry import Folded, Layout, Row, plain, restored, row_of
from ..columns import DAY, Columns, changes, windows
from .step import Cut

Times = npt.NDArray[np.int64]
# Widths of several days are counted from a Monday, so that 7d is a week.
_MONDAY = 4 * DAY
# What a window without trades has none of.
_NOTHING = (
    *("volume", "notional", "buy_volume", "buy_notional", "realized_variance"),
    *("ticks", "buy_ticks"),
)


class Clock:
    """Ends a bar where its window of the clock ends; `carry` fills windows without trades."""

    def __init__(self, schema: pa.Schema, width: int, carry: bool) -> None:
        self._layout = Layout(schema)
        self._width = width
        self._carry = carry
        self._last: Row | None = None
        self._torn = False  # the open bar has no row after a gap yet

    def _starts(self, time: Times) -> Times:
        if self._width <= DAY:
            return windows(time, self._width)
        return np.asarray(time - (time - _MONDAY) % self._width)

    def _ends(self, starts: Times) -> Times:
        """Return where windows end; an odd width's last window of a day ends at midnight."""
        ends: Times = starts + self._width
        midnights: Times = starts - starts % DAY + DAY
        return ends if self._width > DAY else np.minimum(ends, midnights)

    def cut(self, cells: Columns, open_: Row | None) -> Cut:
        """Return where the clock's windows change."""
        key = self._starts(cells.time)
        first = changes(key)
        continues = open_ is not None and bool(open_["timestamp"] == key[0])
        self._torn = self._torn and not continues
        return Cut(first, continues, True, np.ones(len(first), bool), False)

    def label(self, bars: Folded) -> Folded:
        """Return bars with the start and the end of their windows."""
        starts = self._starts(bars["timestamp"])
        labels = {"timestamp": starts, "end": self._ends(starts)}
        return Folded(bars.layout, bars.columns | labels)

    def closes(self, open_: Row, time: int) -> bool | None:
        """Return True once the bar's window has ended."""
        return True if open_["end"] <= time else None

    def advanced(self, time: int) -> None:
        """Carry nothing: the clock needs no memory of time."""

    def filled(self, bars: pa.RecordBatch | None, until: int | None) -> Iterator[pa.RecordBatch]:
        """Yield the bars; with `carry`, also a flat bar for each window without a trade."""
        if bars is not None and len(bars):
            if not self._carry:
                yield bars
                return
            if self._torn:
                yield bars.slice(0, 1)
                bars, self._torn = bars.slice(1), False
        if self._carry and bars is not None and len(bars):
            yield from self._between(bars)
            self._last = row_of(bars, len(bars) - 1)
        if self._carry and self._last is not None and until is not None:
            begin = self._last["end"]
            end = int(self._starts(np.array([until]))[0])
            if begin < end:
                flat = self._flat(self._last, begin, end)
                yield flat
                self._last = row_of(flat, len(flat) - 1)

    def _between(self, bars: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        starts, ends = nanoseconds(bars["timestamp"]), nanoseconds(bars["end"])
        if self._last is not None:
            yield self._flat(self._last, self._last["end"], int(starts[0]))
        done = 0
        for gap in (np.flatnonzero(starts[1:] > ends[:-1]) + 1).tolist():
            yield bars.slice(done, gap - done)
            yield self._flat(row_of(bars, gap - 1), int(ends[gap - 1]), int(starts[gap]))
            done = gap
        yield bars.slice(done)

    def _flat(self, bar: Row, begin: int, end: int) -> pa.RecordBatch:
        """Return bars at a bar's close for all windows from `begin` up to `end`."""
        starts = self._grid(begin, end)
        # Told the type: from 2**63 on NumPy would make unsigned integers.
        wide = abs(bar["close"]) > INT64_MAX
        close = np.full(len(starts), bar["close"], object if wide else np.int64)
        columns = {name: bar[name] for name in ("exchange", "symbol")}
        columns |= {"timestamp": starts, "end": self._ends(starts)}
        columns |= dict.fromkeys(("open", "high", "low", "close"), close)
        columns |= dict.fromkeys(_NOTHING, np.zeros(len(starts), np.int64))
        columns["complete"] = np.ones(len(starts), bool)
        return Folded(self._layout, columns).batch()

    def _grid(self, begin: int, end: int) -> Times:
        """Return the starts of all windows in [begin, end)."""
        if self._width > DAY:
            return np.arange(begin, end, self._width)
        days = np.arange(begin - begin % DAY, end, DAY)
        grid = (days[:, None] + np.arange(0, DAY, self._width)).ravel()
        return np.asarray(grid[(grid >= begin) & (grid < end)])

    def torn(self, open_: Row | None) -> bool:
        """Stop filling across a gap; a bar of the clock may run across it, as incomplete."""
        self._last, self._torn = None, open_ is not None
        return False

    def state(self) -> State:
        """Return the last bar, which windows without trades are filled from."""
        return {"last": plain(self._layout.schema, self._last), "torn": self._torn}

    def restore(self, state: State) -> None:
        """Go on from what `state` returned."""
        self._last, self._torn = restored(self._layout.schema, state["last"]), state["torn"]
