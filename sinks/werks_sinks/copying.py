"""Rows kept by COPY in PostgreSQL: exact numbers, times to the microsecond and the rest beside."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Any, ClassVar

import attrs
import numpy as np
import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from werks.components import Window

from . import copybinary, copyout
from .copybinary import Bytes, field, numbers, repeated, times, tuples
from .escapes import escape, escaped, original
from .tables import is_window, shortened

_PIECE = 1 << 14
_ENOUGH = 1 << 16
_KEY = ("exchange", "symbol", "node")
_EPOCH = date(2000, 1, 1)
_NS = "_ns"
_LOCK = "SELECT set_config('lock_timeout', %s, true), pg_advisory_xact_lock(%s)"


@attrs.frozen
class Copying:
    """Amounts are NUMERIC; a time is a timestamptz and, in `<name>_ns`, 0 to 999 nanoseconds.

    `timeout` is how many seconds to wait for another transaction that writes the same.
    """

    tells_capitals: ClassVar[bool] = True
    longest_name: ClassVar[int] = 63
    timeout: float

    def columns(self, field: pa.Field) -> Sequence[sa.Column[Any]]:
        """Return the columns that keep a column of the rows."""
        if field.name in _KEY:
            # Sorted by their bytes: quicker, and no other release of the system sorts otherwise.
            return [sa.Column(field.name, sa.Text(collation="C"), nullable=False)]
        first = sa.Column(field.name, _type(field.type), nullable=True)
        if not pa.types.is_timestamp(field.type):
            return [first]
        rest = f"The nanoseconds, 0 to 999, that {field.name} leaves out."
        return [first, sa.Column(field.name + _NS, sa.SmallInteger, nullable=True, comment=rest)]

    def window(self) -> sa.Column[Any]:
        """Return the column that keeps the day."""
        help_text = "The UTC day that the row is filed with; null: still open at the end."
        return sa.Column("window", sa.Date, nullable=True, comment=help_text)

    def day(self, window: Window) -> date | None:
        """Return the day; None for the open remainder."""
        return window.day

    def date(self, day: Any) -> date | None:
        """Return the day that is kept."""
        return None if day is None else day

    def text(self, text: str | None) -> str | None:
        """Return a text as it is kept."""
        return text and escaped(text)

    def original(self, text: str | None) -> str | None:
        """Return a text that is kept as it was given."""
        return text and original(text)

    def key(self, table: sa.Table, columns: Sequence[sa.Column[Any]]) -> None:
        """Make columns the key of a table; where `window` is null, the others are.

        A primary key holds no null, and NULLS NOT DISTINCT is not known before PostgreSQL 15. A
        second index of the open rows alone costs nothing measurable when days are loaded. Without
        its deduplication a window is replaced a quarter faster: PostgreSQL tries that in vain on
        each page, while the rows that are being deleted still stand there under the same key.
        """
        off = {"deduplicate_items": "off"}
        name = shortened(f"werks_key_{table.name}")
        sa.Index(name, *columns, unique=True, postgresql_with=off)
        others = [column for column in columns if column.name != "window"]
        name, is_open = shortened(f"werks_open_{table.name}"), table.c.window.is_(None)
        sa.Index(name, *others, unique=True, postgresql_where=is_open)

    def differs(self, column: sa.Column[Any], found: sa.types.TypeEngine[Any]) -> bool:
        """Tell whether a column has another type, collation aside: binary rows must fit exactly."""
        dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
        ours, theirs = (
            kind.compile(dialect).split(" COLLATE ")[0] for kind in (column.type, found)
        )
        return ours != theirs

    def lock(self, connection: sa.Connection, name: str) -> None:
        """Wait until no other transaction has locked a name, and lock it until the end of this."""
        number = int.from_bytes(hashlib.sha256(f"werks {name}".encode()).digest()[:8], signed=True)
        connection.exec_driver_sql(_LOCK, (str(max(1, round(self.timeout * 1000))), number))

    def put(
        self,
        connection: sa.Connection,
        table: sa.Table,
        window: Window,
        rows: tuple[int, Iterable[pa.RecordBatch]],
    ) -> None:
        """Add rows, given with the number of the first of them."""
        start, batches = rows
        driver: Any = connection.connection.driver_connection
        with driver.cursor() as cursor, cursor.copy(_into(connection, table)) as copy:
            waiting = bytearray(copybinary.HEAD)
            for batch in batches:
                for begin in range(0, len(batch), _PIECE):
                    if len(waiting) > _ENOUGH:  # a segment is small: it leaves as one message
                        copy.write(waiting)
                        waiting = bytearray()
                    piece = batch.slice(begin, _PIECE)
                    waiting += self._tuples(piece, window, start).data
                    start += len(piece)
            copy.write(waiting + copybinary.TAIL)

    def get(
        self, connection: sa.Connection, table: sa.TableClause, window: Window, schema: pa.Schema
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a window in their order."""
        chosen = [each for of in schema for each in copyout.chosen(table, of)]
        query = sa.select(table.c.n, *chosen).where(is_window(table, window, self))
        for found in copyout.rows(connection, query.order_by(table.c.n)):
            yield copyout.batch(found, window, schema)

    def _tuples(self, batch: pa.RecordBatch, window: Window, start: int) -> Bytes:
        columns = []
        for of, column in zip(batch.schema, batch.columns, strict=True):
            if of.name in _KEY:
                columns.append(repeated(escaped(getattr(window, of.name)).encode()))
            elif pa.types.is_timestamp(of.type):
                columns += times(column)
            else:
                columns.append(field(_plain(column)))
        columns.append(repeated(_days(window.day)))
        columns.append(numbers(np.arange(start, start + len(batch))))
        return tuples(columns, len(batch))


def _into(connection: sa.Connection, table: sa.Table) -> str:
    quote = connection.dialect.identifier_preparer
    columns = ", ".join(quote.quote(column.name) for column in table.c)
    statement = f"COPY {quote.format_table(table)} ({columns}) FROM STDIN (FORMAT binary)"
    return statement.replace("%%", "%")  # nothing is put into this statement, so none is doubled


def _plain(column: pa.Array) -> pa.Array:
    """Return a column with its text as it is kept."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return escape(column) if pa.types.is_string(column.type) else column


def _days(day: date | None) -> bytes | None:
    return None if day is None else (day - _EPOCH).days.to_bytes(4, signed=True)


def _type(of: pa.DataType) -> sa.types.TypeEngine[Any]:
    """Return the type of a column that takes the values of another."""
    if pa.types.is_integer(of):
        widths = {1: sa.SmallInteger, 2: sa.SmallInteger, 4: sa.Integer, 8: sa.BigInteger}
        return widths[of.byte_width]()
    if pa.types.is_decimal(of):
        return sa.Numeric()
    if pa.types.is_timestamp(of):
        return sa.TIMESTAMP(timezone=True)
    if pa.types.is_boolean(of):
        return sa.Boolean()
    return sa.Double() if pa.types.is_floating(of) else sa.Text()
