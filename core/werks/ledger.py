"""What has been read, written and carried: the memory of a pipeline, in a small database.

SQLite by default, any database that SQLAlchemy knows by its URL. Amounts and states are kept as
text, secrets never. The ledger is written by the process that runs the pipeline and by no other.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import attrs
import sqlalchemy as sa

from .components import Receipt, State, Stream
from .errors import ConfigError, WerksError

VERSION = 1
_META = sa.MetaData()


def _key(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.String(200), primary_key=True) for name in names]


_STREAM = ("pipeline", "exchange", "symbol", "component")
_VERSION = sa.Table("werks_ledger", _META, sa.Column("version", sa.Integer, primary_key=True))
_WINDOWS = sa.Table(
    "windows",
    _META,
    *_key(*_STREAM),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("door", sa.String(20)),
    sa.Column("url", sa.Text),
    sa.Column("until", sa.BigInteger),
    sa.Column("finished", sa.Boolean),
    sa.Column("rows", sa.BigInteger),
    sa.Column("repeats", sa.BigInteger),
    sa.Column("holes", sa.BigInteger),
    sa.Column("size", sa.Text),
    sa.Column("notional", sa.Text),
    sa.Column("first_id", sa.Text),
    sa.Column("last_id", sa.Text),
    sa.Column("done_at", sa.DateTime(timezone=True)),
)
_COMMITS = sa.Table(
    "commits",
    _META,
    *_key(*_STREAM, "node"),
    sa.Column("day", sa.Date, primary_key=True),
    *_key("sink"),
    sa.Column("fingerprint", sa.String(64)),
    sa.Column("began", sa.String(64)),
    sa.Column("until", sa.BigInteger),
    sa.Column("receipt", sa.Text),
    sa.Column("done_at", sa.DateTime(timezone=True)),
)
_MARKS = sa.Table(
    "marks",
    _META,
    *_key(*_STREAM, "node"),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("fingerprint", sa.String(64)),
    sa.Column("state", sa.Text),
)
_GAPS = sa.Table(
    "gaps",
    _META,
    *_key(*_STREAM),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("status", sa.String(20)),
    sa.Column("cause", sa.Text),
    sa.Column("found_at", sa.DateTime(timezone=True)),
)


@attrs.frozen
class Commit:
    """What a sink holds of a node's window: made by which options, from which state, until when."""

    fingerprint: str
    began: str
    until: int
    receipt: Receipt


@attrs.frozen
class WindowRecord:
    """A window as it was read; `until` is in nanoseconds, the sums are exact decimal text."""

    stream: Stream
    day: date
    door: str
    url: str
    until: int
    finished: bool
    rows: int
    repeats: int
    holes: int | None
    size: str
    notional: str
    first_id: str | None
    last_id: str | None


CommitKey = tuple[Stream, str, date, str]
MarkKey = tuple[Stream, str]


