"""The shapes of the rows that move through a pipeline, as Arrow schemas.

Amounts are `decimal128(38, scale)`. A source fixes its scales once, for its market: prices have
`price` digits after the point, sizes `size`, notionals `price + size`, so that the product of a
price and a size is exact. `size` is the base quantity, `notional` the quote value; `tick_rule` is
+1 when the taker bought, −1 when the taker sold, 0 when that is unknown.
"""

from functools import lru_cache
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from .kinds import KINDS, RATE_SCALE, TIME, VARIANCE_SCALE, WORD, Scales

__all__ = [
    "RATE_SCALE",
    "TIME",
    "VARIANCE_SCALE",
    "VERSION",
    "WORD",
    "Scales",
    "batch",
    "empty",
    "kind",
    "nanoseconds",
    "same",
    "scales",
    "schema",
    "times",
    "version",
    "word",
]

VERSION = 1
# Columns of a word that are so short are cut from one that is kept, of so many texts at most.
_SHORT, _TEXTS = 256, 4096
_KIND, _VERSION = b"werks.schema", b"werks.version"


def schema(kind: str, scales: Scales) -> pa.Schema:
    """Return the schema of a kind of rows: `TRADE`, `TICK`, `SIGNIFICANT`, `BAR`, `CANDLE`, ….

    A candle's `interval` is text as in `every` ("1m"), that of `FUNDING` is in seconds. `kind` of
    an `INSTRUMENT` is `spot`, `perpetual`, `future`, `option` or `index`; `status` is `trading` or
    the exchange's own word. `tick_rule` of a `LIQUIDATION` is the side of its order: +1 bought.
    """
    metadata = {_KIND: kind.encode(), _VERSION: str(VERSION).encode()}
    return pa.schema(list(KINDS[kind](scales).items()), metadata=metadata)


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
    return _short(text).slice(0, rows) if rows <= _SHORT else _repeated(text, rows)


@lru_cache(_TEXTS)
def _short(text: str) -> pa.DictionaryArray:
    return _repeated(text, _SHORT)


def _repeated(text: str, rows: int) -> pa.DictionaryArray:
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
