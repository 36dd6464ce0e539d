"""Keep the significant ticks and the totals of all that lies between them."""

import operator
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import ClassVar

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..amounts import added, limbs, scaled
from ..components import Seam, State, Step, option
from ..hookspecs import hookimpl
from ..options import duration
from ..schema import kind, scales, schema
from .addends import Addends, Mask
from .carry import Folded, How, Layout, batch_of, earlier, later, merged, parted, plain, restored
from .columns import DAY, Columns, changes, columns, ends, only, windows, words

_HOW: How = {
    **dict.fromkeys(("exchange", "symbol", "trade_id", "open"), earlier),
    **dict.fromkeys(("timestamp", "received", "last_trade_id", "price"), later),
    **dict.fromkeys(("tick_rule", "size", "notional", "ticks"), later),
    **dict.fromkeys(("total_size", "total_buy_size"), operator.add),
    **dict.fromkeys(("total_notional", "total_buy_notional"), operator.add),
    **dict.fromkeys(("total_ticks", "total_buy_ticks"), operator.add),
    "high": max,
    "low": min,
}


@attrs.frozen
class Filter:
    """Keeps ticks at or above a threshold; each row carries the totals of the ticks up to it.

    In each window of the clock a significant tick closes a segment. Its own size, notional,
    tick_rule and ticks stand in the row; open, high, low, the ids and the totals cover the segment.
    What is left at the window's end becomes one row in which those four are null, so the totals of
    all rows are those of all trades, exactly.
    """

    min_notional: Decimal | None = option(None, help="the least quote value of a significant tick")
    min_size: Decimal | None = option(None, help="the least base quantity of a significant tick")
    window: str = option("1m", help="the clock's window that no segment crosses, at most 1d")

    seam: ClassVar[Seam] = "day"

    def __attrs_post_init__(self) -> None:
        if (self.min_notional is None) == (self.min_size is None):
            raise ValueError("give either min_notional or min_size")
        for name, least in (("min_notional", self.min_notional), ("min_size", self.min_size)):
            if least is not None and least <= 0:
                raise ValueError(f"{name}: a number above 0 is expected, not {least}")
        if duration(self.window, "window") > DAY:
            raise ValueError(f"window: 1d or less is expected, not {self.window}")

    def output(self, schemas: Mapping[str, pa.Schema]) -> pa.Schema:
        """Return SIGNIFICANT with the scales of what comes in."""
        return schema("SIGNIFICANT", scales(only(schemas, "filter")))

    def start(self, schemas: Mapping[str, pa.Schema], state: State | None) -> Step:
        """Return a step, going on with the segment that a state holds open."""
        return _Filtering(self, self.output(schemas), state)


class _Filtering:
    def __init__(self, options: Filter, schema: pa.Schema, state: State | None) -> None:
        self._layout = Layout(schema)
        self._window = duration(options.window, "window")
        self._column = "size" if options.min_size is not None else "notional"
        least = options.min_size if options.min_size is not None else options.min_notional
        self._least = scaled(least or 0, schema.field(self._column).type.scale)
        self._open = restored(schema, (state or {}).get("open"))

    def push(self, rows: pa.RecordBatch, node: str) -> Iterator[pa.RecordBatch]:
        cells = columns(rows)
        if not len(cells):
            return
        big = self._significant(cells)
        ended = np.append(False, big[:-1]).cumsum()
        window = windows(cells.time, self._window)
        segments = _segments(cells, changes(ended, window), big, self._layout)
        head, same = self._open, False
        if head is not None:
            opened = windows(np.array([head["timestamp"]]), self._window)
            same = bool(opened[0] == window[0])
            head = merged(head, segments.row(0), _HOW) if same else head
        over, self._open = parted(segments, head, int(same), bool(big[-1]))
        if over:
            yield over.batch()

    def advance(self, time: int) -> Iterator[pa.RecordBatch]:
        if self._open is not None:
            last = self._open["timestamp"]
            ended, now = windows(np.array([last, time]), self._window)
            if ended != now and last < time:
                yield from self.flush()
                self._open = None

    def cut(self) -> Iterator[pa.RecordBatch]:
        return iter(())

    def flush(self) -> Iterator[pa.RecordBatch]:
        if self._open is not None:
            yield batch_of(self._layout, self._open)

    def state(self) -> State:
        return {"open": plain(self._layout.schema, self._open)}

    def _significant(self, cells: Columns) -> Mask:
        """Tell which rows stand for themselves."""
        if kind(cells.source.schema) != "SIGNIFICANT":
            own: Addends = getattr(cells, self._column)
            return own.at_least(self._least)
        given = cells.source[self._column]
        known = given.is_valid().to_numpy(zero_copy_only=False)
        return np.asarray(Addends.of(limbs(given)).at_least(self._least) & known)


def _segments(cells: Columns, begins: npt.NDArray[np.int64], big: Mask, layout: Layout) -> Folded:
    """Return a row for each segment; `big` marks the ticks that stand for themselves."""
    lasts = ends(begins, len(cells))
    rows = cells.source
    ticks = rows["ticks"] if "ticks" in rows.schema.names else pa.array(np.ones(len(rows), int))
    own = pa.array(lasts, mask=~big[lasts])
    columns = words(rows) | {
        "timestamp": cells.time[lasts],
        "received": cells.received(lasts),
        "trade_id": cells.first_ids(begins),
        "last_trade_id": cells.last_ids(lasts),
        "tick_rule": rows["tick_rule"].take(own),
        "price": cells.price[lasts],
        "size": rows["size"].take(own),
        "notional": rows["notional"].take(own),
        "open": cells.open[begins],
        "high": np.maximum.reduceat(cells.high, begins),
        "low": np.minimum.reduceat(cells.low, begins),
        "ticks": ticks.take(own),
        "total_size": cells.size.sums(begins),
        "total_buy_size": cells.buy_size.sums(begins),
        "total_notional": cells.notional.sums(begins),
        "total_buy_notional": cells.buy_notional.sums(begins),
        "total_ticks": added(cells.ticks, begins),
        "total_buy_ticks": added(cells.buy_ticks, begins),
    }
    return Folded(layout, columns)


@hookimpl
def werks_transforms() -> Mapping[str, type]:
    """Offer `filter`."""
    return {"filter": Filter}
