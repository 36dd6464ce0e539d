"""The shapes of the rows that move through a pipeline, as Arrow schemas.

Amounts are `decimal128(38, scale)`. A source fixes its scales once, for its market: prices have
`price` digits after the point, sizes `size`, notionals `price + size`, so that the product of a
price and a size is exact. `size` is the base quantity, `notional` the quote value; `tick_rule` is
+1 when the taker bought, −1 when the taker sold, 0 when that is unknown.
"""

from collections.abc import Callable, Mapping
from typing import Any, cast

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

VERSION = 1
VARIANCE_SCALE = RATE_SCALE = 18
TIME = pa.timestamp("ns", tz="UTC")
WORD = pa.dictionary(pa.int32(), pa.string())
_KIND, _VERSION = b"werks.schema", b"werks.version"


@attrs.frozen
class Scales:
    """How many digits after the point the prices and sizes of a market have at most."""

    price: int
    size: int

    @property
    def notional(self) -> int:
        """The digits that the product of a price and a size can have."""
        return self.price + self.size


def _amount(scale: int) -> pa.DataType:
    return pa.decimal128(38, scale)


def _trade(scales: Scales) -> dict[str, pa.DataType]:
    price, size, notional = map(_amount, (scales.price, scales.size, scales.notional))
    return {
        "exchange": WORD,
        "symbol": WORD,
        "timestamp": TIME,
        "received": TIME,
        "trade_id": pa.string(),
        "tick_rule": pa.int8(),
        "price": price,
        "size": size,
        "notional": notional,
        "flag": pa.string(),
    }


def _tick(scales: Scales) -> dict[str, pa.DataType]:
    price, size, notional = map(_amount, (scales.price, scales.size, scales.notional))
    return {
        "exchange": WORD,
        "symbol": WORD,
        "timestamp": TIME,
        "received": TIME,
        "trade_id": pa.string(),
        "last_trade_id": pa.string(),
        "tick_rule": pa.int8(),
        "price": price,
        "size": size,
        "notional": notional,
        "open": price,
        "high": price,
        "low": price,
        "ticks": pa.int64(),
    }


def _significant(scales: Scales) -> dict[str, pa.DataType]:
    size, notional = map(_amount, (scales.size, scales.notional))
    return _tick(scales) | {
        "total_size": size,
        "total_buy_size": size,
        "total_notional": notional,
        "total_buy_notional": notional,
        "total_ticks": pa.int64(),
        "total_buy_ticks": pa.int64(),
    }


def _bar(scales: Scales) -> dict[str, pa.DataType]:
    price, size, notional = map(_amount, (scales.price, scales.size, scales.notional))
    return {
        "exchange": WORD,
        "symbol": WORD,
        "timestamp": TIME,
        "end": TIME,
        "open": price,
        "high": price,
        "low": price,
        "close": price,
        "volume": size,
        "notional": notional,
        "buy_volume": size,
        "buy_notional": notional,
        "ticks": pa.int64(),
        "buy_ticks": pa.int64(),
        "realized_variance": _amount(VARIANCE_SCALE),
        "first_trade_id": pa.string(),
        "last_trade_id": pa.string(),
        "complete": pa.bool_(),
    }


def _candle(scales: Scales) -> dict[str, pa.DataType]:
    price, size, notional = map(_amount, (scales.price, scales.size, scales.notional))
    return {
        "exchange": WORD,
        "symbol": WORD,
        "timestamp": TIME,
        "interval": WORD,
        "open": price,
        "high": price,
        "low": price,
        "close": price,
        "volume": size,
        "notional": notional,
        "trades": pa.int64(),
    }


def _check(scales: Scales) -> dict[str, pa.DataType]:
    return {
        "exchange": WORD,
        "symbol": WORD,
        "timestamp": TIME,
        "field": pa.string(),
        "ours": pa.string(),
        "theirs": pa.string(),
        "reason": pa.string(),
    }


def _open_interest(scales: Scales) -> dict[str, pa.DataType]:
    return {
        "exchange": WORD,
        "symbol": WORD,
        "timestamp": TIME,
        "received": TIME,
        "open_interest": _amount(scales.size),
        "open_interest_notional": _amount(scales.notional),
    }


def _funding(scales: Scales) -> dict[str, pa.DataType]:
    return {
        "exchange": WORD,
        "symbol": WORD,
        "timestamp": TIME,
        "received": TIME,
        "rate": _amount(RATE_SCALE),
        "interval": pa.int64(),
        "mark_price": _amount(scales.price),
    }


