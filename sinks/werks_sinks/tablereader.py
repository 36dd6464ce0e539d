"""What is in the tables of a sink: rows, their number, and their proofs."""

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
import sqlalchemy as sa

from werks.components import Proof, Receipt, Window
from werks.errors import SinkError

from .database import Database
from .tables import RECEIPTS, is_window, proven, tables

_KEY = ("exchange", "symbol", "window")
_PROOF = ("node", *_KEY, "rows", "first_id", "last_id", "hash")
# What is raised where a value is none that our rows or proofs can have.
_DAMAGE = (pa.ArrowException, LookupError, OverflowError, TypeError, ValueError)


def holds(database: Database, window: Window, node: str, receipt: Receipt) -> bool:
    """Tell whether a window has as many rows as its receipt says, and its proof if it has one."""
    part = receipt.get(node)
    if part is None:
        return False
    rows, proof = 0, None
    with database.reading() as connection:
        there = _there(connection, database)
        if connection is not None and node in there:
            table = _table(database, node, *_KEY)
            count = sa.select(sa.func.count()).select_from(table)
            rows = connection.scalar(count.where(is_window(table, window, database.way))) or 0
        if connection is not None and RECEIPTS in there:
            kept = _table(database, RECEIPTS, *_PROOF)
            query = sa.select(kept.c.hash).where(is_window(kept, window, database.way))
            proof = connection.scalar(query.where(kept.c.node == node))
    return rows == int(part["rows"]) and ("hash" not in part or part["hash"] == proof)


def proofs(database: Database, node: str) -> Iterator[tuple[Window, Proof | None]]:
    """Yield all windows of a node, each with its proof, if it has one, in order."""
    found: dict[Window, Proof | None] = {}
    with database.reading() as connection:
        there = _there(connection, database)
        if connection is not None and node in there:
            table = _table(database, node, *_KEY)
            for row in connection.execute(sa.select(table).distinct()):
                found[_window(database, row)] = None
        if connection is not None and RECEIPTS in there:
            kept = _table(database, RECEIPTS, *_PROOF, sa.column("sums", sa.JSON))
            with _damage_named(database, f"{RECEIPTS}, {node}"):
                for row in connection.execute(sa.select(kept).where(kept.c.node == node)):
                    found[_window(database, row)] = proven(database.way, row)
    yield from sorted(found.items(), key=lambda item: _order(item[0]))


def read(
    database: Database, window: Window, node: str, schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a window in their order; none where there is no table.

    SinkError, naming table and window, if there are values that no row can have.
    """
    with database.reading() as connection:
        if connection is not None and node in _there(connection, database):
            table = tables({node: schema}, database.way, database.schema).nodes[node]
            where = f"{node}, {window.exchange} {window.symbol} {window.name}"
            with _damage_named(database, where):
                yield from database.way.get(connection, table, window, schema)


@contextmanager
def _damage_named(database: Database, where: str) -> Iterator[None]:
    """Turn an error of values that are none of ours into a SinkError that says where they are."""
    try:
        yield
    except _DAMAGE as error:
        raise SinkError(
            f"{database.name}: {where} is damaged: {' '.join(str(error).split())}; "
            "delete these rows, then run again to have them written anew"
        ) from error


def _there(connection: sa.Connection | None, database: Database) -> set[str]:
    """Return the names of all tables."""
    if connection is None:
        return set()
    return set(sa.inspect(connection).get_table_names(database.schema))


def _table(
    database: Database, name: str, *columns: str | sa.ColumnClause[object]
) -> sa.TableClause:
    """Return a table by as many of its columns as are needed."""
    made = [sa.column(each) if isinstance(each, str) else each for each in columns]
    return sa.table(name, *made, schema=database.schema)


def _window(database: Database, row: sa.Row[tuple[str, ...]]) -> Window:
    way = database.way
    exchange, symbol = way.original(row.exchange), way.original(row.symbol)
    return Window(exchange or "", symbol or "", way.date(row.window))


def _order(window: Window) -> tuple[str, str, bool, str]:
    """Sort by exchange and symbol, then by day, the open remainder last."""
    return window.exchange, window.symbol, window.day is None, window.name
