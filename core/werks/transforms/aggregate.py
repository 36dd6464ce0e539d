"""Fold the fills of one order into one tick."""

from collections.abc import Iterator, Mapping
from typing import ClassVar

import attrs
import numpy as np
import pyarrow as pa

from ..amounts import sums
from ..components import Seam, State, Step
from ..hookspecs import hookimpl
from ..schema import batch, empty, nanoseconds, scales, schema, times
from .columns import amount, changes, columns, ends, only, plain, restored, taken, words


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
        ticks = _fold(rows, self._schema)
        if len(ticks) and self._open is not None:
            # The open tick and the first new one are one tick or two.
            seam = _fold(pa.concat_batches([self._open, ticks.slice(0, 1)]), self._schema)
            if len(seam) == len(ticks) == 1:
                self._open = seam
                return
            # As one batch: what comes after costs more for a batch than for a row.
            ticks = pa.concat_batches([seam, ticks.slice(1)])
        if len(ticks):
            yield ticks.slice(0, len(ticks) - 1)
            self._open = ticks.slice(len(ticks) - 1)

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


def _fold(rows: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return a tick for each run of rows of one time and one taker's side."""
    cells = columns(rows)
    rows = cells.source
    rule = rows["tick_rule"].to_numpy()
    first = changes(cells.time, rule)
    last = ends(first, len(cells))
    if not len(first):
        return empty(schema)
    return batch(
        schema,
        **words(rows, len(first)),
        timestamp=times(cells.time[first]),
        received=taken(rows["received"], pa.array(last)),
        trade_id=cells.first_ids(first),
        last_trade_id=cells.last_ids(last),
        tick_rule=pa.array(rule[first]),
        price=amount(cells.price[last], schema, "price"),
        size=amount(sums(cells.size, first), schema, "size"),
        notional=amount(sums(cells.notional, first), schema, "notional"),
        open=amount(cells.open[first], schema, "open"),
        high=amount(np.maximum.reduceat(cells.high, first), schema, "high"),
        low=amount(np.minimum.reduceat(cells.low, first), schema, "low"),
        ticks=pa.array(np.add.reduceat(cells.ticks, first)),
    )


@hookimpl
def werks_transforms() -> Mapping[str, type]:
    """Offer `aggregate`."""
    return {"aggregate": Aggregate}
