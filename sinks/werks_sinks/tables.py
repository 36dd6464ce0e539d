"""One table a node, keyed by exchange, symbol, window and the row's number in it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from werks import schema as rows
from werks.components import Receipt, Window
from werks.errors import SinkError

from . import text
from .database import Database
from .disk import prune
from .gather import Parts
from .spool import Spool

_PIECE = 16_384
VERSIONS = sa.Table(
    "werks_tables",
    sa.MetaData(),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
)


class TableWriter:
    """Writes the rows of a sink's nodes, one table a node."""

    def __init__(self, database: Database, schemas: Mapping[str, pa.Schema]) -> None:
        _require_distinct(schemas)
        self._root = database.require_usable()
        self._database = database
        self._tables = {node: _table(node, schema) for node, schema in schemas.items()}
        self._versions = {node: rows.version(schema) for node, schema in schemas.items()}
        self._parts = Parts(schemas, lambda window, node: Spool(database.path.parent))
        with database.reading() as connection:
            if connection:
                for node in schemas:
                    self._is_there(connection, node)

    def write(self, window: Window, node: str, batch: pa.RecordBatch) -> None:
        """Take rows of a node for a window."""
        self._parts.write(window, node, batch)

    def commit(self, window: Window, nodes: Sequence[str]) -> Receipt:
        """Replace the window's rows in the tables of these nodes, all in one transaction."""
        spools = {node: self._parts.get(window, node) for node in nodes}
        with self._parts.unbroken():
            with self._database.writing() as connection:
                for node, spool in spools.items():
                    if not self._is_there(connection, node):
                        self._create(connection, node)
                    _replace(connection, self._tables[node], window, spool)
            for node in nodes:
                self._parts.forget(window, node)
        return {node: {"rows": spool.rows if spool else 0} for node, spool in spools.items()}

    def abort(self) -> None:
        """Throw away what was written and not committed."""
        self._parts.drop()

    def close(self) -> None:
        """Let go of the database; what was not committed is thrown away."""
        self.abort()
        self._database.close()
        prune(self._database.path.parent, self._root)

    def _is_there(self, connection: sa.Connection, node: str) -> bool:
        """Tell whether a node's table is there; SinkError if it is not as it ought to be."""
        inspector = sa.inspect(connection)
        if not inspector.has_table(node):
            return False
        found = None
        if inspector.has_table(VERSIONS.name):
            found = _version(connection, node)
        columns = [column["name"] for column in inspector.get_columns(node)]
        problem = ""
        if found is None:
            problem = "was not made by werks"
        elif found != self._versions[node]:
            problem = f"has version {found} of the rows, this werks writes {self._versions[node]}"
        elif columns != self._tables[node].columns.keys():
            problem = "has other columns"
        if problem:
            raise SinkError(
                f"{self._database.path}: the table {node} {problem}; "
                "drop it, name the node otherwise or set another path"
            )
        return True

    def _create(self, connection: sa.Connection, node: str) -> None:
        self._tables[node].create(connection)
        VERSIONS.create(connection, checkfirst=True)
        connection.execute(VERSIONS.delete().where(VERSIONS.c.name == node))
        connection.execute(VERSIONS.insert().values(name=node, version=self._versions[node]))


def count(database: Database, window: Window, node: str) -> int:
    """Return how many rows of a window a node's table has; 0 if there is no table."""
    with database.reading() as connection:
        if connection is None or not sa.inspect(connection).has_table(node):
            return 0
        table = sa.table(node, *map(sa.column, ("exchange", "symbol", "window")))
        query = sa.select(sa.func.count()).select_from(table).where(_key(table, window))
        return connection.execute(query).scalar_one()


def _require_distinct(schemas: Mapping[str, pa.Schema]) -> None:
    """Raise SinkError if nodes or columns collide; SQLite's names know no capitals."""
    tables = {VERSIONS.name: "a table of the sink's own"}
    for node, schema in schemas.items():
        taken = tables.setdefault(node.lower(), node)
        if taken != node:
            raise SinkError(f"{node}: {taken} has the same table name; name the node otherwise")
        if missing := {"exchange", "symbol"}.difference(schema.names):
            raise SinkError(f"{node}: its rows have no column {', '.join(sorted(missing))}")
        if taken_names := {"window", "n"}.intersection(map(str.lower, schema.names)):
            raise SinkError(f"{node}: the column {taken_names.pop()} is the sink's own; rename it")


def _table(node: str, schema: pa.Schema) -> sa.Table:
    key = ("exchange", "symbol", "window", "n")
    columns = [
        sa.Column(field.name, _type(field.type), nullable=field.name not in key) for field in schema
    ]
    window, n = (
        sa.Column("window", sa.Text, nullable=True),
        sa.Column("n", sa.Integer, nullable=False),
    )
    table = sa.Table(
        node, sa.MetaData(), *columns, window, n, sa.PrimaryKeyConstraint(*key, name=None)
    )
    # A key with a null in it keeps nothing apart, so the open rows have an index of their own.
    is_open = table.c.window.is_(None)
    columns = [table.c.exchange, table.c.symbol, table.c.n]
    sa.Index(f"werks_open_{node}", *columns, unique=True, sqlite_where=is_open)
    return table


def _type(of: pa.DataType) -> type[sa.types.TypeEngine[Any]]:
    if pa.types.is_integer(of) or pa.types.is_boolean(of):
        return sa.Integer
    return sa.REAL if pa.types.is_floating(of) else sa.Text


def _version(connection: sa.Connection, node: str) -> int | None:
    return connection.execute(
        sa.select(VERSIONS.c.version).where(VERSIONS.c.name == node)
    ).scalar_one_or_none()


def _key(table: sa.TableClause, window: Window) -> sa.ColumnElement[bool]:
    columns = table.c
    day = columns.window.is_(None) if window.day is None else columns.window == window.name
    return sa.and_(columns.exchange == window.exchange, columns.symbol == window.symbol, day)


def _replace(
    connection: sa.Connection, table: sa.Table, window: Window, spool: Spool | None
) -> None:
    """Delete a window's rows and put others in their place."""
    connection.execute(table.delete().where(_key(table, window)))
    if spool is None:
        return
    driver: Any = connection.connection.driver_connection
    day = window.day and window.name
    start = 0
    for batch in _pieces(spool.batches()):
        # A null given takes longer than any value, so columns without a value are left out.
        given = [name for name in batch.schema.names if batch[name].null_count < len(batch)]
        columns = [_values(batch[name]) for name in given]
        insert = table.insert().compile(connection, column_keys=[*given, "window", "n"])
        numbers = range(start, start + len(batch))
        # Handed to the driver itself: SQLAlchemy would copy each row.
        driver.executemany(str(insert), zip(*columns, repeat(day), numbers, strict=False))
        start += len(batch)


def _pieces(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield batches cut small: as Python's objects, rows take ten times their room."""
    for batch in batches:
        for start in range(0, len(batch), _PIECE):
            yield batch.slice(start, _PIECE)


def _values(column: pa.Array) -> list[Any]:
    """Return a column as Python's values, as SQLite is to have them."""
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
