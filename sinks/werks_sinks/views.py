"""Views: the latest bars, the volumes of each day, and which days are complete."""

from collections.abc import Iterator

import sqlalchemy as sa

from .tables import Tables, shortened

COMPLETENESS = "werks_completeness"
_DIALECTS = ("postgresql", "sqlite")
_BAR = {"end", "open", "close", "complete"}
# Totals are sums over a row's segment, in which its own size is but one.
_VOLUMES = ("total_size", "volume", "size")
_NOTIONALS = ("total_notional", "notional")

# Only the first row of each stream is looked for, and from it the next, whatever lies between.
_LATEST = {
    "postgresql": """
WITH RECURSIVE streams AS (
  (SELECT exchange, symbol FROM {table} ORDER BY exchange, symbol LIMIT 1)
  UNION ALL
  SELECT following.exchange, following.symbol FROM streams CROSS JOIN LATERAL (
    SELECT rows.exchange, rows.symbol FROM {table} AS rows
    WHERE (rows.exchange, rows.symbol) > (streams.exchange, streams.symbol)
    ORDER BY rows.exchange, rows.symbol LIMIT 1
  ) AS following
)
SELECT latest.* FROM streams CROSS JOIN LATERAL (
  SELECT * FROM {table} AS rows
  WHERE rows.exchange = streams.exchange AND rows.symbol = streams.symbol
    AND rows.complete AND rows."window" IS NOT NULL
  ORDER BY rows.exchange DESC, rows.symbol DESC, rows."window" DESC, rows.n DESC LIMIT 1
) AS latest""",
    "sqlite": """
SELECT * FROM {table} WHERE rowid IN (
  SELECT (
    SELECT rowid FROM {table} AS rows
    WHERE rows.exchange = streams.exchange AND rows.symbol = streams.symbol
      AND rows.complete AND rows."window" IS NOT NULL
    ORDER BY rows."window" DESC, rows.n DESC LIMIT 1
  ) FROM (SELECT DISTINCT exchange, symbol FROM {table}) AS streams
)""",
}
_DAILY = """
SELECT exchange, symbol, "window" AS day, count(*) AS "rows"{sums}
FROM {table} WHERE "window" IS NOT NULL GROUP BY exchange, symbol, "window\""""
_COUNTED = """
SELECT {node} AS node, exchange, symbol, "window" AS day, count(*) AS "rows",
  CAST(NULL AS bigint) AS proven, CAST(NULL AS text) AS first_id, CAST(NULL AS text) AS last_id
FROM {table} WHERE "window" IS NOT NULL GROUP BY exchange, symbol, "window\""""
_PROVEN = """
SELECT node, exchange, symbol, "window", 0, "rows", first_id, last_id
FROM {table} WHERE "window" IS NOT NULL"""
_COMPLETENESS = """
SELECT node, exchange, symbol, day, CAST(sum("rows") AS bigint) AS "rows", max(proven) AS proven,
  max(first_id) AS first_id, max(last_id) AS last_id,
  coalesce(sum("rows") = max(proven), {false}) AS complete
FROM ({parts}) AS found GROUP BY node, exchange, symbol, day"""


def names(tables: Tables, dialect: sa.Dialect) -> list[str]:
    """Return the names of all views that there ought to be; none but in a known dialect."""
    if dialect.name not in _DIALECTS:
        return []
    return [COMPLETENESS, *_texts(tables, dialect)]


def make(connection: sa.Connection, tables: Tables) -> None:
    """Make the views of these nodes, and that of all nodes that have a table, or make them anew."""
    if connection.dialect.name not in _DIALECTS:
        return
    for name, text in _texts(tables, connection.dialect).items():
        _replace(connection, tables, (name, text))
    _replace(connection, tables, (COMPLETENESS, _completeness(connection, tables)))


def _texts(tables: Tables, dialect: sa.Dialect) -> dict[str, str]:
    quote, found = dialect.identifier_preparer, {}
    for node, table in tables.nodes.items():
        name = quote.format_table(table)
        if _BAR.issubset(table.c.keys()):
            found[shortened(f"werks_latest_{node}")] = _LATEST[dialect.name].format(table=name)
        if sums := "".join(_sums(table, dialect)):
            found[shortened(f"werks_daily_{node}")] = _DAILY.format(table=name, sums=sums)
    return found


def _sums(table: sa.Table, dialect: sa.Dialect) -> Iterator[str]:
    """Yield sums of a day, without the trades that were made off the book, as in bars."""
    for name, choice in (("volume", _VOLUMES), ("notional", _NOTIONALS)):
        column = next((each for each in choice if each in table.c), None)
        if column and dialect.name == "sqlite":
            column = f"CAST({column} AS REAL)"  # text is exact, sums of it are not to be had
        if column and "flag" in table.c:
            column = f"CASE WHEN flag = 'off_book' THEN 0 ELSE {column} END"
        if column:
            yield f", sum({column}) AS {name}"


def _completeness(connection: sa.Connection, tables: Tables) -> str:
    """Return the text of the view over all nodes: those of this sink, and those of others."""
    dialect = connection.dialect
    quote, percent = dialect.identifier_preparer, "%" if dialect.name == "sqlite" else "%%"
    place = tables.receipts.schema
    there = set(sa.inspect(connection).get_table_names(place))
    nodes = connection.execute(sa.select(tables.made.c.name).order_by(tables.made.c.name)).scalars()
    parts = []
    for node in nodes:
        if node in there:
            literal = "'" + node.replace("'", "''").replace("%", percent) + "'"
            table = quote.format_table(sa.table(node, schema=place))
            parts.append(_COUNTED.format(node=literal, table=table))
    parts.append(_PROVEN.format(table=quote.format_table(tables.receipts)))
    false = "0" if dialect.name == "sqlite" else "false"
    return _COMPLETENESS.format(parts="\nUNION ALL".join(parts), false=false)


def _replace(connection: sa.Connection, tables: Tables, view: tuple[str, str]) -> None:
    name, text = view
    dialect = connection.dialect
    quoted = dialect.identifier_preparer.format_table(sa.table(name, schema=tables.receipts.schema))
    if dialect.name == "sqlite":
        connection.exec_driver_sql(f"DROP VIEW IF EXISTS {quoted}")
        connection.exec_driver_sql(f"CREATE VIEW {quoted} AS {text}")
    else:  # in place, so that views of others may be built on it
        connection.exec_driver_sql(f"CREATE OR REPLACE VIEW {quoted} AS {text}")
