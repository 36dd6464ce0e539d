"""The rules of every REST door, on simulators of spot and of USD-M."""

import json
from typing import Any

import pytest

from werks.testing import CandleTests, HistoryTests, Listed, Loopback, SnapshotTests, Tape
from werks_binance import (
    AggTradesRest,
    Candles,
    Funding,
    Instruments,
    OpenInterest,
    TradesRest,
)

_MS, _MINUTE, _HOUR = 10**6, 60_000, 3_600_000
_SYMBOL = "BTCUSDT"


class _Trades(HistoryTests):
    market: Any
    first = 0
    page = 40
    paths: tuple[str, ...]

    def door(self, url: str) -> Any:
        return TradesRest(market=self.market, rest_url=url, api_key="key")

    @pytest.fixture
    def published(self, simulator: Any) -> Tape:
        rows = [
            (t["time"] * _MS, str(t["id"]), 1 - 2 * t["isBuyerMaker"], t["price"], t["qty"])
            for t in simulator(self.market, first=self.first, page=self.page).trades
        ]
        return Tape(_SYMBOL, rows[0][0], rows[-1][0] + 1, rows, self.paths)


class TestSpotTrades(_Trades):
    market, paths = "spot", ("api/v3/historicalTrades", "api/v3/aggTrades")


@pytest.mark.long
class TestUsdmTrades(_Trades):
    market, paths = "usdm", ("fapi/v1/historicalTrades", "fapi/v1/klines")
    first, page = 5000, 110  # few pages: each weighs a twelfth of what a minute allows


class _AggTrades(HistoryTests):
    market: Any
    path: str

    def door(self, url: str) -> Any:
        return AggTradesRest(market=self.market, rest_url=url)

    @pytest.fixture
    def published(self, simulator: Any) -> Tape:
        rows = [
            (t["T"] * _MS, str(t["a"]), 1 - 2 * t["m"], t["p"], t["q"])
            for t in simulator(self.market, page=38).aggregates
        ]
        return Tape(_SYMBOL, rows[0][0], rows[-1][0] + 1, rows, (self.path,))


@pytest.mark.long
class TestSpotAggTrades(_AggTrades):
    market, path = "spot", "api/v3/aggTrades"


@pytest.mark.long
class TestUsdmAggTrades(_AggTrades):
    market, path = "usdm", "fapi/v1/aggTrades"


class _Candles(CandleTests):
    market: Any
    path: str

    def door(self, url: str) -> Any:
        return Candles(market=self.market, rest_url=url)

    @pytest.fixture
    def published(self, simulator: Any) -> Tape:
        rows = [(row[0] * _MS, *row[1:6]) for row in simulator(self.market, page=20).minutes()]
        stop = rows[-1][0] + _MINUTE * _MS
        return Tape(_SYMBOL, rows[0][0], stop, rows, (self.path,))


class TestSpotCandles(_Candles):
    market, path = "spot", "api/v3/klines"


@pytest.mark.long
class TestUsdmCandles(_Candles):
    market, path = "usdm", "fapi/v1/klines"


@pytest.mark.long
class TestOpenInterest(HistoryTests):
    def door(self, url: str) -> Any:
        return OpenInterest(rest_url=url)

    @pytest.fixture
    def published(self, simulator: Any) -> Tape:
        exchange = simulator("usdm")
        times = [1_700_000_100_000 + n * 7 * _HOUR for n in range(30)]
        exchange.interest = [
            {
                "symbol": _SYMBOL,
                "sumOpenInterest": f"{20403.637 + n:.8f}",
                "sumOpenInterestValue": "150570784.07809979",
                "CMCCirculatingSupply": "165880.538",
                "timestamp": time,
            }
            for n, time in enumerate(times)
        ]
        rows = [(row["timestamp"] * _MS, row["sumOpenInterest"]) for row in exchange.interest]
        path = "futures/data/openInterestHist"
        return Tape(_SYMBOL, rows[0][0], rows[-1][0] + 1, rows, (path,))


