"""The ledger's statements: rows found, put in place of others, written as one."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import attrs
import sqlalchemy as sa

from ..components import State, Stream
from .records import COUNTED, Commit, WindowRecord
from .tables import CHECKS, COMMITS, GAPS, LEASES, MARKS, MINUTES, WINDOWS


def put(
    db: sa.Connection,
    pipeline: str,
    window: WindowRecord,
    made: tuple[Mapping[tuple[str, str], Commit], Mapping[str, tuple[str, State]], bytes | None],
) -> None:
    """Write a window, its commits, what its nodes carry and its minutes within a transaction."""
    (commits, marks, minutes), now = made, datetime.now(UTC)
    key = {"pipeline": pipeline, **attrs.asdict(window.stream), "day": window.day}
    record = attrs.asdict(window, filter=lambda field, _: field.name != "stream")
    replace(db, WINDOWS, key, [record | {"done_at": now}])
    for (node, sink), commit in commits.items():
        values = attrs.asdict(commit, recurse=False) | {
            "receipt": json.dumps(commit.receipt),
            "proof": json.dumps(attrs.asdict(commit.proof)) if commit.proof else None,
        }
        replace(db, COMMITS, key | {"node": node, "sink": sink}, [values | {"done_at": now}])
    for node, (fingerprint, state) in marks.items():
        values = {"fingerprint": fingerprint, "state": json.dumps(state)}
        replace(db, MARKS, key | {"node": node}, [values])
    if minutes is not None:
        replace(db, CHECKS, key, [])
        replace(db, MINUTES, key, [{"rows": minutes}])


def begin_writing(db: sa.Connection) -> None:
    """Take SQLite's lock before reading, so that no other process reads the same in between."""
    if db.dialect.name == "sqlite":
        db.execute(LEASES.delete().where(sa.false()))


def of(
    table: sa.Table, stream: Stream | None, day: date | None = None
) -> list[sa.ColumnElement[bool]]:
    """Return what chooses the rows of a stream and a day, of all if none is given."""
    given = {} if stream is None else attrs.asdict(stream)
    return where(table, given if day is None else given | {"day": day})


def where(table: sa.Table, key: Mapping[str, Any]) -> list[sa.ColumnElement[bool]]:
    """Return what chooses the rows of a key."""
    return [table.c[name] == value for name, value in key.items()]


def stream_of(row: sa.Row[Any]) -> Stream:
    """Return the stream that a row is of."""
    return Stream(row.exchange, row.symbol, row.component)


def settle(db: sa.Connection, key: Mapping[str, Any], status: str, now: datetime) -> bool:
    """Say what came of a gap, if one is suspected or open there; return whether one was."""
    mine = GAPS.update().where(*where(GAPS, key), GAPS.c.status.in_(COUNTED))
    return bool(db.execute(mine.values(status=status, tried_at=now)).rowcount)


def replace_each(
    db: sa.Connection,
    table: sa.Table,
    keys: Sequence[Mapping[str, Any]],
    rows: Sequence[Mapping[str, Any]],
) -> None:
    """Put rows in place of those of many keys, by two statements for all."""
    names = [column.name for column in table.primary_key]
    if keys:
        gone = [{f"old_{name}": key[name] for name in names} for key in keys]
        same = (table.c[name] == sa.bindparam(f"old_{name}") for name in names)
        db.execute(table.delete().where(*same), gone)
    if rows:
        db.execute(table.insert(), rows)


def replace(
    db: sa.Connection, table: sa.Table, key: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]
) -> None:
    """Put rows in place of those of a key."""
    db.execute(table.delete().where(*where(table, key)))
    for row in rows:
        db.execute(table.insert().values(**{**key, **row}))
