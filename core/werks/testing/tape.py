"""What a simulator of an exchange's REST holds, and the rows that a door reads from it."""

import pickle
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import attrs
import msgspec
import pyarrow as pa

from ..components import Refusal
from ..components import Request as Asked
from ..history import Pages, Span
from ..http import Http
from ..schema import kind
from .loopback import Loopback, Request

Row = tuple[Any, ...]

# What a row of a tape holds, by the kind of rows; amounts may be given as text.
COLUMNS: Mapping[str, Sequence[str]] = {
    "TRADE": ("timestamp", "trade_id", "tick_rule", "price", "size"),
    "TICK": ("timestamp", "trade_id", "tick_rule", "price", "size"),
    "CANDLE": ("timestamp", "open", "high", "low", "close", "volume"),
    "OPEN_INTEREST": ("timestamp", "open_interest"),
    "FUNDING": ("timestamp", "rate"),
}


@attrs.frozen
class Tape:
    """What `publish` put behind the door: all rows of one symbol from `start` to before `stop`.

    Rows are tuples of `COLUMNS`, or one batch whose columns (without `received`) are compared; they
    are in order, times in ns since 1970. `paths` are those that are asked for while the tape is
    read; faults are put there. More rows may lie before and behind, to show that they do not come.
    """

    symbol: str
    start: int
    stop: int
    rows: Sequence[Row] | pa.RecordBatch
    paths: Sequence[str]

    def columns(self, of: pa.Schema) -> list[str]:
        """Return the names of what is compared, the time first."""
        if isinstance(self.rows, pa.RecordBatch):
            others = [n for n in self.rows.schema.names if n not in ("timestamp", "received")]
            return ["timestamp", *others]
        return list(COLUMNS[kind(of)])

    def expected(self, of: pa.Schema) -> list[Row]:
        """Return the rows that must come, as plain data."""
        names = self.columns(of)
        if isinstance(self.rows, pa.RecordBatch):
            return plain([self.rows], names)
        exact = [pa.types.is_decimal(of.field(name).type) for name in names]
        return [
            tuple(
                Decimal(str(value)) if is_exact and value is not None else value
                for value, is_exact in zip(row, exact, strict=True)
            )
            for row in self.rows
        ]


@attrs.frozen
class Listed:
    """What `publish` put behind a snapshot: the values of some columns, by symbol.

    Amounts may be given as text. `paths` are those that are asked for while the list is read.
    """

    rows: Mapping[str, Mapping[str, Any]]
    paths: Sequence[str]


@attrs.frozen
class Replay:
    """A door and the tape behind it, to be read in parts, with faults, by other clients."""

    component: Any
    tape: Tape
    loopback: Loopback

    @property
    def expected(self) -> list[Row]:
        """The rows of the tape, as plain data."""
        return self.tape.expected(self.component.schema)

    def between(self, start: int, stop: int) -> list[Row]:
        """Return the rows of the tape from a time to before another."""
        return [row for row in self.expected if start <= row[0] < stop]

    def pages(self, http: Any) -> list[tuple[pa.RecordBatch, str]]:
        """Return the pages of the whole tape as the door yields them."""
        tape = self.tape
        return list(self.component.read(http, tape.symbol, tape.start, tape.stop))

    def joined(
        self,
        http: Any,
        start: int | None = None,
        stop: int | None = None,
        cursor: str | None = None,
    ) -> Pages:
        """Return the rows of a span, the whole tape's if left out, as the core reads them."""
        begin = self.tape.start if start is None else start
        end = self.tape.stop if stop is None else stop
        return self._pages(http, Span(self.tape.symbol, begin, end))

    def _pages(self, http: Any, span: Span) -> Pages:
        return Pages(self.component, http, span, f"{self.component.exchange} {span.symbol}")

    def rows(self, http: Any, start: int | None = None, stop: int | None = None) -> list[Row]:
        """Return the rows of a span as plain data."""
        return self.plain(self.joined(http, start, stop))

    def rest(self, http: Any, cursor: str) -> list[Row]:
        """Return the rows behind a cursor as plain data."""
        tape = self.tape
        return self.plain(self._pages(http, Span(tape.symbol, tape.start, tape.stop, cursor)))

    def plain(self, batches: Iterable[pa.RecordBatch]) -> list[Row]:
        """Return batches as plain data, with the columns that the tape has."""
        return plain(batches, self.tape.columns(self.component.schema))

    def times(self, batch: pa.RecordBatch) -> list[int]:
        """Return the times of a batch."""
        return [row[0] for row in plain([batch], ["timestamp"])]

    def another(self) -> "Replay":
        """Return the same with a door that came out of another process."""
        component = pickle.loads(pickle.dumps(self.component))  # noqa: S301  (our own bytes)
        return attrs.evolve(self, component=component)


