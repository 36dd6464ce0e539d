"""Rows folded into bars, whatever decides where a bar ends."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ...amounts import INT64_MAX, added, at, single
from ...schema import batch, times
from ..columns import Columns, amount, ends, words
from ..variance import variances

_SUMS = ("volume", "notional", "buy_volume", "buy_notional", "realized_variance")


def fold(cells: Columns, first: npt.NDArray[np.int64], schema: pa.Schema) -> pa.RecordBatch:
    """Return a complete bar for each group of rows; `timestamp` and `end` are its trades' times."""
    last = ends(first, len(cells))
    moved = np.ones(len(cells), bool)
    moved[first] = False  # a bar's first trade has none before it in the bar
    return batch(
        schema,
        **words(cells.source, len(first)),
        timestamp=times(cells.time[first]),
        end=times(cells.time[last]),
        open=amount(cells.open[first], schema, "open"),
        high=amount(np.maximum.reduceat(cells.high, first), schema, "high"),
        low=amount(np.minimum.reduceat(cells.low, first), schema, "low"),
        close=amount(cells.price[last], schema, "close"),
        volume=amount(cells.size.sums(first), schema, "volume"),
        notional=amount(cells.notional.sums(first), schema, "notional"),
        buy_volume=amount(cells.buy_size.sums(first), schema, "buy_volume"),
        buy_notional=amount(cells.buy_notional.sums(first), schema, "buy_notional"),
        ticks=pa.array(added(cells.ticks, first)),
        buy_ticks=pa.array(added(cells.buy_ticks, first)),
        realized_variance=amount(
            cells.variances.where(moved).sums(first), schema, "realized_variance"
        ),
        first_trade_id=cells.first_ids(first),
        last_trade_id=cells.last_ids(last),
        complete=pa.array(np.ones(len(first), bool)),
    )


def join(one: pa.RecordBatch, other: pa.RecordBatch, price: int) -> pa.RecordBatch:
    """Return the bar that two bars of one row make; `price` is that of the other's first row."""
    schema = other.schema
    # Told the type: of integers that differ much NumPy would make floats.
    between = [_number(one, "close"), int(price)]
    kind = np.int64 if max(map(abs, between)) <= INT64_MAX else object
    cross = int(variances(np.array(between, kind))[1])
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
    scales = {name: other[name].type.scale for name in numbers}
    complete = one["complete"][0].as_py() and other["complete"][0].as_py()
    return batch(
        schema,
        **kept,
        **counts,
        **{name: single(number, scales[name]) for name, number in numbers.items()},
        first_trade_id=one["first_trade_id"],
        complete=pa.array([complete], pa.bool_()),
    )


def _number(bar: pa.RecordBatch, name: str) -> int:
    """Return an amount of a bar of one row as an integer in units of its scale."""
    return at(bar[name], 0)
