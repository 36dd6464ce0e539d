"""Tables made where there are none, given the columns that they lack, and refused if foreign."""

from collections.abc import Mapping
from typing import Any

import attrs
import sqlalchemy as sa

from werks.errors import SinkError

from . import views
from .database import Database
from .tables import Tables

_CAN_DEDUPLICATE = (13,)


@attrs.frozen
class _There:
    """What there is: all tables and views, and of the nodes' tables versions and columns."""

    names: set[str]
    versions: Mapping[str, int]
    columns: Mapping[str, Mapping[str, sa.types.TypeEngine[Any]]]


def is_ready(connection: sa.Connection, tables: Tables, database: Database) -> bool:
    """Tell whether tables and views are as they ought to be; SinkError if a table is foreign."""
    there = _found(connection, tables)
    found = [table for node, table in tables.nodes.items() if node in there.columns]
    if any(_lacking(there, table, tables, database) for table in found):
        return False
    needed = {tables.receipts.name, *tables.nodes, *views.names(tables, connection.dialect)}
    return needed <= there.names and tables.versions.items() <= there.versions.items()


def prepare(connection: sa.Connection, tables: Tables, database: Database) -> None:
    """Make what is not there: schema, tables, columns, views; SinkError if a table is foreign."""
    # IF NOT EXISTS does not keep two apart that make the same thing at once.
    database.way.lock(connection, f"tables of {database.schema}")
    if database.schema and not sa.inspect(connection).has_schema(database.schema):
        connection.execute(sa.schema.CreateSchema(database.schema))
    there = _found(connection, tables)
    for own in (tables.made, tables.receipts):
        if own.name not in there.names:
            _create(connection, own)
    for node, table in tables.nodes.items():
        if node not in there.columns:
            _create(connection, table)
        else:
            for column in _lacking(there, table, tables, database):
                _add(connection, table, column)
        connection.execute(tables.made.delete().where(tables.made.c.name == node))
        connection.execute(tables.made.insert().values(name=node, version=tables.versions[node]))
    views.make(connection, tables)


def _found(connection: sa.Connection, tables: Tables) -> _There:
    inspector, place = sa.inspect(connection), tables.made.schema
    names = {*inspector.get_table_names(place), *inspector.get_view_names(place)}
    versions = _versions(connection, tables) if tables.made.name in names else {}
    nodes = [node for node in tables.nodes if node in names]
    found = inspector.get_multi_columns(place, filter_names=nodes) if nodes else {}
    columns = {
        table: {column["name"]: column["type"] for column in each}
        for (_, table), each in found.items()
    }
    return _There(names, versions, columns)


def _lacking(
    there: _There, table: sa.Table, tables: Tables, database: Database
) -> list[sa.Column[Any]]:
    """Return the columns that a table lacks; SinkError if it is not one that could be ours."""
    types = there.columns[table.name]
    lacking = [column for column in table.c if column.name not in types]
    found, ours = there.versions.get(table.name), tables.versions[table.name]
    other = [column.name for column in table.c if _differs(column, types, database)]
    problem = ""
    if found is None:
        problem = "was not made by werks"
    elif found > ours:
        problem = f"has version {found} of the rows, this werks writes {ours}"
    elif types.keys() - table.c.keys() or not all(column.nullable for column in lacking):
        problem = "has other columns"
    elif other:
        problem = f"has a column {other[0]} of the type {types[other[0]]}"
    if problem:
        elsewhere = f"name the node otherwise or set another {database.elsewhere}"
        raise SinkError(f"{database.name}: the table {table.name} {problem}; drop it, {elsewhere}")
    return lacking


def _differs(
    column: sa.Column[Any], types: Mapping[str, sa.types.TypeEngine[Any]], database: Database
) -> bool:
    return column.name in types and database.way.differs(column, types[column.name])


def _versions(connection: sa.Connection, tables: Tables) -> dict[str, int]:
    return {row.name: row.version for row in connection.execute(sa.select(tables.made))}


def _create(connection: sa.Connection, table: sa.Table) -> None:
    version = connection.dialect.server_version_info or ()
    for index in table.indexes:
        if connection.dialect.name == "postgresql" and version < _CAN_DEDUPLICATE:
            index.dialect_options["postgresql"]["with"] = {}
    table.create(connection)


def _add(connection: sa.Connection, table: sa.Table, column: sa.Column[Any]) -> None:
    """Add a column; in the rows that are there it is null."""
    name = connection.dialect.identifier_preparer.format_table(table)
    what = sa.schema.CreateColumn(column).compile(dialect=connection.dialect)
    connection.exec_driver_sql(f"ALTER TABLE {name} ADD COLUMN {what}")
