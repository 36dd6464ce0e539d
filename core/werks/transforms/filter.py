"""Keep the significant ticks and the totals of all that lies between them."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import ClassVar

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ..amounts import ints, limbs, scaled, sums
from ..components import Seam, State, Step, option
from ..hookspecs import hookimpl
from ..options import duration
from ..schema import batch, empty, nanoseconds, scales, schema, times
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
    taken,
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
        segments, significant = self._fold(rows)
        if len(segments) and self._open is not None:
            seam, _ = self._fold(pa.concat_batches([self._open, segments.slice(0, 1)]))
            segments = segments.slice(1)
            if len(segments) or significant:
                yield seam
                self._open = None
            else:
                yield seam.slice(0, len(seam) - 1)
                self._open = seam.slice(len(seam) - 1)
        if len(segments):
            closed = len(segments) - (not significant)
            yield segments.slice(0, closed)
            self._open = None if significant else segments.slice(closed)

    def advance(self, time: int) -> Iterator[pa.RecordBatch]:
        if self._open is not None:
            last = nanoseconds(self._open["timestamp"])
            if self._windows(last)[0] != self._windows(np.array([time]))[0] and last[0] < time:
                yield self._open
                self._open = None

    def cut(self) -> Iterator[pa.RecordBatch]:
        return iter(())

    def flush(self) -> Iterator[pa.RecordBatch]:
        if self._open is not None:
            yield self._open

    def state(self) -> State:
        return {"open": plain(self._open)}

    def _windows(self, time: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the start of each time's window; windows are counted from midnight."""
        midnight = time - time % DAY
        return np.asarray(midnight + (time - midnight) // self._window * self._window)

    def _fold(self, rows: pa.RecordBatch) -> tuple[pa.RecordBatch, bool]:
        """Return the segments of these rows, and whether the last one ends with its own tick."""
        cells = columns(rows)
        if not len(cells):
            return empty(self._schema), False
        own = cells.source[self._column]
        big = np.asarray(ints(limbs(own)) >= self._least, bool) & ~_nulls(own)
        ended = np.concatenate(([False], big[:-1])).cumsum()
        first = changes(ended, self._windows(cells.time))
        return _segments(cells, first, big, self._schema), bool(big[-1])


def _segments(
    cells: Columns, first: npt.NDArray[np.int64], big: npt.NDArray[np.bool_], schema: pa.Schema
) -> pa.RecordBatch:
    """Return a row for each segment; `big` marks the ticks that stand for themselves."""
    last = ends(first, len(cells))
    at, rows = pa.array(last), cells.source
    left = pa.array(~big[last])
    ticks = rows["ticks"] if "ticks" in rows.schema.names else pa.array(cells.ticks)
    return batch(
        schema,
        **words(rows, len(first)),
        timestamp=times(cells.time[last]),
        received=taken(rows["received"], at),
        trade_id=cells.first_ids(first),
        last_trade_id=cells.last_ids(last),
        tick_rule=_unless(left, rows["tick_rule"].take(at)),
        price=amount(cells.price[last], schema, "price"),
        size=_unless(left, rows["size"].take(at)),
        notional=_unless(left, rows["notional"].take(at)),
        open=amount(cells.open[first], schema, "open"),
        high=amount(np.maximum.reduceat(cells.high, first), schema, "high"),
        low=amount(np.minimum.reduceat(cells.low, first), schema, "low"),
        ticks=_unless(left, ticks.take(at)),
        total_size=amount(sums(cells.size, first), schema, "total_size"),
        total_buy_size=amount(sums(cells.buy_size, first), schema, "total_buy_size"),
        total_notional=amount(sums(cells.notional, first), schema, "total_notional"),
        total_buy_notional=amount(sums(cells.buy_notional, first), schema, "total_buy_notional"),
        total_ticks=pa.array(np.add.reduceat(cells.ticks, first)),
        total_buy_ticks=pa.array(np.add.reduceat(cells.buy_ticks, first)),
    )


def _nulls(values: pa.Array) -> npt.NDArray[np.bool_]:
    if not values.null_count:
        return np.zeros(len(values), bool)
    nulls: npt.NDArray[np.bool_] = values.is_null().to_numpy(zero_copy_only=False)
    return nulls


def _unless(left: pa.Array, values: pa.Array) -> pa.Array:
    return pc.if_else(left, pa.scalar(None, values.type), values)


@hookimpl
def werks_transforms() -> Mapping[str, type]:
    """Offer `filter`."""
    return {"filter": Filter}
