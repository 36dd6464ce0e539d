"""Rows kept as plain values by INSERT: amounts and times as text, exactly, in any database."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from functools import lru_cache
from itertools import repeat
from typing import Any, ClassVar

import attrs
import pyarrow as pa
import sqlalchemy as sa

from werks.components import Window

from . import text
from .tables import is_window

_PIECE = 16_384
# These cannot have text without a limit in a key.
_LIMITED = ("mysql", "mariadb", "mssql", "oracle")


@attrs.frozen
class Inserting:
    """Amounts are text, times ISO 8601 text in UTC with nine digits, days text too.

    `by_driver` is whether rows are handed to SQLite's driver itself, which is several times faster.
    """

    tells_capitals: ClassVar[bool] = False
    longest_name: ClassVar[int] = 0
    dialect: str
    by_driver: bool = False

    def columns(self, field: pa.Field) -> Sequence[sa.Column[Any]]:
        """Return the column that keeps a column of the rows."""
        is_key = field.name in ("exchange", "symbol", "node")
        kind = _word() if is_key else _type(field.type)
        return [sa.Column(field.name, kind, nullable=not is_key)]

    def window(self) -> sa.Column[Any]:
        """Return the column that keeps the day as text."""
        return sa.Column("window", _word(), nullable=True)

    def day(self, window: Window) -> Any:
        """Return the day as text; None for the open remainder."""
        return window.day and window.name

    def date(self, day: Any) -> date | None:
        """Return the day that is kept as text."""
        return day and date.fromisoformat(day)

    def text(self, text: str | None) -> str | None:
        """Return a text as it is."""
        return text

    def original(self, text: str | None) -> str | None:
        """Return a text as it is."""
        return text

    def key(self, table: sa.Table, columns: Sequence[sa.Column[Any]]) -> None:
        """Make columns the key of a table; where `window` is null, the others are."""
        if self.dialect != "sqlite":  # in a primary key no other would take a null
            sa.Index(f"werks_key_{table.name}", *columns, unique=True)
            return
        table.append_constraint(sa.PrimaryKeyConstraint(*columns, name=None))
        # A key with a null in it keeps nothing apart, so the open rows have an index of their own.
        others = [column for column in columns if column.name != "window"]
        name, is_open = f"werks_open_{table.name}", table.c.window.is_(None)
        sa.Index(name, *others, unique=True, sqlite_where=is_open)

    def differs(self, column: sa.Column[Any], found: sa.types.TypeEngine[Any]) -> bool:
        """Tell that any column will do: plain values are converted, or refused by name."""
        return False

    def lock(self, connection: sa.Connection, name: str) -> None:
        """Leave it to the database, which knows no locks by name."""

    def put(
        self,
        connection: sa.Connection,
        table: sa.Table,
        window: Window,
        rows: tuple[int, Iterable[pa.RecordBatch]],
    ) -> None:
        """Add rows, given with the number of the first of them."""
        start, batches = rows
        for batch in _pieces(batches):
            # A null given takes longer than any value, so columns without a value are left out.
            given = [name for name in batch.schema.names if batch[name].null_count < len(batch)]
            columns = [_values(batch[name]) for name in given]
            numbers = range(start, start + len(batch))
            found = zip(*columns, repeat(self.day(window)), numbers, strict=False)
            self._insert(connection, table, [*given, "window", "n"], found)
            start += len(batch)

    def get(
        self, connection: sa.Connection, table: sa.TableClause, window: Window, schema: pa.Schema
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a window in their order."""
        chosen = [table.c[name] for name in schema.names]
        query = sa.select(*chosen).where(is_window(table, window, self)).order_by(table.c.n)
        found = connection.execution_options(stream_results=True).execute(query)
        for rows in found.partitions(_PIECE):
            columns = zip(*rows, strict=True)
            arrays = [_column(values, of.type) for values, of in zip(columns, schema, strict=True)]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    def _insert(
        self,
        connection: sa.Connection,
        table: sa.Table,
        names: Sequence[str],
        rows: Iterable[Sequence[Any]],
    ) -> None:
        if self.by_driver:  # SQLAlchemy would copy each row
            driver: Any = connection.connection.driver_connection
            driver.executemany(_statement(table, tuple(names), connection.dialect), rows)
        else:
            connection.execute(table.insert(), [dict(zip(names, row, strict=True)) for row in rows])


@lru_cache(maxsize=256)
def _statement(table: sa.Table, names: Sequence[str], dialect: sa.Dialect) -> str:
    """Return the words that insert a row; kept, as each segment needs them."""
    return str(table.insert().compile(dialect=dialect, column_keys=list(names)))


def _word() -> sa.types.TypeEngine[Any]:
    return sa.Text().with_variant(sa.String(255), *_LIMITED)


def _type(of: pa.DataType) -> sa.types.TypeEngine[Any]:
    if pa.types.is_integer(of) or pa.types.is_boolean(of):
        return sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.REAL() if pa.types.is_floating(of) else sa.Text()


def _pieces(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield batches cut small: as Python's objects, rows take ten times their room."""
    for batch in batches:
        for start in range(0, len(batch), _PIECE):
            yield batch.slice(start, _PIECE)


def _values(column: pa.Array) -> list[Any]:
    """Return a column as Python's values, as they are to be kept."""
    if pa.types.is_decimal(column.type):
        column = text.amounts(column)
    elif pa.types.is_timestamp(column.type):
        column = text.times(column)
    elif pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    elif pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    if not pa.types.is_integer(column.type) or not column.null_count:
        return column.to_numpy(zero_copy_only=False).tolist()  # type: ignore[no-any-return]
    values = column.fill_null(0).to_numpy().astype(object)
    values[column.is_null().to_numpy(zero_copy_only=False)] = None
    return values.tolist()  # type: ignore[no-any-return]


def _column(values: Sequence[Any], of: pa.DataType) -> pa.Array:
    """Return a column out of values as they are kept."""
    if pa.types.is_decimal(of) or pa.types.is_timestamp(of) or pa.types.is_dictionary(of):
        return pa.array(values, pa.string()).cast(of)
    if pa.types.is_boolean(of):
        return pa.array(values, pa.int8()).cast(of)
    return pa.array(values, of)
