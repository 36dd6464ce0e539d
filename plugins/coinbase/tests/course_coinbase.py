"""A simulated Coinbase Exchange in the course of its time: REST and websocket of one tape."""

from collections.abc import Mapping
from functools import partial
from itertools import count

import pyarrow as pa

from werks.testing import Course, plain, respelt
from werks.testing import loopback as served
from werks.testing.tape import COLUMNS
from werks_coinbase import TradesFeed

from .exchange import Answer, Exchange, Trade


def course(markets: Mapping[str, pa.RecordBatch], now: int) -> Course:
    """Return the course of made-up trades, by product; their ids begin with 1, and no file is."""
    door = TradesFeed()
    rows = {name: respelt(each, door, name, count(1)) for name, each in markets.items()}
    return Course(rows, now, rest=_answers)


def _answers(course: Course) -> Mapping[str, served.Answer]:
    return {
        f"products/{name}/trades": partial(_page, course, name, _spelt(rows))
        for name, rows in course.rows.items()
    }


def _page(course: Course, name: str, trades: list[Trade], query: Mapping[str, str]) -> Answer:
    return Exchange(trades[: len(course.past(name))]).page(query)


def _spelt(rows: pa.RecordBatch) -> list[Trade]:
    found = plain([rows], COLUMNS["TRADE"])
    return [Trade(int(n), time, rule > 0, price, size) for time, n, rule, price, size in found]
