"""The REST doors against a simulator of Bybit's v5 interface: the kit's rules."""

import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import attrs
import pytest

from werks.testing import Loopback
from werks.testing.candles import CandleTests
from werks.testing.history import HistoryTests, Tape
from werks.testing.snapshot import Listed, SnapshotTests
from werks_bybit import Candles, Funding, Instruments, OpenInterest

_MS = 10**6
_MINUTE, _HOUR = 60_000, 3_600_000
_START = 1_709_856_000_000  # 2024-03-08, in milliseconds as all times here
_PAGE = 7


@attrs.frozen
class Rest:
    """A simulator: rows of one symbol by time, newest first, in pages, in Bybit's envelope."""

    loopback: Loopback
    market: str
    now: int = _START + 10**10

    def put(self, path: str, rows: Sequence[Any], time: Callable[[Any], str], *span: str) -> str:
        """Serve rows between the two times of the query that are named by `span`."""

        def answer(query: Mapping[str, str]) -> bytes:
            if query["category"] != self.market or query["symbol"] != "BTCUSDT":
                said = {"retCode": 10001, "retMsg": "params error: symbol invalid", "result": {}}
                return json.dumps(said).encode()
            first, last = (int(query[name]) for name in span)
            found = [row for row in rows if first <= int(time(row)) <= last][::-1]
            skip, limit = int(query.get("cursor", "0,0").split(",")[1]), int(query["limit"])
            more = f"0%2C{skip + limit}" if len(found) > skip + limit else ""
            return self.body(found[skip : skip + limit], more)

        self.loopback.answer(f"v5/market/{path}", answer)
        return f"v5/market/{path}"

    def body(self, rows: Sequence[Any], cursor: str | None = None) -> bytes:
        result: dict[str, Any] = {"category": self.market, "list": rows}
        if cursor is not None:
            result["nextPageCursor"] = cursor
        answer = {"retCode": 0, "retMsg": "OK", "result": result, "time": self.now}
        return json.dumps({**answer, "retExtInfo": {}}).encode()


def _bars(previous: bool) -> list[list[str]]:
    """Return 40 candles as text: time, open, high, low, close, base volume, quote turnover."""
    rows, close = [], Decimal(42000)
    for n in range(40):
        quiet = n == 10
        opens = close if previous or quiet else close + 1
        close = close if quiet else Decimal(42000 + n * 7 % 5)
        base = Decimal(0 if quiet else n + 1) / 1000
        prices = [opens, max(opens, close), min(opens, close), close]
        rows.append([str(_START + n * _MINUTE), *map(str, [*prices, base, base * close])])
    return rows


class CandleRules(CandleTests):
    market = "linear"

    def door(self, url: str) -> Candles:
        market: Any = self.market
        return Candles(market=market, rest_url=url, page_size=_PAGE)

    def publish(self, loopback: Loopback) -> Tape:
        bars = _bars(previous=self.market != "spot")
        sent = [self.sent(bar) for bar in bars]
        path = Rest(loopback, self.market).put("kline", sent, lambda row: row[0], "start", "end")
        rows = [(int(bar[0]) * _MS, *bar[1:6]) for bar in bars]
        return Tape("BTCUSDT", _START * _MS, (_START + 40 * _MINUTE) * _MS, rows, [path])

    def sent(self, bar: list[str]) -> list[str]:
        return bar


@pytest.mark.long
class TestLinearCandles(CandleRules):
    pass


class TestSpotCandles(CandleRules):
    market = "spot"


@pytest.mark.long
class TestInverseCandles(CandleRules):
    """Volume in US dollars and turnover in base: the other way round on the wire."""

    market = "inverse"

    def sent(self, bar: list[str]) -> list[str]:
        return [*bar[:5], bar[6], bar[5]]


@pytest.mark.long
class TestInterest(HistoryTests):
    cuts = False

    def door(self, url: str) -> OpenInterest:
        return OpenInterest(rest_url=url, page_size=_PAGE)

    def publish(self, loopback: Loopback) -> Tape:
        rows = [
            {"openInterest": f"{50000 + n}.125", "timestamp": str(_START + n * 5 * _MINUTE)}
            for n in range(30)
        ]
        path = Rest(loopback, "linear").put(
            "open-interest", rows, lambda row: row["timestamp"], "startTime", "endTime"
        )
        made = [(int(row["timestamp"]) * _MS, row["openInterest"]) for row in rows]
        stop = (_START + 30 * 5 * _MINUTE) * _MS
        return Tape("BTCUSDT", _START * _MS, stop, made, [path])


def _rate(number: int) -> str:
    return f"{Decimal(number % 5 - 2).scaleb(-5):f}"


