"""The way to the ledger's database."""

import sqlite3
import time
from pathlib import Path

import sqlalchemy as sa

from ..errors import ConfigError, WerksError

_PATIENCE = 30.0


def make_engine(state: str) -> sa.Engine:
    """Return the engine of a path (SQLite) or a URL; WerksError if there can be none."""
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
    except sa.exc.NoSuchModuleError as error:
        kind = state.partition("://")[0]
        raise ConfigError([f"pipeline.state: there is no kind of database {kind!r}"]) from error
    except sa.exc.ArgumentError as error:
        raise ConfigError([f"pipeline.state: {error}"]) from error
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _patient)
    return engine


def _patient(connection: sqlite3.Connection, _: object) -> None:
    connection.execute(f"PRAGMA busy_timeout={_PATIENCE * 1000:.0f}")
    _write_ahead(connection)
    # With WAL a crash of the machine may lose the last commit, never corrupt: it is done again.
    connection.execute("PRAGMA synchronous=NORMAL")


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Turn on WAL; SQLite itself waits for nobody here, so that runs that begin at once collide."""
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            # The low byte is the kind of error: SQLITE_BUSY has extended ones.
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return


def shown(state: str) -> str:
    """Return what the ledger is called in errors: its path or its URL, without a password."""
    return sa.engine.make_url(state).render_as_string() if "://" in state else state
