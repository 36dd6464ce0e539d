import pytest

from werks.testing import CandleTests, HistoryTests, Listed, SnapshotTests, Tape
from werks_coinbase import Candles, Instruments, Trades

from .exchange import CANDLES, MINUTE, PRODUCT, START, TRADES, Exchange, candles, tape

# More lies before and behind.
_START, _STOP = START + 2 * MINUTE, START + 12 * MINUTE
_COUNT = 190  # trades, of which some lie behind
_LATER = START + 16 * MINUTE  # behind some minutes without any


class TestTrades(HistoryTests):
    stranger = "NO-SUCH"

    def door(self, url):
        return Trades(page_size=40, rest_url=url)

    def publish(self, loopback):
        Exchange(tape(_COUNT)).serve(loopback)
        rows = [each.row() for each in tape(_COUNT) if _START <= each.time < _STOP]
        return Tape(PRODUCT, _START, _STOP, rows, [TRADES])


@pytest.mark.long
class TestTradesOfShortPages(TestTrades):
    """The exchange gives fewer trades than it is asked for."""

    def publish(self, loopback):
        published = super().publish(loopback)
        Exchange(tape(_COUNT), most=26).serve(loopback)
        return published


class TestCandles(CandleTests):
    stranger = "NO-SUCH"

    def door(self, url):
        return Candles(page_size=4, rest_url=url)

    def publish(self, loopback):
        Exchange(tape()).serve(loopback)
        rows = [row for row in candles(tape()) if _START <= row[0] < _LATER]
        return Tape(PRODUCT, _START, _LATER, rows, [CANDLES])


class TestInstruments(SnapshotTests):
    number = "tick_size"

    def door(self, url):
        return Instruments(rest_url=url)

    def publish(self, loopback):
        loopback.put("products", _PRODUCTS)
        rows = {
            "BTC-USD": {
                "kind": "spot",
                "status": "trading",
                "base": "BTC",
                "quote": "USD",
                "tick_size": "0.01",
                "lot_size": "0.00000001",
                "min_notional": "1",
                "min_size": None,
            },
            "SHIB-BTC": {
                "status": "cancel_only",
                "tick_size": "0.00001",
                "min_notional": "0.000016",
                "min_size": "0.5",
            },
            "OLD-EUR": {"status": "delisted", "tick_size": "0.001", "min_notional": None},
            "AUC-USD": {"status": "trading", "lot_size": "10"},
            "OFF-USD": {"status": "trading_disabled"},
        }
        return Listed(rows, ["products"])


_PRODUCTS = b"""[
{"id":"BTC-USD","base_currency":"BTC","quote_currency":"USD","quote_increment":"0.01",
 "base_increment":"1e-08","display_name":"BTC/USD","min_market_funds":"1","margin_enabled":false,
 "post_only":false,"limit_only":false,"cancel_only":false,"status":"online","status_message":"",
 "trading_disabled":false,"fx_stablecoin":false,"max_slippage_percentage":"0.02"},
{"id":"SHIB-BTC","base_currency":"SHIB","quote_currency":"BTC","quote_increment":"1e-05",
 "base_increment":"1","min_market_funds":"1.6e-05","base_min_size":"0.5","cancel_only":true,
 "status":"online"},
{"id":"OLD-EUR","base_currency":"OLD","quote_currency":"EUR","quote_increment":"0.001",
 "base_increment":"0.1","min_market_funds":"0.0","status":"delisted","trading_disabled":true},
{"id":"AUC-USD","base_currency":"AUC","quote_currency":"USD","quote_increment":"0.001",
 "base_increment":"10","limit_only":true,"status":"online"},
{"id":"OFF-USD","base_currency":"OFF","quote_currency":"USD","quote_increment":"0.001",
 "base_increment":"10","status":"online","trading_disabled":true}
]"""
