"""A simulated Kraken in the course of its time: REST and websocket tell of one tape."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date

import numpy as np
import pyarrow as pa

import werks_sim
from werks.schema import batch, nanoseconds, word
from werks_kraken import TradesFeed

from .exchange import TRADES, Answer, Exchange, Trade, error

SYMBOLS = {"BTC/USD": "BTCUSD", "ETH/USD": "ETHUSD"}
# What REST calls them, and under which key it answers.
_PAIRS = {"XBTUSD": ("BTC/USD", "XXBTZUSD"), "ETHUSD": ("ETH/USD", "XETHZUSD")}
# What REST alone has, before anybody listens.
PAST = 300 * 10**9
_AMOUNTS = ("price", "size", "notional")


class Course:
    """Pairs that were listed a little before `begin`, and are traded until `until`.

    Times are whole microseconds, in ns since 1970. Of what is later than `now` nothing is told.
    """

    def __init__(self, begin: int, until: int, per_day: int = 100_000) -> None:
        self.symbols = tuple(SYMBOLS)
        self.now = begin - PAST
        sim = werks_sim.Course(werks_sim.Exchange(trades_per_day=per_day), (), self.now)
        self._rows = {
            symbol: _rows(symbol, sim.trades(market, self.now, until))
            for symbol, market in SYMBOLS.items()
        }
        self.exchanges = {
            symbol: Exchange([], 1000, pair=pair, key=key) for pair, (symbol, key) in _PAIRS.items()
        }

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
        """Return nothing: the zips of a quarter are no door of `kraken.trades`, without its ids."""
        return ()

    def answers(self) -> Mapping[str, Callable[[Mapping[str, str]], Answer]]:
        """Return what REST answers at each path."""
        return {TRADES: self._page}

    def _page(self, query: Mapping[str, str]) -> Answer:
        if query["pair"] not in _PAIRS:
            return error("EQuery:Unknown asset pair")
        symbol, _ = _PAIRS[query["pair"]]
        return self.exchanges[symbol].answer_trades(query)


def _rows(symbol: str, found: pa.Table) -> pa.RecordBatch:
    """Return trades as rows of a pair, whose ids begin with 1."""
    (rows,) = found.combine_chunks().to_batches()
    schema, count = TradesFeed.schema, len(rows)
    return batch(
        schema,
        exchange=word(TradesFeed.exchange, count),
        symbol=word(symbol, count),
        timestamp=rows["timestamp"],
        trade_id=pa.array(np.arange(1, count + 1)).cast(pa.string()),
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
    return [
        Trade(n, time, "b" if rule > 0 else "s", f"{price:.5f}", f"{size:.8f}")
        for n, time, rule, price, size in columns
    ]
