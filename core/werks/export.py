"""What a sink holds of a node, in order: market by market, oldest first, cut to a range."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, NoReturn

import attrs
import numpy as np
import pyarrow as pa

from .components import Proof, Window
from .errors import ConfigError, SinkError
from .options import nearest
from .pipeline import Graph
from .schema import nanoseconds

ROWS = 1 << 16
_DAY = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC).date()

Market = tuple[str, str]
Days = list[tuple[Window, Proof | None]]


@attrs.frozen
class Wanted:
    """Which rows: of a sink and one of its nodes; of these symbols, or all if none is named.

    `start` and `stop` (exclusive) are nanoseconds since 1970; None goes as far as there are rows.
    `open` asks for what is not complete, too. Without `columns` all are meant.
    """

    sink: str
    node: str | None = None
    symbols: tuple[str, ...] = ()
    start: int | None = None
    stop: int | None = None
    open: bool = False
    columns: tuple[str, ...] = ()


@attrs.frozen
class Holding:
    """What a sink has of a market in the range: its windows; days that it has nothing of.

    Of days that no receipt speaks of rows may be missing, too: a live day that is not over.
    """

    exchange: str
    symbol: str
    windows: tuple[Window, ...]
    missing: tuple[date, ...]
    unproven: tuple[date, ...]


@attrs.define
class Told:
    """What was read: rows, and the first and the last time of one."""

    rows: int = 0
    first: int | None = None
    last: int | None = None

    def add(self, batch: pa.RecordBatch) -> None:
        """Take note of rows."""
        times = nanoseconds(batch["timestamp"])
        first, last = int(times.min()), int(times.max())
        self.rows += len(batch)
        self.first = first if self.first is None else min(first, self.first)
        self.last = last if self.last is None else max(last, self.last)


class Export:
    """The rows that are wanted, by `schema`; ConfigError if there can be none such.

    `holdings` tell what the sink has of each market, in order.
    """

    def __init__(self, graph: Graph, wanted: Wanted) -> None:
        self._graph, self._wanted, self.sink = graph, wanted, wanted.sink
        self._sink = graph.sink(wanted.sink)
        if not hasattr(self._sink, "proofs") or not hasattr(self._sink, "read"):
            self._refuse(f"sinks.{wanted.sink}", "its rows cannot be read back")
        if wanted.start is not None and wanted.stop is not None and wanted.stop <= wanted.start:
            self._refuse("--stop", "it is not after --start")
        self.node = self._named()
        branches = [branch for branch in graph.branches if self.node in branch.schemas]
        self._schemas = {b.source.door.exchange: b.schemas[self.node] for b in branches}
        self._markets = self._found()
        markets = sorted(self._markets)
        self._whole = self._joined([self._schema(exchange) for exchange, _ in markets])
        self.schema = self._chosen(self._whole)
        self.holdings = [self._holding(market) for market in markets]
        self.told = Told()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows by 65,536; `told` says what they were."""
        waiting: list[pa.RecordBatch] = []
        rows = 0
        for batch in self._rows():
            self.told.add(batch)
            rest = batch.select(self.schema.names)
            while rows + len(rest) >= ROWS:
                head, rest = rest.slice(0, ROWS - rows), rest.slice(ROWS - rows)
                # Copied even if it is one: the bytes behind a slice would get into the file.
                yield pa.concat_batches([*waiting, head])
                waiting, rows = [], 0
            waiting.append(rest)
            rows += len(rest)
        if rows:
            yield pa.concat_batches(waiting)

    def _refuse(self, where: str, what: str) -> NoReturn:
        raise ConfigError([f"{self._graph.config.path}: {where}: {what}"])

    def _named(self) -> str:
        """Return the node; ConfigError if the sink takes no such one, or several."""
        inputs = list(self._graph.config.nodes[self._wanted.sink].inputs)
        node, where = self._wanted.node, f"sinks.{self._wanted.sink}"
        if node is None and len(inputs) > 1:
            self._refuse(where, f"it has several nodes, name one by --node: {', '.join(inputs)}")
        if node is not None and node not in inputs:
            self._refuse(where, f'it takes no node "{node}"; {nearest(node, inputs)}')
        return node or inputs[0]

    def _found(self) -> dict[Market, Days]:
        """Return what the sink has of each market; of one that only the file names, nothing."""
        found: dict[Market, Days] = {}
        for window, proof in self._sink.proofs(self.node):
            found.setdefault((window.exchange, window.symbol), []).append((window, proof))
        named = {
            (branch.source.door.exchange, symbol)
            for branch in self._graph.branches
            for symbol in branch.source.symbols
            if self.node in branch.schemas
        }
        if not self._wanted.symbols:
            return found
        chosen: dict[Market, Days] = {}
        for symbol in self._wanted.symbols:
            mine = {market: days for market, days in found.items() if market[1] == symbol}
            if not mine:
                mine = {(ex, symbol): [] for ex, each in named if fnmatchcase(symbol, each)}
            if not mine:
                near = nearest(symbol, sorted({each for _, each in {*found, *named}}))
                self._refuse("--symbol", f'"{symbol}" is not there; {near}')
            chosen.update(mine)
        return chosen

    def _schema(self, exchange: str) -> pa.Schema:
        return self._schemas.get(exchange, next(iter(self._schemas.values())))

    def _joined(self, schemas: Sequence[pa.Schema]) -> pa.Schema:
        """Return one schema for all markets: where they have other scales, the largest."""
        whole = schemas[0] if schemas else next(iter(self._schemas.values()))
        for other in schemas[1:]:
            if other.names != whole.names:
                self._refuse(f"{self.node}", "its markets have other columns: name one by --symbol")
            pairs = zip(whole, other, strict=True)
            whole = pa.schema([_wider(one, two) for one, two in pairs], metadata=whole.metadata)
        return whole

    def _chosen(self, whole: pa.Schema) -> pa.Schema:
        for name in self._wanted.columns:
            if name not in whole.names:
                near = nearest(name, whole.names)
                self._refuse("--columns", f'{self.node} has no column "{name}"; {near}')
        names = self._wanted.columns or whole.names
        return pa.schema([whole.field(name) for name in names], metadata=whole.metadata)

    def _holding(self, market: Market) -> Holding:
        days = {window.day: proof for window, proof in self._markets[market] if window.day}
        first, last = min(days, default=None), max(days, default=None)
        if self._wanted.start is not None:
            first = _day(self._wanted.start)
        if self._wanted.stop is not None:
            last = _day(self._wanted.stop - 1)
        first, last = first or last, last or first
        if first and last and first > last:  # the range lies beyond all that is there
            first, last = (last, last) if self._wanted.start is None else (first, first)
        wanted = _days(first, last) if first and last else []
        return Holding(
            *market,
            tuple(Window(*market, day) for day in wanted if day in days),
            tuple(day for day in wanted if day not in days),
            tuple(day for day in wanted if day in days and days[day] is None),
        )

    def _rows(self) -> Iterator[pa.RecordBatch]:
        for (exchange, symbol), days in sorted(self._markets.items()):
            for batch in self._market(exchange, sorted(days, key=_in_time)):
                yield self._fitted(batch, f"{exchange} {symbol}")

    def _market(self, exchange: str, days: Days) -> Iterator[pa.RecordBatch]:
        """Yield the rows of the range.

        A row is filed with the day that completes it, so it may lie in one behind the range.
        """
        start, stop = self._wanted.start, self._wanted.stop
        for window, proof in days:
            before = window.day and start is not None and window.day < _day(start)
            is_left_out = window.day is None and not self._wanted.open
            if before or is_left_out or (proof is not None and not proof.rows):
                continue
            for batch in self._sink.read(window, self.node, self._schema(exchange)):
                if batch["timestamp"].null_count:
                    where = f"{self.sink}: {self.node}, {exchange} {window.symbol} {window.name}"
                    raise SinkError(f"{where} is damaged: rows of it have no time")
                times = nanoseconds(batch["timestamp"])
                kept = _between(batch, times, start, stop)
                if len(kept):
                    yield kept
                if stop is not None and len(times) and times[-1] >= stop:
                    return

    def _fitted(self, batch: pa.RecordBatch, market: str) -> pa.RecordBatch:
        if batch.schema.equals(self._whole):
            return batch
        try:
            columns = [batch[field.name].cast(field.type) for field in self._whole]
        except pa.ArrowInvalid as error:
            raise SinkError(
                f"{self.node}: amounts of {market} do not fit beside those of the other markets:"
                " export each by its own, with --symbol"
            ) from error
        return pa.RecordBatch.from_arrays(columns, schema=self._whole)


def _wider(one: pa.Field, two: pa.Field) -> pa.Field:
    """Return the field whose amounts have more digits behind the point."""
    if pa.types.is_decimal(one.type) and pa.types.is_decimal(two.type):
        return max(one, two, key=lambda field: field.type.scale)
    return one


def _between(
    batch: pa.RecordBatch, times: Any, start: int | None, stop: int | None
) -> pa.RecordBatch:
    wanted = np.ones(len(times), bool)
    if start is not None:
        wanted &= times >= start
    if stop is not None:
        wanted &= times < stop
    return batch if wanted.all() else batch.filter(pa.array(wanted))


def _in_time(each: tuple[Window, Proof | None]) -> date:
    return each[0].day or date.max


def _day(time: int) -> date:
    return _EPOCH + timedelta(days=time // (86_400 * 10**9))


def _days(first: date, last: date) -> list[date]:
    return [first + n * _DAY for n in range((last - first).days + 1)]
