"""Rows folded into bars, whatever decides where a bar ends."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ...amounts import from_ints, integer, limbs, pair, sums
from ...schema import VARIANCE_SCALE, batch, times
from ..columns import Array, Columns, amount, ends, words

_INT64 = 2**63 - 1
_SUMS = ("volume", "notional", "buy_volume", "buy_notional", "realized_variance")


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
    schema = other.schema
    # As Python's integers: NumPy would make floats of two that differ much.
    between = np.array([_number(one, "close"), int(price)], dtype=object)
    cross = int(variances(between)[1])
    added = {name: _number(one, name) + _number(other, name) for name in _SUMS}
    added["realized_variance"] += cross
    numbers = added | {
        "high": max(_number(one, "high"), _number(other, "high")),
        "low": min(_number(one, "low"), _number(other, "low")),
    }
    kept = {name: one[name] for name in ("exchange", "symbol", "timestamp", "open")}
    kept |= {name: other[name] for name in ("end", "close", "last_trade_id")}
    counts = {
        name: pa.array([one[name][0].as_py() + other[name][0].as_py()], pa.int64())
        for name in ("ticks", "buy_ticks")
    }
    complete = one["complete"][0].as_py() and other["complete"][0].as_py()
    return batch(
        schema,
        **kept,
        **counts,
        **{name: amount(pair(number), schema, name) for name, number in numbers.items()},
        first_trade_id=one["first_trade_id"],
        complete=pa.array([complete], pa.bool_()),
    )


def _number(bar: pa.RecordBatch, name: str) -> int:
    """Return an amount of a bar of one row as an integer in units of its scale."""
    return integer(limbs(bar[name])[0])
