"""A simulated Bitfinex in the course of its time: REST and websocket tell of one tape."""

from collections.abc import Mapping
from functools import partial
from itertools import count

import pyarrow as pa

from werks.testing import Course, plain, respelt
from werks.testing import loopback as served
from werks.testing.tape import COLUMNS
from werks_bitfinex import TradesFeed

from .exchange import MS, Answer, Exchange, Query, Trade

_FIRST = 1_795_583_311


def course(markets: Mapping[str, pa.RecordBatch], now: int) -> Course:
    """Return the course of made-up trades, by pair; each id is of one pair, and no file is."""
    door = TradesFeed()
    rows = {
        name: respelt(each, door, name, count(_FIRST + place, len(markets)), grain=MS)
        for place, (name, each) in enumerate(markets.items())
    }
    return Course(rows, now, rest=_answers)


def _answers(course: Course) -> Mapping[str, served.Answer]:
    return {
        f"v2/trades/{name}/hist": partial(_page, course, name, _spelt(rows))
        for name, rows in course.rows.items()
    }


def _page(course: Course, name: str, trades: list[Trade], query: Query) -> Answer:
    return Exchange(trades[: len(course.past(name))]).page(query)


def _spelt(rows: pa.RecordBatch) -> list[Trade]:
    found = plain([rows], COLUMNS["TRADE"])
    return [Trade(int(n), time, rule > 0, price, size) for time, n, rule, price, size in found]
