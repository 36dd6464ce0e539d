"""A SQLite database that several processes may write to at once."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import ClassVar, TypeVar

import attrs
import sqlalchemy as sa

from werks.errors import SinkError

from .database import Work
from .disk import make_folder, naming, prune, require_folder
from .inserting import Inserting

T = TypeVar("T")

_ADVICE = {
    sqlite3.SQLITE_READONLY: "is read-only; set another path or change its permissions",
    sqlite3.SQLITE_PERM: "may not be written to; set another path or change its permissions",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened; set another path or change its permissions",
    sqlite3.SQLITE_FULL: "has no room on its disk; make room and run again",
    sqlite3.SQLITE_IOERR: "could not be read or written, as on a full disk; make room, run again",
    sqlite3.SQLITE_NOTADB: "is no SQLite database; move it away or set another path",
    sqlite3.SQLITE_CORRUPT: "is damaged; move it away and run again",
}
_CACHE_KIB = 16 << 10
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


@attrs.define(slots=False)
class SqliteFile:
    """A database file and how many seconds to wait for other processes; nothing is opened yet."""

    way: ClassVar[Inserting] = Inserting("sqlite", by_driver=True)
    schema: ClassVar[None] = None
    elsewhere: ClassVar[str] = "path"

    path: Path
    timeout: float

    @property
    def name(self) -> str:
        """The path."""
        return str(self.path)

    @property
    def folder(self) -> Path:
        """The folder of the file: rows wait where they will be."""
        return self.path.parent

    def open(self) -> None:
        """Take note of what is there; SinkError if the path cannot be used."""
        self._root = require_folder(self.path.parent, self.path)
        if self.path.is_dir():
            raise SinkError(f"{self.path} is a folder; set the path of a database file")
        if self.path.exists() and not os.access(self.path, os.W_OK):
            raise SinkError(f"{self.path} {_ADVICE[sqlite3.SQLITE_READONLY]}")

    @contextmanager
    def reading(self) -> Iterator[sa.Connection | None]:
        """Give a connection to read with; None where there is no database yet."""
        with naming(self.path):
            is_there = self.path.exists()
        if not is_there:
            yield None
            return
        try:
            with self._explained(), self._engine.connect() as connection:
                yield connection
        finally:
            self._engine.dispose()

    def transact(self, work: Work[T]) -> T:
        """Do some work in a transaction of which all or nothing comes to be seen."""
        with naming(self.path):
            make_folder(self.path.parent)
        with self._explained(), self._engine.connect() as connection:
            self._write_ahead(connection)
            connection.exec_driver_sql(f"PRAGMA cache_size = -{_CACHE_KIB}")
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            result = work(connection, False)
            connection.commit()
        return result

    def close(self) -> None:
        """Let go of all connections, and of folders that were made for nothing."""
        self._engine.dispose()
        prune(self.path.parent, self._root)

    @cached_property
    def _engine(self) -> sa.Engine:
        url = sa.URL.create("sqlite", database=str(self.path))
        # The driver would begin transactions by itself, and too late to keep others from writing.
        arguments = {"timeout": self.timeout, "isolation_level": None}
        return sa.create_engine(url, connect_args=arguments)

    def _write_ahead(self, connection: sa.Connection) -> None:
        """Let others read while one writes, where the disk can do that."""
        until = time.monotonic() + self.timeout
        while connection.exec_driver_sql("PRAGMA journal_mode").scalar() != "wal":
            try:
                connection.exec_driver_sql("PRAGMA journal_mode = WAL")
            except sa.exc.OperationalError as error:
                # SQLite itself does not wait for others here.
                if _code(error) not in _BUSY or time.monotonic() > until:
                    raise
                time.sleep(0.02)
            else:
                return

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sa.exc.DBAPIError, sqlite3.Error) as error:
            code = _code(error)
            if code in _BUSY:
                raise SinkError(
                    f"{self.path} has been locked by another process for {self.timeout:g} s; "
                    "let it finish, or set a longer timeout"
                ) from error
            cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
            raise SinkError(f"{self.path} {_ADVICE.get(code, f'failed: {cause}')}") from error


def _code(error: sa.exc.DBAPIError | sqlite3.Error) -> int:
    """Return SQLite's primary code of an error; 0 if it has none."""
    cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    return getattr(cause, "sqlite_errorcode", 0) & 0xFF
