"""The REST doors against a simulator of BitMEX's tables: the kit's rules."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest

from werks.testing import Loopback
from werks.testing.candles import CandleTests
from werks.testing.history import HistoryTests, Tape
from werks.testing.snapshot import Listed, SnapshotTests
from werks_bitmex import Candles, Funding, Instruments, TradesRest

_DAY = datetime(2019, 5, 3, tzinfo=UTC)
_NS = 10**9
_START = int(_DAY.timestamp()) * _NS
_MINUTE = 60 * _NS
_SATOSHI = Decimal("0.00000001")
_PAGE = 7
Row = Mapping[str, Any]


@attrs.frozen
class Rest:
    """A simulator: tables that are asked by symbol, startTime, start and count."""

    loopback: Loopback
    instruments: Sequence[Row] = ({"symbol": "XBTUSD", "typ": "FFWCSX", "state": "Open"},)

    def put(self, path: str, rows: Sequence[Row]) -> str:
        self.loopback.answer(
            "api/v1/instrument", lambda query: self._answer(self.instruments, query)
        )
        self.loopback.answer(f"api/v1/{path}", lambda query: self._answer(rows, query))
        return f"api/v1/{path}"

    def _answer(self, rows: Sequence[Row], query: Mapping[str, str]) -> bytes:
        found = [row for row in rows if row["symbol"] == query.get("symbol", row["symbol"])]
        # Both are ISO text of one length, so they compare as times do.
        found = [row for row in found if row.get("timestamp", "9") >= query.get("startTime", "")]
        start = int(query.get("start", 0))
        page = found[start : start + int(query.get("count", 100))]
        return json.dumps(page).encode()


def _iso(nanoseconds: int) -> str:
    moment = _DAY + timedelta(milliseconds=(nanoseconds - _START) // 1_000_000)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _trade(number: int, time: int, symbol: str = "XBTUSD") -> Row:
    price, lots = 5700 + number % 9 / 2, number % 4 + 1
    gross = round(100 * 10**8 / price) * lots
    return {
        "timestamp": _iso(time),
        "symbol": symbol,
        "side": "Buy" if number % 3 else "Sell",
        "size": 100 * lots,
        "price": price,
        "tickDirection": "ZeroMinusTick",
        "trdMatchID": f"e9836e7b-0000-4000-8000-{number:012}",
        "grossValue": gross,
        "homeNotional": gross / 1e8,
        "foreignNotional": 100 * lots,
    }


def _expected(row: Row) -> tuple[Any, ...]:
    moment = datetime.fromisoformat(row["timestamp"])
    time = _START + (moment - _DAY) // timedelta(microseconds=1) * 1000
    sign = 1 if row["side"] == "Buy" else -1
    size = row["grossValue"] * _SATOSHI
    return time, row["trdMatchID"], sign, str(row["price"]), str(size)


def _tape() -> list[Row]:
    """Return 90 trades, of which 30 share a time: more than a page of 25 holds, cut by its edge."""
    times = [n * _NS for n in range(1, 6)] + [6 * _NS] * 5
    times += [7 * _NS] * 30 + [3600 * _NS + n // 2 * 250_000_000 for n in range(50)]
    return [_trade(number, _START + time) for number, time in enumerate(times)]


def _bins() -> list[Row]:
    """Return 25 candles of a minute, the tenth without a trade."""
    rows: list[Row] = []
    close = 5700.0
    for n in range(1, 26):
        quiet = n == 10
        opens, close = close, close if quiet else 5700.0 + n % 5
        volume = 0 if quiet else 100 * n
        rows.append(
            {
                "timestamp": _iso(_START + n * _MINUTE),
                "symbol": "XBTUSD",
                "open": opens,
                "high": max(opens, close),
                "low": min(opens, close),
                "close": close,
                "trades": 0 if quiet else n,
                "volume": volume,
                "vwap": None if quiet else close,
                "turnover": round(volume / close * 1e8),
                "homeNotional": volume / close,
                "foreignNotional": volume,
            }
        )
    return rows


def _candle(row: Row, number: int) -> tuple[Any, ...]:
    volume = Decimal(str(row["homeNotional"])).quantize(_SATOSHI)
    prices = (str(row[name]) for name in ("open", "high", "low", "close"))
    return (_START + number * _MINUTE, *prices, str(volume))


class TestTrades(HistoryTests):
    rounding = 20 * _SATOSHI

    def door(self, url: str) -> TradesRest:
        return TradesRest(rest_url=url, page_size=25)

    def publish(self, loopback: Loopback) -> Tape:
        rows = _tape()
        around = [_trade(900, _START - 1), _trade(901, _START, "XBTEUR")]
        path = Rest(loopback).put("trade", [*around, *rows, _trade(902, _START + 5000 * _NS)])
        stop = _START + 4000 * _NS
        return Tape("XBTUSD", _START, stop, [_expected(row) for row in rows], [path])


class TestCandles(CandleTests):
    rounding = _SATOSHI

    def door(self, url: str) -> Candles:
        return Candles(rest_url=url, page_size=_PAGE)

    def publish(self, loopback: Loopback) -> Tape:
        bins = _bins()
        path = Rest(loopback).put("trade/bucketed", bins)
        rows = [_candle(row, number) for number, row in enumerate(bins)]
        return Tape("XBTUSD", _START, _START + 25 * _MINUTE, rows, [path])


@pytest.mark.long
class TestFunding(HistoryTests):
    cuts = False

    def door(self, url: str) -> Funding:
        return Funding(rest_url=url, page_size=_PAGE)

    def publish(self, loopback: Loopback) -> Tape:
        times = [_START + (4 + 8 * n) * 60 * _MINUTE for n in range(30)]
        spans = {"fundingInterval": "2000-01-01T08:00:00.000Z", "fundingRateDaily": 3e-4}
        rows = [
            {
                "timestamp": _iso(time),
                "symbol": "XBTUSD",
                "fundingRate": round(n / 1e4 - 9e-4, 4),
                **spans,
            }
            for n, time in enumerate(times)
        ]
        path = Rest(loopback).put("funding", rows)
        rates = [str(row["fundingRate"]) for row in rows]
        made = list(zip(times, rates, strict=True))
        return Tape("XBTUSD", _START, _START + 250 * 60 * _MINUTE, made, [path])


_KINDS = (
    {"symbol": "XBTUSD", "typ": "FFWCSX", "state": "Open", "underlying": "XBT"}
    | {"quoteCurrency": "USD", "settlCurrency": "XBt", "isInverse": True, "lotSize": 100}
    | {"multiplier": -(10**8), "underlyingToSettleMultiplier": -(10**8), "tickSize": 0.5}
    | {"listing": "2016-05-13T12:00:00.000Z", "expiry": None},
    {"symbol": "XBTUSDT", "typ": "FFWCSX", "state": "Open", "underlying": "XBT"}
    | {"settlCurrency": "USDt", "underlyingToPositionMultiplier": 10**6, "lotSize": 1000},
    {"symbol": "ETHUSD", "typ": "FFWCSX", "state": "Open", "isQuanto": True, "tickSize": 0.05},
    {"symbol": "TRXU21", "typ": "FFCCSX", "state": "Settled", "tickSize": 1e-10}
    | {"listing": "2021-06-16T08:00:00.000Z", "expiry": "2021-09-24T12:00:00.000Z"},
    {"symbol": "XBT_USDT", "typ": "IFXXXP", "state": "Open", "settlCurrency": ""}
    | {"underlyingToPositionMultiplier": 10**8, "lotSize": 10000},
    {"symbol": ".BXBT", "typ": "MRCXXX", "state": "Unlisted"},
)
_LISTED: dict[str, Row] = {
    "XBTUSD": {"kind": "perpetual", "status": "trading", "settle": "XBT", "contract_value": "1"}
    | {"tick_size": "0.5", "lot_size": "100", "inverse": True, "expiry": None}
    | {"listed": 1463140800 * _NS, "base": "XBT", "quote": "USD", "min_notional": None},
    "XBTUSDT": {"kind": "perpetual", "settle": "USDT", "contract_value": "0.000001"},
    "ETHUSD": {"kind": "perpetual", "contract_value": None, "tick_size": "0.05"},
    "TRXU21": {"kind": "future", "status": "Settled", "tick_size": "0.0000000001"}
    | {"expiry": 1632484800 * _NS},
    "XBT_USDT": {"kind": "spot", "settle": None, "contract_value": "0.00000001"},
    ".BXBT": {"kind": "index", "status": "Unlisted", "tick_size": None, "inverse": False},
}


class TestInstruments(SnapshotTests):
    def door(self, url: str) -> Instruments:
        return Instruments(rest_url=url)

    def publish(self, loopback: Loopback) -> Listed:
        path = loopback.answer(
            "api/v1/instrument/active", lambda _: json.dumps(_KINDS).encode()
        ).removeprefix(loopback.url)
        return Listed(_LISTED, [path])


class TestAllInstruments(SnapshotTests):
    """With those that are closed the list comes in pages of 500; here each is of three."""

    def door(self, url: str) -> Instruments:
        return Instruments(rest_url=url, closed=True)

    def publish(self, loopback: Loopback) -> Listed:
        def answer(query: Mapping[str, str]) -> bytes:
            start = int(query["start"])
            return json.dumps(_KINDS[start : start + 3]).encode()

        loopback.answer("api/v1/instrument", answer)
        return Listed(_LISTED, ["api/v1/instrument"])
