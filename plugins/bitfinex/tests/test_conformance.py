from decimal import Decimal

import pytest

from werks.testing import CandleTests, HistoryTests, Listed, SnapshotTests, Tape
from werks_bitfinex import Candles, Funding, Instruments, OpenInterest, Trades

from .exchange import (
    CANDLES,
    MINUTE,
    PERPETUAL,
    SECOND,
    START,
    STATUS,
    SYMBOL,
    TRADES,
    Exchange,
    candles,
    status,
    tape,
)

# More lies before and behind.
_START, _STOP = START + 2 * MINUTE, START + 14 * MINUTE
_HOUR = 3600 * SECOND
_MIDNIGHT = 19_900 * 24 * _HOUR
_CONF = "v2/conf/pub:list:pair:exchange,pub:list:pair:futures,pub:info:pair,pub:info:pair:futures"


class TestTrades(HistoryTests):
    stranger = "tNOSUCH"

    def door(self, url):
        return Trades(page_size=45, rest_url=f"{url}/v2")

    def publish(self, loopback):
        Exchange(tape()).serve(loopback)
        rows = [each.row() for each in tape() if _START <= each.time < _STOP]
        return Tape(SYMBOL, _START, _STOP, rows, [TRADES])


class TestCandles(CandleTests):
    stranger = "tNOSUCH"

    def door(self, url):
        return Candles(page_size=4, rest_url=f"{url}/v2")

    def publish(self, loopback):
        Exchange(tape()).serve(loopback)
        rows = [row for row in candles(tape()) if _START <= row[0] < _STOP]
        return Tape(SYMBOL, _START, _STOP, rows, [CANDLES])


@pytest.mark.long
class TestOpenInterest(HistoryTests):
    stranger = "tNOSUCH"

    def door(self, url):
        return OpenInterest(page_size=20, rest_url=f"{url}/v2")

    def publish(self, loopback):
        rows = [(START + n * MINUTE, Decimal(100_000 + n) / 100) for n in range(110)]
        told = [status(*row, Decimal("0.0001")) for row in rows]
        for gone in range(40, 65):  # a page and more without any
            told[gone][17] = None
        told[80] = told[80][:12]  # as in 2019
        Exchange(statuses=told).serve(loopback)
        known = [row for n, row in enumerate(rows) if told[n][17:18] not in ([], [None])]
        start, stop = START + 10 * MINUTE, START + 100 * MINUTE
        return Tape(PERPETUAL, start, stop, [r for r in known if start <= r[0] < stop], [STATUS])


@pytest.mark.long
class TestFunding(HistoryTests):
    stranger = "tNOSUCH"

    def door(self, url):
        return Funding(page_size=60, rest_url=f"{url}/v2")

    def publish(self, loopback):
        turns = {_MIDNIGHT + n * 8 * _HOUR: Decimal(n - 3) / 10**5 for n in range(14)}
        told = []
        for minute in range(-60, 14 * 480, 10):
            time = _MIDNIGHT + minute * MINUTE + 1_234 * 10**6
            turn = time - time % (8 * _HOUR)
            told.append(status(time, Decimal(5), turns.get(turn, Decimal(9))))
        Exchange(statuses=told).serve(loopback)
        start, stop = _MIDNIGHT + 24 * _HOUR, _MIDNIGHT + 4 * 24 * _HOUR
        rows = [row for row in turns.items() if start <= row[0] < stop]
        return Tape(PERPETUAL, start, stop, rows, [STATUS])


class TestInstruments(SnapshotTests):
    number = "min_size"

    def door(self, url):
        return Instruments(rest_url=f"{url}/v2")

    def publish(self, loopback):
        rules = b'[null,null,null,%s,"5000.0",null,null,null,0.3,0.15,null,null]'
        infos = [(b"AAVE:USD", b'"0.02"'), (b"BTCUSD", b'"0.00004"'), (b"BTCUST", b"null")]
        spot = b",".join(b'["%s",%s]' % (pair, rules % least) for pair, least in infos)
        future = b'["BTCF0:USTF0",%s]' % (rules % b'"0.0002"')
        body = b'[["BTCUSD","BTCUST","AAVE:USD","NEWUSD"],["BTCF0:USTF0"],[%s],[%s]]'
        loopback.put(_CONF, body % (spot, future))
        rows = {
            "tBTCUSD": {"kind": "spot", "base": "BTC", "quote": "USD", "min_size": "0.00004"},
            "tBTCUST": {"base": "BTC", "quote": "UST", "min_size": None, "tick_size": None},
            "tAAVE:USD": {"base": "AAVE", "quote": "USD", "min_size": "0.02", "status": "trading"},
            "tNEWUSD": {"lot_size": "0.00000001", "min_size": None},
            "tBTCF0:USTF0": {"kind": "perpetual", "base": "BTCF0", "settle": "USTF0"},
        }
        return Listed(rows, [_CONF])
