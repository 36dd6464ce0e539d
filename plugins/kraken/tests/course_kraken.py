"""A simulated Kraken in the course of its time: REST and websocket tell of one tape."""

from collections.abc import Mapping
from functools import partial
from itertools import count

import pyarrow as pa

from werks.testing import Course, plain, respelt
from werks.testing import loopback as served
from werks.testing.tape import COLUMNS
from werks_kraken import TradesFeed

from .exchange import TRADES, Answer, Exchange, Trade, error

# What REST calls them, and under which key it answers.
_PAIRS = {"XBTUSD": ("BTC/USD", "XXBTZUSD"), "ETHUSD": ("ETH/USD", "XETHZUSD")}


def course(markets: Mapping[str, pa.RecordBatch], now: int) -> Course:
    """Return the course of made-up trades, by pair; their ids begin with 1.

    It has no files: the zips of a quarter are no door of `kraken.trades`, for they have no ids.
    """
    door = TradesFeed()
    rows = {name: respelt(each, door, name, count(1)) for name, each in markets.items()}
    return Course(rows, now, rest=_answers)


def _answers(course: Course) -> Mapping[str, served.Answer]:
    trades = {name: _spelt(rows) for name, rows in course.rows.items()}
    return {TRADES: partial(_page, course, trades)}


def _page(course: Course, trades: Mapping[str, list[Trade]], query: Mapping[str, str]) -> Answer:
    if query["pair"] not in _PAIRS:
        return error("EQuery:Unknown asset pair")
    symbol, key = _PAIRS[query["pair"]]
    told = trades[symbol][: len(course.past(symbol))]
    return Exchange(told, 1000, pair=query["pair"], key=key).answer_trades(query)


def _spelt(rows: pa.RecordBatch) -> list[Trade]:
    return [
        Trade(int(n), time, "b" if rule > 0 else "s", f"{price:.5f}", f"{size:.8f}")
        for time, n, rule, price, size in plain([rows], COLUMNS["TRADE"])
    ]
