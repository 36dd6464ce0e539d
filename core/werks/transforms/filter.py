"""Keep the significant ticks and the totals of all that lies between them."""

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
from ..schema import batch, kind, nanoseconds, scales, schema, times
from .addends import Addends, Mask
from .columns import (
    DAY,
    Columns,
    amount,
    changes,
    columns,
    ends,
    only,
    plain,
    restored,
    windows,
    words,
)


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
        self._schema = schema
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
        if self._open is not None:
            cells, big = cells.after(self._open), np.append(False, big)
        ended = np.append(False, big[:-1]).cumsum()
        first = changes(ended, windows(cells.time, self._window))
        segments = _segments(cells, first, big, self._schema)
        closed = len(segments) - (not big[-1])
        self._open = segments.slice(closed) if closed < len(segments) else None
        yield segments.slice(0, closed)

    def advance(self, time: int) -> Iterator[pa.RecordBatch]:
        if self._open is not None:
            last = int(nanoseconds(self._open["timestamp"])[0])
            ended, now = windows(np.array([last, time]), self._window)
            if ended != now and last < time:
                yield self._open
                self._open = None

    def cut(self) -> Iterator[pa.RecordBatch]:
        return iter(())

    def flush(self) -> Iterator[pa.RecordBatch]:
        if self._open is not None:
            yield self._open

    def state(self) -> State:
        return {"open": plain(self._open)}

    def _significant(self, cells: Columns) -> Mask:
        """Tell which rows stand for themselves."""
        if kind(cells.source.schema) != "SIGNIFICANT":
            own: Addends = getattr(cells, self._column)
            return own.at_least(self._least)
        given = cells.source[self._column]
        known = given.is_valid().to_numpy(zero_copy_only=False)
        return np.asarray(Addends.of(limbs(given)).at_least(self._least) & known)


def _segments(
    cells: Columns, first: npt.NDArray[np.int64], big: Mask, schema: pa.Schema
) -> pa.RecordBatch:
    """Return a row for each segment; `big` marks the ticks that stand for themselves."""
    last = ends(first, len(cells))
    rows, left = cells.source, ~big[last]
    ticks = rows["ticks"] if "ticks" in rows.schema.names else pa.array(np.ones(len(rows), int))
    # A row that was left open is in front of those of the source, and never significant.
    own = pa.array(np.where(left, 0, last - (len(cells) - len(rows))), mask=left)
    return batch(
        schema,
        **words(rows, len(first)),
        timestamp=times(cells.time[last]),
        received=cells.received(last),
        trade_id=cells.first_ids(first),
        last_trade_id=cells.last_ids(last),
        tick_rule=rows["tick_rule"].take(own),
        price=amount(cells.price[last], schema, "price"),
        size=rows["size"].take(own),
        notional=rows["notional"].take(own),
        open=amount(cells.open[first], schema, "open"),
        high=amount(np.maximum.reduceat(cells.high, first), schema, "high"),
        low=amount(np.minimum.reduceat(cells.low, first), schema, "low"),
        ticks=ticks.take(own),
        total_size=amount(cells.size.sums(first), schema, "total_size"),
        total_buy_size=amount(cells.buy_size.sums(first), schema, "total_buy_size"),
        total_notional=amount(cells.notional.sums(first), schema, "total_notional"),
        total_buy_notional=amount(cells.buy_notional.sums(first), schema, "total_buy_notional"),
        total_ticks=pa.array(added(cells.ticks, first)),
        total_buy_ticks=pa.array(added(cells.buy_ticks, first)),
    )


@hookimpl
def werks_transforms() -> Mapping[str, type]:
    """Offer `filter`."""
    return {"filter": Filter}
