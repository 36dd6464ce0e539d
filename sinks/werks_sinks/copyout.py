"""Rows read back by COPY, as CSV, which pyarrow reads; in binary too they come one by one."""

import io
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import sqlalchemy as sa

from werks.components import Window
from werks.schema import word

from .escapes import restore

_ROWS = 1 << 16
_KEY = ("exchange", "symbol")
_INTEGERS = pa.int64()


def chosen(table: sa.TableClause, of: pa.Field) -> list[sa.ColumnElement[Any]]:
    """Return what is asked for of a column of the rows; nothing for what a window says already."""
    if of.name in _KEY:
        return []
    column = table.c[of.name]
    if not pa.types.is_timestamp(of.type):
        return [column]
    # Up to PostgreSQL 13 EXTRACT gives a float, which holds seconds exactly, and microseconds of
    # a minute, but not both at once.
    seconds = sa.cast(sa.extract("epoch", sa.func.date_trunc("second", column)), sa.BigInteger)
    micros = sa.cast(sa.extract("microseconds", column), sa.BigInteger)
    return [seconds * 1_000_000 + micros % 1_000_000, table.c[f"{of.name}_ns"]]


def rows(connection: sa.Connection, query: sa.Select[Any]) -> Iterator[bytes]:
    """Yield the rows of a query as CSV, so many at a time."""
    compiled = query.compile(connection)
    statement = f"COPY ({compiled}) TO STDOUT (FORMAT csv)"
    driver: Any = connection.connection.driver_connection
    found, count = bytearray(), 0
    with driver.cursor() as cursor, cursor.copy(statement, compiled.params) as copy:
        for row in copy:
            found += row
            count += 1
            if count == _ROWS:
                yield bytes(found)
                found, count = bytearray(), 0
    if count:
        yield bytes(found)


def batch(found: bytes, window: Window, schema: pa.Schema) -> pa.RecordBatch:
    """Return rows that came as CSV; the first column, their numbers, is left out."""
    types = _types(schema)
    table = pyarrow.csv.read_csv(
        io.BytesIO(found),
        read_options=pyarrow.csv.ReadOptions(
            use_threads=False, column_names=list(types), block_size=len(found) + 1
        ),
        # With only one block, and all of it there, line breaks within values cost nothing.
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=types,
            null_values=[""],
            true_values=["t"],
            false_values=["f"],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
    (whole,) = table.to_batches()
    columns = [_column(whole, of, window) for of in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _types(schema: pa.Schema) -> dict[str, pa.DataType]:
    types = {"n": _INTEGERS}
    for of in schema:
        if of.name in _KEY:
            continue
        if pa.types.is_timestamp(of.type):
            types |= {of.name: _INTEGERS, f"{of.name}_ns": _INTEGERS}
        else:
            types[of.name] = of.type.value_type if pa.types.is_dictionary(of.type) else of.type
    return types


def _column(whole: pa.RecordBatch, of: pa.Field, window: Window) -> pa.Array:
    if of.name in _KEY:
        return word(getattr(window, of.name), len(whole)).cast(of.type)
    column = whole[of.name]
    if pa.types.is_timestamp(of.type):
        return _times(column, whole[f"{of.name}_ns"]).cast(of.type)
    if pa.types.is_string(column.type):
        column = restore(column)
    return column.cast(of.type)


def _times(micros: pa.Array, rest: pa.Array) -> pa.Array:
    """Return times out of microseconds and of the nanoseconds that they leave out."""
    size = pa.scalar(1000, pa.int64())
    whole = pc.add_checked(pc.multiply_checked(micros, size), rest.fill_null(0))
    return whole.view(pa.timestamp("ns", tz="UTC"))
