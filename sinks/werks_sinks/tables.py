"""The tables: one a node, one for the proofs of all windows, one for the versions of all tables."""

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import attrs
import pyarrow as pa
import sqlalchemy as sa

from werks import schema as rows
from werks.components import Proof, Window
from werks.errors import SinkError

from .database import Way

VERSIONS, RECEIPTS = "werks_tables", "werks_receipts"
_OWN = "werks_"
_LONGEST = 63


@attrs.frozen
class Tables:
    """The tables of a sink's nodes, as they ought to be, and the versions of their rows."""

    nodes: Mapping[str, sa.Table]
    versions: Mapping[str, int]
    receipts: sa.Table
    made: sa.Table


def tables(schemas: Mapping[str, pa.Schema], way: Way, place: str | None) -> Tables:
    """Return the tables of nodes within a schema of the database."""
    meta = sa.MetaData(schema=place)
    nodes = {node: _table(node, schema, way, meta) for node, schema in schemas.items()}
    versions = {node: rows.version(schema) for node, schema in schemas.items()}
    return Tables(nodes, versions, receipts(way, meta), made(meta))


def made(meta: sa.MetaData) -> sa.Table:
    """Return the table of all tables and the versions of their rows."""
    name = sa.Column("name", sa.Text, primary_key=True)
    return sa.Table(VERSIONS, meta, name, sa.Column("version", sa.Integer, nullable=False))


def receipts(way: Way, meta: sa.MetaData) -> sa.Table:
    """Return the table of proofs, a row a node and window; `sums` is JSON, by column."""
    node, *words = (_field(way, name) for name in ("node", "exchange", "symbol"))
    ids = (sa.Column(name, sa.Text) for name in ("first_id", "last_id"))
    table = sa.Table(
        RECEIPTS,
        meta,
        node,
        *words,
        way.window(),
        sa.Column("rows", sa.BigInteger, nullable=False),
        *ids,
        sa.Column("sums", sa.JSON, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        comment="The proof of each node's rows in each window, as werks verify folds them anew.",
    )
    way.key(table, [node, *words, table.c.window])
    return table


def require_usable(schemas: Mapping[str, pa.Schema], way: Way) -> None:
    """Raise SinkError if the tables or columns of nodes would collide, or cannot have the name."""
    taken: dict[str, str] = {}
    for node, schema in schemas.items():
        if node.lower().startswith(_OWN):
            raise SinkError(
                f"{node}: names with {_OWN} are the sink's own; name the node otherwise"
            )
        if len(node.encode()) > (way.longest_name or len(node.encode())) or "\0" in node:
            raise SinkError(
                f"{node}: no table can have this name, {way.longest_name} bytes at most; "
                "name the node otherwise"
            )
        other = taken.setdefault(node if way.tells_capitals else node.lower(), node)
        if other != node:
            raise SinkError(f"{node}: {other} has the same table name; name the node otherwise")
        _require_columns(node, schema, way)


def shortened(name: str) -> str:
    """Return a name that no other has, and that every database takes; a long one ends in a hash."""
    raw = name.encode()
    if len(raw) <= _LONGEST:
        return name
    return f"{raw[: _LONGEST - 9].decode(errors='ignore')}_{hashlib.sha256(raw).hexdigest()[:8]}"


def is_window(table: sa.TableClause, window: Window, way: Way) -> sa.ColumnElement[bool]:
    """Return the condition that rows are of a window."""
    columns, day = table.c, way.day(window)
    return sa.and_(
        columns.exchange == way.text(window.exchange),
        columns.symbol == way.text(window.symbol),
        columns.window.is_(None) if day is None else columns.window == day,
    )


@lru_cache(maxsize=4096)
def last_of(table: sa.Table, window: Window, way: Way) -> sa.Select[Any]:
    """Return the query for the number of a window's last row; kept, as each segment asks it."""
    return sa.select(sa.func.max(table.c.n)).where(is_window(table, window, way))


def record(way: Way, window: Window, node: str, proof: Proof) -> dict[str, Any]:
    """Return the row of a proof."""
    key = {"exchange": window.exchange, "symbol": window.symbol}
    ids = {"first_id": proof.first_id, "last_id": proof.last_id}
    texts = {name: way.text(text) for name, text in (key | ids).items()}
    rest = {"rows": proof.rows, "sums": dict(proof.sums), "hash": proof.hash}
    return {"node": node, "window": way.day(window), **texts, **rest}


def proven(way: Way, row: Any) -> Proof:
    """Return the proof that a row of the receipts keeps; TypeError if it is none of ours."""
    if not isinstance(row.sums, dict):
        raise TypeError(f"sums: an object is expected, not {row.sums!r}")
    ids = way.original(row.first_id), way.original(row.last_id)
    return Proof(row.rows, *ids, row.sums, row.hash)


def _require_columns(node: str, schema: pa.Schema, way: Way) -> None:
    if missing := {"exchange", "symbol"}.difference(schema.names):
        raise SinkError(f"{node}: its rows have no column {', '.join(sorted(missing))}")
    own = ["window", "n"]
    own += [each.name for of in schema for each in way.columns(of) if each.name != of.name]
    if taken := {name.lower() for name in schema.names}.intersection(own):
        raise SinkError(f"{node}: the column {taken.pop()} is the sink's own; rename it")


def _table(node: str, schema: pa.Schema, way: Way, meta: sa.MetaData) -> sa.Table:
    columns = [column for field in schema for column in way.columns(field)]
    n = sa.Column(
        "n",
        sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
        nullable=False,
        comment="The number of the row in its window, from 0 on.",
    )
    text = f"{rows.kind(schema)} of the node {node}, by werks"
    table = sa.Table(node, meta, *columns, way.window(), n, comment=text)
    way.key(table, [table.c[name] for name in ("exchange", "symbol", "window", "n")])
    return table


def _field(way: Way, name: str) -> sa.Column[Any]:
    (column,) = way.columns(pa.field(name, pa.string()))
    column.nullable = False
    return column
