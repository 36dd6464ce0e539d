"""Bybit's linear market in the course of its time: folders of day files, and the latest by REST."""

import gzip
import json
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

import pyarrow as pa

from werks.testing import Course, plain, respelt, uuids
from werks.testing.loopback import Answer
from werks_bybit import TradesRest

_HEADER = (
    "timestamp,symbol,side,size,price,tickDirection,trdMatchID,grossValue,homeNotional,"
    "foreignNotional\n"
)
_MS = 10**6
_MOST = 1000


def course(markets: Mapping[str, pa.RecordBatch], now: int) -> Course:
    """Return the course of made-up trades, by symbol."""
    door = TradesRest()
    rows = {name: respelt(each, door, name, uuids(name)) for name, each in markets.items()}
    return Course(rows, now, _files, _answers)


def _files(course: Course, day: date) -> Iterator[tuple[str, bytes]]:
    for symbol in course.rows:
        lines = [
            f"{Decimal(time).scaleb(-9).normalize():f},{symbol},{side},{size},{price},PlusTick,"
            f"{name},0,0,0\n"
            for time, side, size, price, name in _spelt(course.day(symbol, day))
        ]
        body = gzip.compress((_HEADER + "".join(lines)).encode(), 1, mtime=0)
        yield f"/trading/{symbol}/{symbol}{day}.csv.gz", body


def _answers(course: Course) -> Mapping[str, Answer]:
    """Return what REST answers: the latest trades, newest first."""
    return {"/v5/market/recent-trade": partial(_recent, course)}


def _recent(course: Course, query: Mapping[str, str]) -> tuple[int, bytes, Mapping[str, str]]:
    rows = course.past(query["symbol"])
    latest = rows.slice(max(0, len(rows) - min(_MOST, int(query["limit"]))))
    told: list[dict[str, Any]] = [
        {
            "execId": name,
            "symbol": query["symbol"],
            "price": price,
            "size": size,
            "side": side,
            "time": str(time // _MS),
            "isBlockTrade": False,
            "isRPITrade": False,
        }
        for time, side, size, price, name in _spelt(latest)
    ]
    said = {
        "retCode": 0,
        "retMsg": "OK",
        "result": {"category": query["category"], "list": told[::-1]},
        "retExtInfo": {},
        "time": course.now // _MS,
    }
    return 200, json.dumps(said).encode(), {}


def _spelt(rows: pa.RecordBatch) -> Iterator[tuple[int, str, str, str, str]]:
    """Yield time, side, size, price and id as Bybit spells them."""
    names = ("timestamp", "tick_rule", "size", "price", "trade_id")
    for time, sign, size, price, name in plain([rows], names):
        yield time, "Buy" if sign > 0 else "Sell", f"{size:.3f}", f"{price:.2f}", name
