"""Binance's spot market in the course of its time: zipped days with checksums, and REST by id."""

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from datetime import date
from functools import partial
from itertools import count
from typing import Any

import pyarrow as pa

from werks.testing import Course, plain, respelt
from werks.testing.loopback import Answer
from werks_binance import TradesRest

FIRST_ID = 3_000_000
_MS = 10**6
Query = Mapping[str, str]
Told = tuple[int, bytes, Mapping[str, str]]


def course(markets: Mapping[str, pa.RecordBatch], now: int) -> Course:
    """Return the course of made-up trades, by symbol."""
    door = TradesRest()
    rows = {name: respelt(each, door, name, count(FIRST_ID)) for name, each in markets.items()}
    return Course(rows, now, _files, _answers)


def _files(course: Course, day: date) -> Iterator[tuple[str, bytes]]:
    for symbol in course.rows:
        name = f"{symbol}-trades-{day}"
        path = f"/data/spot/daily/trades/{symbol}/{name}.zip"
        body = _zipped(name, course.day(symbol, day))
        yield path, body
        yield f"{path}.CHECKSUM", f"{hashlib.sha256(body).hexdigest()}  {name}.zip\n".encode()


def _zipped(name: str, rows: pa.RecordBatch) -> bytes:
    lines = [
        f"{row['id']},{row['price']},{row['qty']},{row['quoteQty']},{row['time']},"
        f"{row['isBuyerMaker']},True\n"
        for row in _spelt(rows)
    ]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{name}.csv", "".join(lines))
    return packed.getvalue()


def _answers(course: Course) -> Mapping[str, Answer]:
    """Return what REST answers: trades by id, and the aggregates that tell the id of a time."""
    return {
        "/api/v3/historicalTrades": partial(_trades, course),
        "/api/v3/aggTrades": partial(_aggregates, course),
    }


def _trades(course: Course, query: Query) -> Told:
    rows, limit = course.past(query["symbol"]), int(query["limit"])
    begin = max(0, int(query["fromId"]) - FIRST_ID) if "fromId" in query else len(rows) - limit
    return _answer(_spelt(rows.slice(max(0, begin), limit)))


def _aggregates(course: Course, query: Query) -> Told:
    """Answer with aggregates of one trade each, by id or from a time (ms) on."""
    rows = course.past(query["symbol"], int(query.get("startTime", 0)) * _MS)
    begin = max(0, int(query.get("fromId", 0)) - FIRST_ID)
    told = [
        {
            "a": row["id"],
            "p": row["price"],
            "q": row["qty"],
            "f": row["id"],
            "l": row["id"],
            "T": row["time"],
            "m": row["isBuyerMaker"],
            "M": True,
        }
        for row in _spelt(rows.slice(begin, int(query["limit"])))
    ]
    return _answer(told)


def _answer(said: Any) -> Told:
    return 200, json.dumps(said).encode(), {"X-MBX-USED-WEIGHT-1M": "1"}


def _spelt(rows: pa.RecordBatch) -> list[dict[str, Any]]:
    """Return trades as REST spells them: eight digits, times in ms."""
    names = ("timestamp", "trade_id", "tick_rule", "price", "size", "notional")
    return [
        {
            "id": int(name),
            "price": f"{price:.8f}",
            "qty": f"{size:.8f}",
            "quoteQty": f"{notional:.8f}",
            "time": time // _MS,
            "isBuyerMaker": sign < 0,
        }
        for time, name, sign, price, size, notional in plain([rows], names)
    ]
