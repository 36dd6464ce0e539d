"""A database server by its URL: how to come to it and back to it, and what its errors mean."""

import functools
import logging
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from itertools import chain, repeat
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import attrs
import sqlalchemy as sa

from werks.errors import PluginError, SinkError

from .copying import Copying
from .database import Way, Work
from .inserting import Inserting
from .urls import is_postgres, parsed, shown

T = TypeVar("T")

_LOG = logging.getLogger("werks")
_TIMES = 4
_PAUSES = (0.05, 0.1, 0.2, 0.5, 1.0)
_GAVE_WAY = ("40001", "40P01")
_AWAY = ("08", "57P01", "57P02", "57P03")
_ADVICE = {
    "23505": "another run has written rows of the same window; let one run write at a time",
    "25006": "it can only be read; name the server that takes writes in the url",
    "42501": "the user may not do that: {}; grant it",
    "42P01": "a table was dropped while it was written to: {}; run again",
    "53100": "its disk is full: {}; make room and run again",
    "55P03": "another run has been writing the same, or has locked it; let it finish, or set a"
    " longer timeout",
    "57014": "it ended a statement: {}; set a longer statement_timeout there",
}


@attrs.define(slots=False)
class Server:
    """A database by its URL, and how many seconds to wait for it; nothing is opened yet.

    Where a connection is lost, the transaction is done again as a whole by the next one.
    """

    elsewhere: ClassVar[str] = "schema"

    url: str = attrs.field(repr=False)
    schema: str | None
    timeout: float

    @cached_property
    def way(self) -> Way:
        """COPY where it is PostgreSQL, else plain inserts, which is said once."""
        if is_postgres(self._url):
            return Copying(self.timeout)
        _tell_slow(self.name)
        return Inserting(self._url.get_backend_name())

    @property
    def name(self) -> str:
        """The URL without password and options."""
        return shown(self._url)

    @property
    def folder(self) -> Path:
        """The system's folder for files that are thrown away."""
        return Path(tempfile.gettempdir())

    def open(self) -> None:
        """Do nothing: the first reader finds out whether the server is there."""

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Give a connection to read with; SinkError at once if there is none."""
        try:
            with self._explained(), self._engine.connect() as connection:
                if is_postgres(self._url):  # a table that another session has locked is no answer
                    wait = f"{max(1, round(self.timeout * 1000))}ms"
                    connection.execute(sa.select(sa.func.set_config("lock_timeout", wait, True)))
                yield connection
        finally:
            self._engine.dispose()

    def transact(self, work: Work[T]) -> T:
        """Do some work in a transaction of which all or nothing comes to be seen."""
        with self._explained():
            for again in range(_TIMES):
                with self._connected() as connection:
                    try:
                        result = work(connection, again > 0)
                        connection.commit()
                    except self._errors as error:
                        if again + 1 == _TIMES or not _is_lost(error):
                            raise
                        connection.invalidate()
                        _LOG.warning("%s: %s; it is done again", self.name, _said(error))
                    else:
                        return result
                self._engine.dispose()
        raise AssertionError

    def close(self) -> None:
        """Let go of all connections."""
        self._engine.dispose()

    @cached_property
    def _url(self) -> sa.URL:
        return parsed(self.url)

    @cached_property
    def _engine(self) -> sa.Engine:
        try:
            if not is_postgres(self._url):
                return sa.create_engine(self._url)
            arguments = _arguments(self.timeout)
            given: dict[str, Any] = {
                name: arguments[name] for name in arguments.keys() - self._url.query.keys()
            }
            # It tells of each COPY whose connection was lost, and so do we.
            logging.getLogger("psycopg").setLevel(logging.ERROR)
            # Statements that are prepared on the server get lost in poolers such as PgBouncer.
            given["prepare_threshold"] = None
            return sa.create_engine(self._url, connect_args=given)
        except ImportError as error:
            advice = (
                "pip install 'werks-sinks[postgres]'" if is_postgres(self._url) else "install it"
            )
            raise PluginError(f"{self.name}: its driver is missing ({error}): {advice}") from error
        except sa.exc.NoSuchModuleError as error:
            raise PluginError(
                f"{self.name}: {_said(error)}; install its SQLAlchemy dialect"
            ) from error

    @cached_property
    def _errors(self) -> tuple[type[Exception], ...]:
        if not is_postgres(self._url):
            return (sa.exc.DBAPIError,)
        import psycopg

        return sa.exc.DBAPIError, psycopg.Error

    @contextmanager
    def _connected(self) -> Iterator[sa.Connection]:
        """Give a connection as soon as there is one, at the latest after the time to wait."""
        until = time.monotonic() + self.timeout
        for pause in chain(_PAUSES, repeat(_PAUSES[-1])):
            try:
                connection = self._engine.connect()
                break
            except sa.exc.OperationalError as error:
                if time.monotonic() + pause > until:
                    raise
                if pause == _PAUSES[0]:
                    _LOG.warning("%s: %s; it is waited for", self.name, _said(error))
            time.sleep(pause)
        with connection:
            yield connection

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except self._errors as error:
            state = _state(error)
            if state is None and _is_lost(error):
                why = f"cannot be reached: {_said(error)}; start it or mend the url"
                raise SinkError(f"{self.name} {why}") from error
            advice = _ADVICE.get(state or "", "{}; mend it and run again").format(_said(error))
            raise SinkError(f"{self.name}: {advice}") from error


def _arguments(timeout: float) -> dict[str, str | int]:
    """Return how to connect: a server that is gone is noticed after a while, and waited for."""
    seconds = max(2, round(timeout))
    return {
        "application_name": "werks",
        "client_encoding": "utf8",
        "connect_timeout": seconds,
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": seconds * 1000,
    }


def _state(error: Exception) -> str | None:
    cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    return getattr(cause, "sqlstate", None)


def _is_lost(error: Exception) -> bool:
    """Tell whether a transaction ended with its connection, or had to give way to another."""
    if isinstance(error, sa.exc.DBAPIError) and error.connection_invalidated:
        return True
    state = _state(error)
    cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    if state is None:  # the server said nothing: it is gone
        return type(cause).__name__ in ("OperationalError", "ConnectionTimeout", "InterfaceError")
    return state in _GAVE_WAY or state.startswith(_AWAY)


def _said(error: Exception) -> str:
    """Return the line of an error that tells what is wrong."""
    cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    lines = [line.strip() for line in str(cause).splitlines()]
    return next((line for line in lines if "FATAL" in line), lines[0] if lines else repr(cause))


@functools.cache
def _tell_slow(name: str) -> None:
    _LOG.warning(
        "%s: rows go there by plain inserts, which is the slow way; PostgreSQL's is COPY", name
    )