@pytest.mark.long
class TestFunding(HistoryTests):
    def door(self, url: str) -> Any:
        return Funding(rest_url=url)

    @pytest.fixture
    def published(self, simulator: Any) -> Tape:
        exchange = simulator("usdm", page=6)
        times = [1_699_977_600_000 + n * 8 * _HOUR for n in range(30)]
        exchange.funding = [
            {
                "symbol": _SYMBOL,
                "fundingRate": f"{-0.00012359 + n / 10**6:.8f}",
                "fundingTime": time + n % 46,
                "markPrice": "34287.54619963" if n > 9 else "",
            }
            for n, time in enumerate(times)
        ]
        rates = [row["fundingRate"] for row in exchange.funding]
        rows = [(time * _MS, rate) for time, rate in zip(times, rates, strict=True)]
        return Tape(_SYMBOL, rows[0][0], rows[-1][0] + 1, rows, ("fapi/v1/fundingRate",))


class _Instruments(SnapshotTests):
    market: Any
    path: str
    symbols: tuple[dict[str, Any], ...]
    rows: dict[str, dict[str, Any]]

    def door(self, url: str) -> Any:
        return Instruments(market=self.market, rest_url=url)

    def publish(self, loopback: Loopback) -> Listed:
        answer = {"timezone": "UTC", "rateLimits": [], "symbols": self.symbols}
        loopback.put(self.path, json.dumps(answer, ensure_ascii=False).encode())
        return Listed(self.rows, (self.path,))


def _listed(symbol: str, notional: dict[str, str], **given: Any) -> dict[str, Any]:
    assets = {"baseAsset": symbol.removesuffix("USDT"), "quoteAsset": "USDT"}
    steps = [
        {"filterType": "PRICE_FILTER", "minPrice": "0.01", "tickSize": "0.10000000"},
        {"filterType": "LOT_SIZE", "minQty": "0.00100000", "stepSize": "0.00000000"},
        {"filterType": "ICEBERG_PARTS", "limit": 10},
    ]
    return {"symbol": symbol, "status": "TRADING", "filters": [*steps, notional]} | assets | given


_SPOT = (
    _listed("BTCUSDT", {"filterType": "NOTIONAL", "minNotional": "5.00000000"}),
    _listed("币安人生USDT", {"filterType": "MIN_NOTIONAL", "minNotional": "10"}, status="BREAK"),
)
_SPOT_ROWS = {
    "BTCUSDT": {"kind": "spot", "status": "trading", "tick_size": "0.1", "lot_size": None},
    "币安人生USDT": {"status": "BREAK", "min_notional": "10", "base": "币安人生", "settle": "USDT"},
}
_NEVER = {"deliveryDate": 4133404800000, "onboardDate": 1569398400000, "marginAsset": "USDT"}
_LEAST = {"filterType": "MIN_NOTIONAL", "notional": "100"}
_USDM = (
    _listed("BTCUSDT", _LEAST, contractType="PERPETUAL", **_NEVER),
    _listed("TSLAUSDT", _LEAST, contractType="TRADIFI_PERPETUAL", **_NEVER),
    _listed("BTCSTUSDT", _LEAST, contractType="", **_NEVER | {"onboardDate": 0}),
    _listed(
        "BTCUSDT_261225",
        _LEAST,
        contractType="NEXT_QUARTER",
        **_NEVER | {"deliveryDate": 1798185600000},
    ),
)
_USDM_ROWS = {
    "BTCUSDT": {"kind": "perpetual", "expiry": None, "listed": 1569398400 * 10**9},
    "TSLAUSDT": {"kind": "perpetual", "min_notional": "100", "contract_value": "1"},
    "BTCSTUSDT": {"kind": "perpetual", "listed": None, "inverse": False},
    "BTCUSDT_261225": {"kind": "future", "expiry": 1798185600 * 10**9, "settle": "USDT"},
}


class TestSpotInstruments(_Instruments):
    market, path = "spot", "api/v3/exchangeInfo"
    symbols, rows = _SPOT, _SPOT_ROWS


class TestUsdmInstruments(_Instruments):
    market, path = "usdm", "fapi/v1/exchangeInfo"
    symbols, rows = _USDM, _USDM_ROWS
