"""Exact amounts as 64-bit floats, for those who want them so."""

import pyarrow as pa

from . import text


def schema(of: pa.Schema) -> pa.Schema:
    """Return a schema with floats in place of decimals, its metadata kept."""
    fields = [f.with_type(pa.float64()) if pa.types.is_decimal(f.type) else f for f in of]
    return pa.schema(fields, metadata=of.metadata)


def batch(of: pa.RecordBatch) -> pa.RecordBatch:
    """Return rows with the nearest float in place of each decimal."""
    # By way of text: Arrow's own cast misses the nearest float in a third of ordinary amounts.
    columns = [
        text.amounts(column).cast(pa.float64()) if pa.types.is_decimal(column.type) else column
        for column in of.columns
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema(of.schema))


def amounts(column: pa.Array, of: pa.DataType) -> pa.Array:
    """Return the decimals of fewest digits whose nearest floats these are: up to 15, what was kept.

    Floats that no decimal of this scale is kept as give the nearest ones.
    """
    try:
        return column.cast(pa.string()).cast(of)
    except pa.ArrowInvalid:
        return column.cast(of)