@attrs.define
class Witness:
    """A client that takes note of what it is asked, and passes it on."""

    http: Http
    requests: list[Asked] = attrs.field(factory=list)
    kinds: list[Any] = attrs.field(factory=list)
    texts: list[str] = attrs.field(factory=list)

    def json(self, request: Asked, kind: Any, refusal: Refusal | None = None) -> Any:
        """Ask, and take note of the request and of the type that is wanted."""
        self.requests.append(request)
        self.kinds.append(kind)
        return self.http.json(request, kind, refusal)

    def text(self, url: str, **query: str) -> str:
        """Ask, and take note of the address."""
        self.texts.append(url)
        return self.http.text(url, **query)

    def inexact(self) -> list[str]:
        """Return the types among those wanted in which a number would become a float."""
        seen: set[int] = set()
        found: list[str] = []
        for wanted, info in zip(
            self.kinds, msgspec.inspect.multi_type_info(self.kinds), strict=True
        ):
            found += [f"{wanted!r}: {name}" for name in _floats(info, seen)]
        return found


def _floats(info: Any, seen: set[int]) -> list[str]:
    """Return the names of types, in a type as msgspec describes it, that may hold a float."""
    if id(info) in seen:
        return []
    seen.add(id(info))
    name = type(info).__name__
    if name in ("FloatType", "AnyType"):
        return [name]
    if isinstance(info, (list, tuple)):
        return [found for each in info for found in _floats(each, seen)]
    if not isinstance(info, msgspec.Struct):
        return []
    parts = (getattr(info, field) for field in info.__struct_fields__ if field != "cls")
    return [found for part in parts for found in _floats(part, seen)]


def body(loopback: Loopback, path: str) -> bytes:
    """Return what the server answers to the first request that came for a path, once more."""
    first = next(each for each in loopback.requests if each.path == f"/{path.lstrip('/')}")
    made = loopback.reply(Request(first.method, first.path, first.query)).body
    return made if isinstance(made, bytes) else made.read_bytes()


def plain(batches: Iterable[pa.RecordBatch], names: Sequence[str]) -> list[Row]:
    """Return rows as tuples; times are nanoseconds, which a `datetime` could not hold."""
    rows: list[Row] = []
    for batch in batches:
        columns = [batch[name] for name in names]
        whole = [c.cast(pa.int64()) if pa.types.is_timestamp(c.type) else c for c in columns]
        rows += zip(*(column.to_pylist() for column in whole), strict=True)
    return rows


def by_name(rows: pa.RecordBatch, spelt: bool = False) -> list[dict[str, Any]]:
    """Return rows as plain data by name: times in ns, amounts as decimals, or `spelt` as text."""
    columns = {}
    for field, column in zip(rows.schema, rows.columns, strict=True):
        if pa.types.is_timestamp(field.type):
            column = column.cast(pa.int64())
        elif spelt and pa.types.is_decimal(field.type):
            column = column.cast(pa.string())
        columns[field.name] = column.to_pylist()
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def candles(trades: Iterable[Row], length: int) -> list[Row]:
    """Return rows of `CANDLE` for rows of `TRADE`: of each `length` ns in which there are any."""
    found: dict[int, list[Row]] = {}
    for row in trades:
        found.setdefault(row[0] - row[0] % length, []).append(row)
    made = []
    for start, rows in sorted(found.items()):
        prices, volume = [row[3] for row in rows], sum((row[4] for row in rows), Decimal(0))
        made.append((start, prices[0], max(prices), min(prices), prices[-1], volume))
    return made