def _instrument(scales: Scales) -> dict[str, pa.DataType]:
    step = _amount(RATE_SCALE)
    return {
        "exchange": WORD,
        "symbol": WORD,
        "timestamp": TIME,
        "kind": pa.string(),
        "status": pa.string(),
        "base": pa.string(),
        "quote": pa.string(),
        "settle": pa.string(),
        "tick_size": step,
        "lot_size": step,
        "min_size": step,
        "min_notional": step,
        "contract_value": step,
        "inverse": pa.bool_(),
        "listed": TIME,
        "expiry": TIME,
    }


_KINDS: Mapping[str, Callable[[Scales], dict[str, pa.DataType]]] = {
    "TRADE": _trade,
    "TICK": _tick,
    "SIGNIFICANT": _significant,
    "BAR": _bar,
    "CANDLE": _candle,
    "CHECK": _check,
    "OPEN_INTEREST": _open_interest,
    "FUNDING": _funding,
    "INSTRUMENT": _instrument,
}


def schema(kind: str, scales: Scales) -> pa.Schema:
    """Return the schema of a kind of rows: `TRADE`, `TICK`, `SIGNIFICANT`, `BAR`, `CANDLE`, ….

    A candle's `interval` is text as in `every` ("1m"), that of `FUNDING` is in seconds. `kind` of
    an `INSTRUMENT` is `spot`, `perpetual`, `future`, `option` or `index`; `status` is `trading` or
    the exchange's own word.
    """
    metadata = {_KIND: kind.encode(), _VERSION: str(VERSION).encode()}
    return pa.schema(list(_KINDS[kind](scales).items()), metadata=metadata)


def kind(of: pa.Schema) -> str:
    """Return the kind of rows that a schema describes; empty if it is not one of ours."""
    name: bytes = (of.metadata or {}).get(_KIND, b"")
    return name.decode()


def version(of: pa.Schema) -> int:
    """Return the version that a schema was written with; 0 if it is not one of ours."""
    return int((of.metadata or {}).get(_VERSION, b"0"))


def scales(of: pa.Schema) -> Scales:
    """Return the scales that a schema was made with."""
    price = "price" if "price" in of.names else "open"
    size = "size" if "size" in of.names else "volume"
    return Scales(of.field(price).type.scale, of.field(size).type.scale)


def word(text: str, rows: int) -> pa.DictionaryArray:
    """Return a column that holds one word in every row."""
    words = pa.array([text], pa.string())
    return pa.DictionaryArray.from_arrays(np.zeros(rows, np.int32), words, safe=False)


def same(column: pa.Array, text: str) -> npt.NDArray[np.bool_]:
    """Return which rows of a text column hold just this text; null does not."""
    # With a type: for an untyped scalar pyarrow looks for a module dateutil anew at each call.
    equal = pc.equal(column, pa.scalar(text, pa.string()))
    equal = pc.fill_null(equal, False) if equal.null_count else equal
    found: npt.NDArray[np.bool_] = equal.to_numpy(zero_copy_only=False)
    return found


def times(nanoseconds: npt.NDArray[np.int64]) -> pa.Array:
    """Return a timestamp column out of nanoseconds since 1970, UTC."""
    return pa.array(nanoseconds, pa.int64()).view(TIME)


def nanoseconds(column: pa.Array) -> npt.NDArray[np.int64]:
    """Return a timestamp column without nulls as nanoseconds since 1970, UTC, without a copy."""
    return cast(npt.NDArray[np.int64], column.view(pa.int64()).to_numpy())


def batch(of: pa.Schema, **columns: Any) -> pa.RecordBatch:
    """Return a record batch of a schema; a column that is left out is null in every row."""
    rows = len(next(iter(columns.values())))
    unknown = columns.keys() - set(of.names)
    if unknown:
        raise TypeError(f"{kind(of)} has no column {', '.join(sorted(unknown))}")
    arrays = []
    for field in of:
        given = columns.get(field.name)
        if given is None:
            given = pa.nulls(rows, field.type)
        elif not isinstance(given, pa.Array):
            given = pa.array(given, field.type)
        if pa.types.is_floating(given.type):  # which pyarrow would round without a word
            raise TypeError(f"{kind(of)}.{field.name}: {field.type} is expected, not {given.type}")
        arrays.append(given)
    return pa.RecordBatch.from_arrays(arrays, schema=of)


def empty(of: pa.Schema) -> pa.RecordBatch:
    """Return a batch without rows."""
    return pa.RecordBatch.from_arrays([pa.array([], field.type) for field in of], schema=of)
