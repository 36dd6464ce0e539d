"""A simulated Bitfinex in the course of its time: REST and websocket tell of one tape."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date

import numpy as np
import pyarrow as pa

import werks_sim
from werks.schema import batch, nanoseconds, times, word
from werks_bitfinex import TradesFeed

from .exchange import MINUTE, MS, Answer, Exchange, Trade

SYMBOLS = {"tBTCUSD": "BTCUSD", "tETHUSD": "ETHUSD"}
# What REST alone has, before anybody listens.
PAST = 5 * MINUTE
_AMOUNTS = ("price", "size", "notional")
_FIRST = 1_795_583_311


class Course:
    """Pairs that were listed a little before `begin`, and are traded until `until`.

    Times are in ns since 1970. Of what is later than `now` nothing is told; there is no archive.
    """

    def __init__(self, begin: int, until: int, per_day: int = 100_000) -> None:
        self.symbols = tuple(SYMBOLS)
        self.now = begin - PAST
        sim = werks_sim.Course(werks_sim.Exchange(trades_per_day=per_day), (), self.now)
        self._rows = {
            symbol: _rows(symbol, sim.trades(market, self.now, until), _FIRST + place)
            for place, (symbol, market) in enumerate(SYMBOLS.items())
        }
        self.exchanges = {symbol: Exchange() for symbol in SYMBOLS}

    def advance(self, until: int) -> Iterator[pa.RecordBatch]:
        """Go on to a time and yield the trades since `now`, a batch of each pair."""
        since, self.now = self.now, max(self.now, until)
        for symbol, rows in self._rows.items():
            told = _between(rows, since, self.now)
            if len(told):
                self.exchanges[symbol].trades += _trades(told)
                yield told

    def trades(self, symbol: str, start: int, stop: int) -> pa.Table:
        """Return all trades from a time to before another, as they should come out."""
        return pa.Table.from_batches([_between(self._rows[symbol], start, stop)])

    def published(self, start: date) -> Iterable[tuple[str, bytes]]:
        """Return nothing: Bitfinex publishes no files."""
        return ()

    def answers(self) -> Mapping[str, Callable[[Mapping[str, str]], Answer]]:
        """Return what REST answers at each path."""
        return {f"v2/trades/{name}/hist": each.page for name, each in self.exchanges.items()}


def _rows(symbol: str, found: pa.Table, first: int) -> pa.RecordBatch:
    """Return trades as rows of a pair; every other id is of another pair, times are cut to ms."""
    (rows,) = found.combine_chunks().to_batches()
    schema, count = TradesFeed.schema, len(rows)
    return batch(
        schema,
        exchange=word(TradesFeed.exchange, count),
        symbol=word(symbol, count),
        timestamp=times(nanoseconds(rows["timestamp"]) // MS * MS),
        trade_id=pa.array(first + len(SYMBOLS) * np.arange(count)).cast(pa.string()),
        tick_rule=rows["tick_rule"],
        **{name: rows[name].cast(schema.field(name).type) for name in _AMOUNTS},
    )


def _between(rows: pa.RecordBatch, start: int, stop: int) -> pa.RecordBatch:
    first, last = np.searchsorted(nanoseconds(rows["timestamp"]), [start, stop]).tolist()
    return rows.slice(first, last - first)


def _trades(rows: pa.RecordBatch) -> list[Trade]:
    ids = rows["trade_id"].cast(pa.int64()).to_pylist()
    taken = (rows[name].to_pylist() for name in ("tick_rule", "price", "size"))
    columns = zip(ids, nanoseconds(rows["timestamp"]).tolist(), *taken, strict=True)
    return [Trade(n, time, rule > 0, price, size) for n, time, rule, price, size in columns]