class FundingRules(HistoryTests):
    cuts = False
    hours = 8

    def door(self, url: str) -> Funding:
        return Funding(rest_url=url, page_size=_PAGE)

    def publish(self, loopback: Loopback) -> Tape:
        times = [_START + n * self.hours * _HOUR for n in range(200 // self.hours)]
        rows = [
            {"symbol": "BTCUSDT", "fundingRate": _rate(n), "fundingRateTimestamp": str(time)}
            for n, time in enumerate(times)
        ]
        path = Rest(loopback, "linear").put(
            "funding/history", rows, lambda row: row["fundingRateTimestamp"], "startTime", "endTime"
        )
        made = [(time * _MS, _rate(n)) for n, time in enumerate(times)]
        return Tape("BTCUSDT", _START * _MS, (_START + 200 * _HOUR) * _MS, made, [path])


class TestFunding(FundingRules):
    pass


@pytest.mark.long
class TestHourlyFunding(FundingRules):
    """A span that is meant for a page of eight-hourly rates takes several pages."""

    hours = 1


def _contract(symbol: str, kind: str, **more: Any) -> dict[str, Any]:
    return {
        "symbol": symbol,
        "contractType": kind,
        "status": "Trading",
        "baseCoin": "BTC",
        "quoteCoin": "USDT",
        "settleCoin": "USDT",
        "launchTime": "1643007175000",
        "deliveryTime": "0",
        "deliveryFeeRate": "",
        "priceFilter": {"minPrice": "0.1", "tickSize": "0.10"},
        "lotSizeFilter": {"qtyStep": "0.001", "minOrderQty": "0.002", "minNotionalValue": "5"},
        "fundingInterval": 480,
    } | more


_CONTRACTS = [
    _contract("BTCUSDT", "LinearPerpetual"),
    _contract("BTC-21FEB25", "LinearFutures", deliveryTime="1740124800000"),
    _contract("NEWUSDT", "LinearPerpetual", status="PreLaunch", launchTime=""),
    _contract("BTCPERP", "LinearPerpetual", settleCoin="USDC", quoteCoin="USDC"),
    _contract("XUSDT", "LinearPerpetual", lotSizeFilter={"qtyStep": "1", "minOrderQty": "10"}),
]


class TestContracts(SnapshotTests):
    """The list comes in three pages; a cursor is percent-encoded once, not twice."""

    def door(self, url: str) -> Instruments:
        return Instruments(rest_url=url)

    def publish(self, loopback: Loopback) -> Listed:
        def answer(query: Mapping[str, str]) -> bytes:
            start = int(query.get("cursor", "0,0").split(",")[1])
            more = f"0%2C{start + 2}" if start + 2 < len(_CONTRACTS) else ""
            return Rest(loopback, "linear").body(_CONTRACTS[start : start + 2], more)

        loopback.answer("v5/market/instruments-info", answer)
        rows: dict[str, dict[str, Any]] = {
            "BTCUSDT": {"kind": "perpetual", "status": "trading", "base": "BTC", "quote": "USDT"}
            | {"settle": "USDT", "tick_size": "0.1", "lot_size": "0.001", "min_size": "0.002"}
            | {"min_notional": "5", "contract_value": "1", "inverse": False, "expiry": None}
            | {"listed": 1643007175000 * _MS},
            "BTC-21FEB25": {"kind": "future", "expiry": 1740124800000 * _MS},
            "NEWUSDT": {"kind": "perpetual", "status": "PreLaunch", "listed": None},
            "BTCPERP": {"settle": "USDC", "exchange": "bybit-linear"},
            "XUSDT": {"lot_size": "1", "min_size": "10", "min_notional": None},
        }
        return Listed(rows, ["v5/market/instruments-info"])


class TestSpotInstruments(SnapshotTests):
    def door(self, url: str) -> Instruments:
        return Instruments(market="spot", rest_url=url)

    def publish(self, loopback: Loopback) -> Listed:
        lots = {"basePrecision": "0.000001", "quotePrecision": "0.01", "minOrderQty": "0.00004"}
        row = {"symbol": "BTCUSDT", "baseCoin": "BTC", "quoteCoin": "USDT", "status": "Trading"}
        row |= {"lotSizeFilter": lots | {"minOrderAmt": "1"}, "priceFilter": {"tickSize": "0.01"}}
        body = Rest(loopback, "spot").body([row])
        loopback.answer("v5/market/instruments-info", lambda _: body)
        expected: dict[str, Any] = {"kind": "spot", "settle": None, "lot_size": "0.000001"}
        expected |= {"min_notional": "1", "contract_value": None, "listed": None}
        return Listed({"BTCUSDT": expected}, ["v5/market/instruments-info"])
