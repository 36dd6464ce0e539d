"""What a sink with tables needs of a database, and of the way in which rows are kept there."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import date
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pyarrow as pa
import sqlalchemy as sa

from werks.components import Window

T = TypeVar("T")
# A transaction: takes its connection, and whether it is done again after a loss of the last one.
Work = Callable[[sa.Connection, bool], T]


class Way(Protocol):
    """How one kind of database keeps rows: its columns, and how rows come and go."""

    def __hash__(self) -> int: ...

    @property
    def tells_capitals(self) -> bool:
        """Whether names that differ in nothing but capitals are two."""
        ...

    @property
    def longest_name(self) -> int:
        """How many bytes the name of a table may have; 0: no limit is known."""
        ...

    def columns(self, field: pa.Field) -> Sequence[sa.Column[Any]]:
        """Return the columns that keep a column of the rows."""
        ...

    def window(self) -> sa.Column[Any]:
        """Return the column that keeps the day."""
        ...

    def day(self, window: Window) -> Any:
        """Return the day of a window as it is kept; None for the open remainder."""
        ...

    def date(self, day: Any) -> date | None:
        """Return the day that is kept."""
        ...

    def text(self, text: str | None) -> str | None:
        """Return a text as it is kept."""
        ...

    def original(self, text: str | None) -> str | None:
        """Return a text that is kept as it was given."""
        ...

    def key(self, table: sa.Table, columns: Sequence[sa.Column[Any]]) -> None:
        """Make columns the key of a table; where `window` is null, the others are."""
        ...

    def differs(self, column: sa.Column[Any], found: sa.types.TypeEngine[Any]) -> bool:
        """Tell whether a column that is there, by its type, cannot take what is to be kept."""
        ...

    def lock(self, connection: sa.Connection, name: str) -> None:
        """Wait until no other transaction has locked a name, and lock it until the end of this."""
        ...

    def put(
        self,
        connection: sa.Connection,
        table: sa.Table,
        window: Window,
        rows: tuple[int, Iterable[pa.RecordBatch]],
    ) -> None:
        """Add rows, given with the number of the first of them."""
        ...

    def get(
        self, connection: sa.Connection, table: sa.Table, window: Window, schema: pa.Schema
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a window in their order."""
        ...


class Database(Protocol):
    """A database: how to come to it, and what its errors mean."""

    @property
    def way(self) -> Way:
        """How rows are kept there."""
        ...

    @property
    def name(self) -> str:
        """What it is called in errors: a path, or a URL without a password."""
        ...

    @property
    def schema(self) -> str | None:
        """The schema of the database that the tables are in; None: the usual one."""
        ...

    @property
    def elsewhere(self) -> str:
        """The option that leads to another place."""
        ...

    @property
    def folder(self) -> Path:
        """Where rows wait for their commit."""
        ...

    def open(self) -> None:
        """Take note of what is there; SinkError if it can be seen that it is of no use."""
        ...

    def reading(self) -> AbstractContextManager[sa.Connection | None]:
        """Give a connection to read with; None where there is no database yet."""
        ...

    def transact(self, work: Work[T]) -> T:
        """Do some work in a transaction of which all or nothing comes to be seen."""
        ...

    def close(self) -> None:
        """Let go of all connections, and of what is not needed then."""
        ...
