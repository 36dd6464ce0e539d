"""Fold the fills of one order into one tick."""

from collections.abc import Iterator, Mapping
from typing import ClassVar

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..amounts import added
from ..components import Seam, State, Step
from ..hookspecs import hookimpl
from ..schema import batch, nanoseconds, scales, schema, times
from .columns import (
    Columns,
    amount,
    changes,
    columns,
    ends,
    only,
    plain,
    remember,
    restored,
    words,
)
from .variance import Array


@attrs.frozen
class Aggregate:
    """Folds consecutive trades of one time (to the nanosecond) and one taker's side into one tick.

    The tick keeps the first and the last trade's id, the price of the last one, open, high and low
    over all of them, and the exact sums of size, notional and count.
    """

    seam: ClassVar[Seam] = "day"

    def output(self, schemas: Mapping[str, pa.Schema]) -> pa.Schema:
        """Return TICK with the scales of the trades or ticks that come in."""
        return schema("TICK", scales(only(schemas, "aggregate", ("TRADE", "TICK"))))

    def start(self, schemas: Mapping[str, pa.Schema], state: State | None) -> Step:
        """Return a step, going on with the tick that a state holds open."""
        return _Aggregating(self.output(schemas), state)


class _Aggregating:
    def __init__(self, schema: pa.Schema, state: State | None) -> None:
        self._schema = schema
        self._open = restored(schema, (state or {}).get("open"))

    def push(self, rows: pa.RecordBatch, node: str) -> Iterator[pa.RecordBatch]:
        cells = columns(rows)
        if len(cells):
            ticks = _fold(cells.after(self._open), self._rules(cells), self._schema)
            closed = len(ticks) - 1
            self._open = ticks.source.slice(closed)
            yield remember(ticks.to(closed, ticks.source.slice(0, closed)))

    def _rules(self, cells: Columns) -> npt.NDArray[np.int8]:
        given = [rows["tick_rule"] for rows in (self._open, cells.source) if rows is not None]
        return np.concatenate([column.to_numpy() for column in given])

    def advance(self, time: int) -> Iterator[pa.RecordBatch]:
        if self._open is not None and nanoseconds(self._open["timestamp"])[0] < time:
            yield self._open
            self._open = None

    def cut(self) -> Iterator[pa.RecordBatch]:
        yield from self.flush()
        self._open = None

    def flush(self) -> Iterator[pa.RecordBatch]:
        if self._open is not None:
            yield self._open

    def state(self) -> State:
        return {"open": plain(self._open)}


def _fold(cells: Columns, rules: npt.NDArray[np.int8], schema: pa.Schema) -> Columns:
    """Return a tick for each run of rows of one time and one taker's side."""
    first = changes(cells.time, rules)
    last = ends(first, len(cells))
    opened, price = cells.open[first], cells.price[last]
    high, low = _extremes(cells, first)
    size, notional = cells.size.sums(first), cells.notional.sums(first)
    time, ticks = cells.time[first], added(cells.ticks, first)
    rows = batch(
        schema,
        **words(cells.source, len(first)),
        timestamp=times(time),
        received=cells.received(last),
        trade_id=cells.first_ids(first),
        last_trade_id=cells.last_ids(last),
        tick_rule=pa.array(rules[first]),
        price=amount(price, schema, "price"),
        size=amount(size, schema, "size"),
        notional=amount(notional, schema, "notional"),
        open=amount(opened, schema, "open"),
        high=amount(high, schema, "high"),
        low=amount(low, schema, "low"),
        ticks=pa.array(ticks),
    )
    return Columns(rows, time, price, opened, high, low, size, notional, ticks)


def _extremes(cells: Columns, first: npt.NDArray[np.int64]) -> tuple[Array, Array]:
    """Return the highest and the lowest price of each run.

    Mostly the price stays what it is, so just the rows within runs that move it are looked at.
    """
    high, low = cells.high[first], cells.low[first]
    new = np.zeros(len(cells), bool)
    new[first] = True
    moved = (cells.high[1:] != cells.high[:-1]) | (cells.low[1:] != cells.low[:-1])
    rows = np.flatnonzero(moved & ~new[1:]) + 1
    if len(rows):
        runs = np.cumsum(new)[rows] - 1
        starts = changes(runs)
        at = runs[starts]
        high[at] = np.maximum(high[at], np.maximum.reduceat(cells.high[rows], starts))
        low[at] = np.minimum(low[at], np.minimum.reduceat(cells.low[rows], starts))
    return high, low


@hookimpl
def werks_transforms() -> Mapping[str, type]:
    """Offer `aggregate`."""
    return {"aggregate": Aggregate}
