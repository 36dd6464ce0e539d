"""What must be true of every row, by its kind; a rule marks the rows of which it is not."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ..schema import nanoseconds

Mask = npt.NDArray[np.bool_]
Broken = Iterator[tuple[str, Mask]]
_POSITIVE = {
    "TRADE": ("price", "size"),
    "TICK": ("price", "open", "high", "low", "size"),
    "SIGNIFICANT": ("price", "open", "high", "low", "total_size"),
    "BAR": ("open", "high", "low", "close"),
    "CANDLE": ("open", "high", "low", "close"),
}
_PARTS = {
    "SIGNIFICANT": ("total_buy_size", "total_buy_notional", "total_buy_ticks"),
    "BAR": ("buy_volume", "buy_notional", "buy_ticks"),
}
_NAMED = ("TRADE", "TICK", "SIGNIFICANT")
# What a row's notional lies between, in what size: for the check of units, which is no sum.
_UNITS = {
    "TRADE": ("price", "price", "size", "notional"),
    "TICK": ("low", "high", "size", "notional"),
    "SIGNIFICANT": ("low", "high", "total_size", "total_notional"),
    "BAR": ("low", "high", "volume", "notional"),
}
# Exchanges round sizes to the eighth digit at the coarsest, and amounts of a fill a little.
_ROUNDED, _SLACK = 1e-8, 1e-3


def broken(batch: pa.RecordBatch, kind: str) -> Broken:
    """Yield (what is wrong, which rows) for each rule of a kind of rows."""
    if kind in _NAMED:
        yield (
            "rows without a trade id",
            _true(pc.fill_null(pc.equal(batch["trade_id"], _text("")), True)),
        )
    ordinary = _ordinary(batch)
    for name in _POSITIVE.get(kind, ()):
        zero = pc.less_equal(batch[name], _zero(batch[name].type))
        yield f"rows with a {name} that is not above 0", _true(zero) & ordinary
    yield from _extremes(batch)
    for name in _PARTS.get(kind, ()):
        whole = name.replace("buy_", "")
        yield f"rows with a {name} above {whole}", _true(pc.greater(batch[name], batch[whole]))
    if kind == "BAR":
        backwards = nanoseconds(batch["end"]) < nanoseconds(batch["timestamp"])
        yield "bars that end before they begin", np.asarray(backwards, bool)


def _extremes(batch: pa.RecordBatch) -> Broken:
    names = set(batch.schema.names)
    if not {"high", "low"} <= names:
        return
    for name in sorted({"open", "close", "price"} & names):
        for edge, beyond in (("low", pc.less), ("high", pc.greater)):
            side = "below" if edge == "low" else "above"
            yield f"rows with {name} {side} {edge}", _true(beyond(batch[name], batch[edge]))


def units(batch: pa.RecordBatch, kind: str) -> tuple[Mask, Mask] | None:
    """Return which rows' notional is not price × size, and in which size and notional are swapped.

    Floats are good enough: what is looked for is off by far more than a rounding.
    """
    if kind not in _UNITS:
        return None
    low, high, size, notional = (_float(batch[name]) for name in _UNITS[kind])
    return _off(low, high, size, notional), ~_off(low, high, notional, size)


def _off(low: Any, high: Any, size: Any, notional: Any) -> Mask:
    slack = _SLACK * np.abs(notional) + _ROUNDED * (1 + high)
    wrong = (notional < low * size - slack) | (notional > high * size + slack)
    return np.asarray(wrong, bool)  # null is nowhere wrong: no comparison with NaN is true


def _float(column: pa.Array) -> npt.NDArray[np.float64]:
    found: npt.NDArray[np.float64] = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return found


def _ordinary(batch: pa.RecordBatch) -> Mask:
    """Return the rows without a flag: settlements and the like may be at any price."""
    if "flag" not in batch.schema.names:
        return np.ones(len(batch), bool)
    return _true(batch["flag"].is_null())


def _true(marks: pa.Array) -> Mask:
    found: Mask = pc.fill_null(marks, False).to_numpy(zero_copy_only=False)
    return found


def _text(text: str) -> pa.Scalar:
    return pa.scalar(text, pa.string())


def _zero(kind: pa.DataType) -> pa.Scalar:
    return pa.scalar(Decimal(0) if pa.types.is_decimal(kind) else 0.0, kind)
