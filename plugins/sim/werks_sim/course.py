"""The exchange in the course of its time: what has happened until now, and nothing later."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache, partial
from typing import Any

import attrs
import numpy as np
import pyarrow as pa

from werks import amounts
from werks.schema import batch, nanoseconds, times, word

from . import wire
from .exchange import Exchange
from .market import Tape
from .pages import LENGTHS, Answer, Query, answers

_DAY = timedelta(days=1)
_DAY_LONG = 86_400 * 10**9


@attrs.define
class Course:
    """One exchange for all doors: files, pages and live trades of one tape, up to `now`.

    `now` is in ns since 1970; `advance` moves it. A day is published `lag` after its end. The
    trades of lost days are live too.
    """

    exchange: Exchange
    symbols: Sequence[str]
    now: int
    lag: timedelta = timedelta(0)
    _published: set[str] = attrs.field(factory=set, init=False)

    def advance(self, until: int) -> Iterator[pa.RecordBatch]:
        """Go on to a time and yield the trades since `now`, for `LoopbackSocket.push`.

        A batch of each market that has any, TRADE with `received` null.
        """
        since, self.now = self.now, max(self.now, until)
        for symbol in self.symbols:
            yield from self._between(symbol, since, self.now)

    def trades(self, symbol: str, start: int, stop: int) -> pa.Table:
        """Return all trades of a market from a time to before another, as they should come out."""
        return pa.Table.from_batches(self._between(symbol, start, stop), wire.SCHEMA)

    def _between(self, symbol: str, start: int, stop: int) -> Iterator[pa.RecordBatch]:
        for days in range(start // _DAY_LONG, -(-stop // _DAY_LONG)):
            rows = traded(self.exchange, symbol, date(1970, 1, 1) + days * _DAY)
            begin, end = np.searchsorted(nanoseconds(rows["timestamp"]), [start, stop]).tolist()
            if begin < end:
                yield rows.slice(begin, end - begin)

    def published(self, start: date) -> Iterator[tuple[str, bytes]]:
        """Yield (path, body) of what the archive has published since this was last asked for."""
        stop = datetime.fromtimestamp(self.now // 10**9, UTC) - self.lag
        for symbol in self.symbols:
            for day in self.exchange.days(symbol, start, stop.date()):
                if (name := f"{symbol} {day}") not in self._published:
                    self._published.add(name)
                    yield from self.exchange.published(symbol, day, day + _DAY)

    def answers(self) -> Mapping[str, Callable[[Query], Answer]]:
        """Return what REST answers at each path, for `Loopback.answer`; nothing that is to come."""
        made = answers(self.exchange)
        return {path: partial(self._answer, answer) for path, answer in made.items()}

    def _answer(self, answer: Callable[[Query], Answer], query: Query) -> Answer:
        status, body, headers = answer(query)
        said: dict[str, Any] = json.loads(body)
        if "rows" in said and "symbol" in query:
            # A candle is told of once it is over.
            length = LENGTHS[query["interval"]] if "interval" in query else 1
            until = self.now // wire.TIME_UNIT - length
            said["rows"] = [row for row in said["rows"] if row["time"] <= until]
        return status, json.dumps(said).encode(), headers


@lru_cache(maxsize=16)
def traded(exchange: Exchange, symbol: str, day: date) -> pa.RecordBatch:
    """Return the trades of a day as rows of TRADE, without faults."""
    tape = exchange.tape(symbol, day)
    price, size = _amounts(tape)
    return batch(
        wire.SCHEMA,
        exchange=word(wire.EXCHANGE, len(tape)),
        symbol=word(symbol, len(tape)),
        timestamp=times(tape.times * wire.TIME_UNIT),
        trade_id=pa.array(tape.ids, pa.int64()).cast(pa.string()),
        tick_rule=pa.array(tape.sides, pa.int64()).cast(pa.int8()),
        price=price,
        size=size,
        notional=wire.notionals(price, size),
    )


def _amounts(tape: Tape) -> tuple[pa.Array, pa.Array]:
    price = amounts.rescaled(tape.prices, wire.SCALES.price - tape.market.price_digits)
    size = amounts.rescaled(tape.sizes, wire.SCALES.size - tape.market.size_digits)
    return amounts.column(price, wire.SCALES.price), amounts.column(size, wire.SCALES.size)
