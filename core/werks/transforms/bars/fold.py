"""Rows folded into bars, whatever decides where a bar ends."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ...amounts import from_ints, ints, limbs, sums
from ...schema import VARIANCE_SCALE, batch, times
from ..columns import Array, Columns, amount, ends, words

_INT64 = 2**63 - 1


def fold(cells: Columns, first: npt.NDArray[np.int64], schema: pa.Schema) -> pa.RecordBatch:
    """Return a complete bar for each group of rows; `timestamp` and `end` are its trades' times."""
    last = ends(first, len(cells))
    terms = variances(cells.price)
    terms[first] = 0
    return batch(
        schema,
        **words(cells.source, len(first)),
        timestamp=times(cells.time[first]),
        end=times(cells.time[last]),
        open=amount(cells.open[first], schema, "open"),
        high=amount(np.maximum.reduceat(cells.high, first), schema, "high"),
        low=amount(np.minimum.reduceat(cells.low, first), schema, "low"),
        close=amount(cells.price[last], schema, "close"),
        volume=amount(sums(cells.size, first), schema, "volume"),
        notional=amount(sums(cells.notional, first), schema, "notional"),
        buy_volume=amount(sums(cells.buy_size, first), schema, "buy_volume"),
        buy_notional=amount(sums(cells.buy_notional, first), schema, "buy_notional"),
        ticks=pa.array(np.add.reduceat(cells.ticks, first)),
        buy_ticks=pa.array(np.add.reduceat(cells.buy_ticks, first)),
        realized_variance=amount(sums(from_ints(terms), first), schema, "realized_variance"),
        first_trade_id=cells.first_ids(first),
        last_trade_id=cells.last_ids(last),
        complete=pa.array(np.ones(len(first), bool)),
    )


def variances(price: Array) -> Array:
    """Return each row's squared log return over the row before, in units of 10**-18.

    The first row has none, nor has a row beside a price that is not above 0: 0. Each term is
    rounded by itself, so that their sum does not depend on how the rows were cut.
    """
    terms: Array = np.zeros(len(price), np.int64)
    moved = np.flatnonzero(price[1:] != price[:-1])
    lower = np.minimum(price[moved], price[moved + 1])
    moved, lower = moved[lower > 0], lower[lower > 0]
    if not len(moved):
        return terms
    # Counted from the lower price, so that a deep fall loses no digits.
    step = np.abs(price[moved + 1] - price[moved]).astype(np.float64)
    squared = np.rint(np.log1p(step / lower.astype(np.float64)) ** 2 * 10.0**VARIANCE_SCALE)
    if squared.max() > _INT64:  # one trade at twenty times the price of the one before
        terms = terms.astype(object)
        terms[moved + 1] = [int(term) for term in squared]
    else:
        terms[moved + 1] = squared.astype(np.int64)
    return terms


def join(one: pa.RecordBatch, other: pa.RecordBatch, price: int) -> pa.RecordBatch:
    """Return the bar that two bars of one row make; `price` is that of the other's first row."""
    both = pa.concat_batches([one, other])
    start = np.zeros(1, np.int64)
    left, right = pa.array([0], pa.int64()), pa.array([1], pa.int64())
    between = np.array([int(ints(limbs(one["close"]))[0]), int(price)], dtype=object)
    cross = from_ints(variances(between)[1:])
    variance = sums(np.concatenate([limbs(both["realized_variance"]), cross]), start)
    schema = both.schema

    def added(name: str) -> pa.Array:
        return amount(sums(limbs(both[name]), start), schema, name)

    def most(name: str, choose: Any) -> pa.Array:
        return amount(choose.reduceat(ints(limbs(both[name])), start), schema, name)

    return batch(
        schema,
        exchange=both["exchange"].take(left),
        symbol=both["symbol"].take(left),
        timestamp=both["timestamp"].take(left),
        end=both["end"].take(right),
        open=both["open"].take(left),
        high=most("high", np.maximum),
        low=most("low", np.minimum),
        close=both["close"].take(right),
        volume=added("volume"),
        notional=added("notional"),
        buy_volume=added("buy_volume"),
        buy_notional=added("buy_notional"),
        ticks=pa.array([pc.sum(both["ticks"]).as_py()], pa.int64()),
        buy_ticks=pa.array([pc.sum(both["buy_ticks"]).as_py()], pa.int64()),
        realized_variance=amount(variance, schema, "realized_variance"),
        first_trade_id=both["first_trade_id"].take(left),
        last_trade_id=both["last_trade_id"].take(right),
        complete=pa.array([pc.all(both["complete"]).as_py()], pa.bool_()),
    )
