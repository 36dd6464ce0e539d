"""Fold the fills of one order into one tick."""

import operator
from collections.abc import Iterator, Mapping
from typing import ClassVar

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..amounts import added
from ..components import Seam, State, Step
from ..hookspecs import hookimpl
from ..schema import scales, schema
from .carry import Folded, How, Layout, batch_of, earlier, later, merged, parted, plain, restored
from .columns import Columns, changes, columns, ends, only, remember, words
from .variance import Array

_HOW: How = {
    **dict.fromkeys(("exchange", "symbol", "timestamp", "trade_id", "tick_rule", "open"), earlier),
    **dict.fromkeys(("received", "last_trade_id", "price"), later),
    **dict.fromkeys(("size", "notional", "ticks"), operator.add),
    "high": max,
    "low": min,
}


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
        self._layout = Layout(schema)
        self._open = restored(schema, (state or {}).get("open"))

    def push(self, rows: pa.RecordBatch, node: str) -> Iterator[pa.RecordBatch]:
        cells = columns(rows)
        if not len(cells):
            return
        ticks = _fold(cells, self._layout)
        head, same = self._open, False
        if head is not None:
            one = ticks.row(0)
            same = all(head[name] == one[name] for name in ("timestamp", "tick_rule"))
            head = merged(head, one, _HOW) if same else head
        over, self._open = parted(ticks, head, int(same), closed=False)
        if over:
            yield remember(_columns(over))

    def advance(self, time: int) -> Iterator[pa.RecordBatch]:
        if self._open is not None and self._open["timestamp"] < time:
            yield from self.flush()
            self._open = None

    def cut(self) -> Iterator[pa.RecordBatch]:
        yield from self.flush()
        self._open = None

    def flush(self) -> Iterator[pa.RecordBatch]:
        if self._open is not None:
            yield batch_of(self._layout, self._open)

    def state(self) -> State:
        return {"open": plain(self._layout.schema, self._open)}


def _fold(cells: Columns, layout: Layout) -> Folded:
    """Return a tick for each run of rows of one time and one taker's side."""
    rules = cells.source["tick_rule"].to_numpy()
    begins = changes(cells.time, rules)
    lasts = ends(begins, len(cells))
    high, low = _extremes(cells, begins)
    columns = words(cells.source) | {
        "timestamp": cells.time[begins],
        "received": cells.received(lasts),
        "trade_id": cells.first_ids(begins),
        "last_trade_id": cells.last_ids(lasts),
        "tick_rule": rules[begins],
        "price": cells.price[lasts],
        "size": cells.size.sums(begins),
        "notional": cells.notional.sums(begins),
        "open": cells.open[begins],
        "high": high,
        "low": low,
        "ticks": added(cells.ticks, begins),
    }
    return Folded(layout, columns)


def _columns(ticks: Folded) -> Columns:
    """Return ticks as a batch and the arrays behind it."""
    return Columns(
        source=ticks.batch(),
        time=ticks["timestamp"],
        **{name: ticks[name] for name in ("price", "open", "high", "low")},
        **{name: ticks[name] for name in ("size", "notional", "ticks")},
    )


def _extremes(cells: Columns, begins: npt.NDArray[np.int64]) -> tuple[Array, Array]:
    """Return the highest and the lowest price of each run.

    Mostly the price stays what it is, so just the rows within runs that move it are looked at.
    """
    high, low = cells.high[begins], cells.low[begins]
    new = np.zeros(len(cells), bool)
    new[begins] = True
    moved = cells.high[1:] != cells.high[:-1]
    if cells.low is not cells.high:
        moved |= cells.low[1:] != cells.low[:-1]
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