class Ledger:
    """The ledger of one pipeline; `state` is a path (SQLite) or a database URL."""

    def __init__(self, state: str, pipeline: str) -> None:
        self._pipeline = pipeline
        self._engine = _engine(state)
        self._name = _shown(state)
        with self._begun("opened") as db:
            _META.create_all(db)
            version = db.scalar(sa.select(_VERSION.c.version))
            if version is None:
                db.execute(_VERSION.insert().values(version=VERSION))
        if version not in (None, VERSION):
            self.close()
            raise WerksError(
                f"{self._name}: the ledger has version {version}, this werks writes {VERSION}:"
                " name another one as state"
            )

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def commits(self) -> dict[CommitKey, Commit]:
        """Return what all sinks hold, by (stream, node, day, sink)."""
        found = {}
        for row in self._all(_COMMITS):
            commit = Commit(row.fingerprint, row.began, row.until, json.loads(row.receipt))
            found[_stream(row), row.node, row.day, row.sink] = commit
        return found

    def marks(self, day: date) -> dict[MarkKey, tuple[str, State]]:
        """Return what nodes carried at the end of a day: (fingerprint, state) by (stream, node)."""
        rows = self._all(_MARKS, _MARKS.c.day == day)
        return {(_stream(row), row.node): (row.fingerprint, json.loads(row.state)) for row in rows}

    def windows(self) -> list[WindowRecord]:
        """Return all windows that were read, in order."""
        names = [field.name for field in attrs.fields(WindowRecord)][1:]
        rows = self._all(_WINDOWS)
        found = [WindowRecord(_stream(r), **{n: getattr(r, n) for n in names}) for r in rows]
        return sorted(found, key=lambda window: (str(window.stream), window.day))

    def gaps(self) -> dict[tuple[Stream, date], str]:
        """Return the days that cannot be had, with the cause."""
        return {(_stream(row), row.day): row.cause for row in self._all(_GAPS)}

    def done(
        self,
        window: WindowRecord,
        commits: Mapping[tuple[str, str], Commit],
        marks: Mapping[str, tuple[str, State]],
    ) -> None:
        """Record a window, its commits by (node, sink) and what its nodes carry, all or nothing."""
        stream, day, now = window.stream, window.day, datetime.now(UTC)
        key = self._key(stream) | {"day": day}
        record = attrs.asdict(window, filter=lambda field, _: field.name != "stream")
        with self._begun("written") as db:
            _replace(db, _GAPS, key, [])
            _replace(db, _WINDOWS, key, [record | {"done_at": now}])
            for (node, sink), commit in commits.items():
                values = attrs.asdict(commit) | {"receipt": json.dumps(commit.receipt)}
                where = key | {"node": node, "sink": sink}
                _replace(db, _COMMITS, where, [values | {"done_at": now}])
            for node, (fingerprint, state) in marks.items():
                values = {"fingerprint": fingerprint, "state": json.dumps(state)}
                _replace(db, _MARKS, key | {"node": node}, [values])

    def missing(self, stream: Stream, days: Mapping[date, str]) -> None:
        """Record days that cannot be had, with the cause of each."""
        now = datetime.now(UTC)
        with self._begun("written") as db:
            for day, cause in days.items():
                values = {"status": "open", "cause": cause, "found_at": now}
                _replace(db, _GAPS, self._key(stream) | {"day": day}, [values])

    @contextmanager
    def _begun(self, what: str) -> Iterator[sa.Connection]:
        """Give a transaction; its errors name the ledger and what could not be done."""
        try:
            with self._engine.begin() as db:
                yield db
        except sa.exc.SQLAlchemyError as error:
            why = str(getattr(error, "orig", None) or error).splitlines()[0]
            raise WerksError(f"{self._name}: the ledger cannot be {what}: {why}") from error

    def _key(self, stream: Stream) -> dict[str, Any]:
        return {"pipeline": self._pipeline, **attrs.asdict(stream)}

    def _all(self, table: sa.Table, *where: Any) -> Iterable[sa.Row[Any]]:
        with self._begun("read") as db:
            chosen = sa.select(table).where(table.c.pipeline == self._pipeline, *where)
            return db.execute(chosen).all()


def _stream(row: sa.Row[Any]) -> Stream:
    return Stream(row.exchange, row.symbol, row.component)


def _replace(
    db: sa.Connection, table: sa.Table, key: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]
) -> None:
    db.execute(table.delete().where(*(table.c[name] == value for name, value in key.items())))
    for row in rows:
        db.execute(table.insert().values(**{**key, **row}))


def _engine(state: str) -> sa.Engine:
    if "://" not in state:
        path = Path(state)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WerksError(
                f"{path}: the ledger cannot be there: {error.strerror}; name another path as state"
            ) from error
        state = f"sqlite:///{path}"
    try:
        engine = sa.create_engine(state)
    except ImportError as error:
        what = f"pipeline.state: the driver of this database is not installed: {error}"
        raise ConfigError([what]) from error
    except sa.exc.ArgumentError as error:
        raise ConfigError([f"pipeline.state: {error}"]) from error
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _patient)
    return engine


def _patient(connection: Any, _: Any) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA busy_timeout=30000")
    # With WAL a crash of the machine may lose the last commit, never corrupt: it is done again.
    connection.execute("PRAGMA synchronous=NORMAL")


def _shown(state: str) -> str:
    """Return what the ledger is called in errors: its path or its URL, without a password."""
    return sa.engine.make_url(state).render_as_string() if "://" in state else state
