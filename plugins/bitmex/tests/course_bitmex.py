"""BitMEX's inverse contracts in the course of their time: a file a day for all, and REST."""

import gzip
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from werks import amounts
from werks.testing import Course, plain, respelt, uuids
from werks.testing.loopback import Answer
from werks_bitmex import TradesRest

_COLUMNS = (
    *("timestamp", "symbol", "side", "size", "price", "tickDirection", "trdMatchID"),
    *("grossValue", "homeNotional", "foreignNotional", "trdType"),
)
_MS = 10**6
_LOT, _TICK, _SATOSHIS = 100, 50, 10**8
Query = Mapping[str, str]


def course(markets: Mapping[str, pa.RecordBatch], now: int) -> Course:
    """Return the course of made-up trades, by symbol."""
    rows = {
        name: respelt(_inverse(each), TradesRest(), name, uuids(name))
        for name, each in markets.items()
    }
    return Course(rows, now, _files, _answers)


def _inverse(market: pa.RecordBatch) -> pa.RecordBatch:
    """Return trades as those of contracts of one dollar, at prices of half dollars."""
    price, size = (amounts.ints(amounts.limbs(market[name])) for name in ("price", "size"))
    cents, contracts = price // _TICK * _TICK, size * _LOT
    gross = [
        round(Decimal(int(paid)) * _SATOSHIS * 100 / int(price))
        for paid, price in zip(contracts, cents, strict=True)
    ]
    exact = {"price": (cents, 2), "size": (np.array(gross), 8), "notional": (contracts, 0)}
    return pa.record_batch(
        {
            "timestamp": market["timestamp"],
            "tick_rule": market["tick_rule"],
            **{n: amounts.column(amounts.from_ints(of), scale) for n, (of, scale) in exact.items()},
        }
    )


def _files(course: Course, day: date) -> Iterator[tuple[str, bytes]]:
    lines = [",".join(_COLUMNS) + "\n"]
    for symbol in sorted(course.rows):
        for row in _spelt(course.day(symbol, day)):
            time = row["timestamp"].replace("T", "D").replace("Z", "000000")
            cells = {**row, "timestamp": time}
            lines.append(",".join(str(cells[name]) for name in _COLUMNS) + "\n")
    yield f"/data/trade/{day:%Y%m%d}.csv.gz", gzip.compress("".join(lines).encode(), 1, mtime=0)


def _answers(course: Course) -> Mapping[str, Answer]:
    """Return what REST answers: the table of trades, from a time on, and the instruments."""
    return {
        "/api/v1/trade": partial(_table, course),
        "/api/v1/instrument": partial(_instrument, set(course.rows)),
    }


def _table(course: Course, query: Query) -> bytes:
    moment = datetime.fromisoformat(query["startTime"])
    since = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000
    rows = course.past(query["symbol"], since)
    page = _spelt(rows.slice(int(query["start"]), int(query["count"])))
    return json.dumps(page).encode()


def _instrument(known: set[str], query: Query) -> bytes:
    found = [{"symbol": query["symbol"]}] if query["symbol"] in known else []
    return json.dumps(found).encode()


def _spelt(rows: pa.RecordBatch) -> list[dict[str, Any]]:
    """Return trades as BitMEX spells them: numbers, and times in ms."""
    names = ("timestamp", "symbol", "tick_rule", "trade_id", "price", "size", "notional")
    return [
        {
            "timestamp": _iso(time),
            "symbol": symbol,
            "side": "Buy" if sign > 0 else "Sell",
            "size": int(paid),
            "price": float(price),
            "tickDirection": "ZeroPlusTick",
            "trdMatchID": name,
            "grossValue": int(size * _SATOSHIS),
            "homeNotional": float(size),
            "foreignNotional": int(paid),
            "trdType": "Regular",
        }
        for time, symbol, sign, name, price, size, paid in plain([rows], names)
    ]


def _iso(time: int) -> str:
    moment = datetime.fromtimestamp(time // 10**9, UTC) + timedelta(milliseconds=time // _MS % 1000)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
