"""The REST doors keep the rules."""

from datetime import timedelta
from decimal import Decimal

import pytest

from werks.testing import CandleTests, HistoryTests, Listed, SnapshotTests, Tape
from werks_sim import Candles, Exchange, History, Instruments, OpenInterest, answers
from werks_sim.market import START

EXCHANGE = Exchange(seed=5, trades_per_day=400)
MIDNIGHT = 1_704_067_200 * 10**9 + 86_400 * 10**9
HOUR = 3600 * 10**9
SHARED = {"seed": 5, "trades_per_day": 400}


def serve(loopback, exchange=EXCHANGE):
    for path, answer in answers(exchange).items():
        loopback.answer(path, answer)


def trades(start, stop, symbol="BTCUSD"):
    """Return (time in ns, id, side, price, size) of all trades, read off the market itself."""
    found = []
    for day in (START, START + timedelta(days=1)):
        tape = EXCHANGE.tape(symbol, day)
        price, size = tape.market.price_digits, tape.market.size_digits
        found += [
            (time * 1000, str(ident), side, Decimal(p).scaleb(-price), Decimal(s).scaleb(-size))
            for ident, time, side, p, s in zip(
                tape.ids.tolist(),
                tape.times.tolist(),
                tape.sides.tolist(),
                tape.prices.tolist(),
                tape.sizes.tolist(),
                strict=True,
            )
        ]
    return [trade for trade in found if start <= trade[0] < stop]


def folded(rows, length):
    """Return candles of trades, one by one."""
    made = {}
    for time, _, _, price, size in rows:
        made.setdefault(time - time % length, []).append((price, size))
    return [
        (start, each[0][0], max(each)[0], min(each)[0], each[-1][0], sum(s for _, s in each))
        for start, each in sorted(made.items())
    ]


@pytest.mark.long
class TestHistory(HistoryTests):
    def door(self, url):
        return History(**SHARED, page_size=40, rest_url=url)

    def publish(self, loopback):
        serve(loopback)
        start, stop = MIDNIGHT - 6 * HOUR, MIDNIGHT + 6 * HOUR
        return Tape("BTCUSD", start, stop, trades(start, stop), ["trades"])


class TestMinutes(CandleTests):
    length, interval = 60 * 10**9, "1m"

    def door(self, url):
        return Candles(**SHARED, interval=self.interval, page_size=25, rest_url=url)

    def publish(self, loopback):
        serve(loopback)
        start, stop = MIDNIGHT - 6 * HOUR, MIDNIGHT + 6 * HOUR
        rows = folded(trades(start, stop), self.length)
        return Tape("BTCUSD", start, stop, rows, ["candles"])


@pytest.mark.long
class TestFiveMinutes(TestMinutes):
    length, interval = 300 * 10**9, "5m"


@pytest.mark.long
class TestOpenInterest(HistoryTests):
    def door(self, url):
        return OpenInterest(**SHARED, page_size=9, rest_url=url)

    def publish(self, loopback):
        serve(loopback)
        start, stop = MIDNIGHT - 2 * HOUR, MIDNIGHT + 2 * HOUR
        asked = OpenInterest(**SHARED).read(None, "BTCUSD", start, stop)
        rows = [row for page, _ in asked for row in page.to_pylist()]
        plain = [(int(row["timestamp"].timestamp()) * 10**9, row["open_interest"]) for row in rows]
        assert len({value for _, value in plain}) > 40
        tape = [row for row in plain if start <= row[0] < stop]
        assert len(tape) == 48
        return Tape("BTCUSD", start, stop, tape, ["interest"])


class TestInstruments(SnapshotTests):
    def door(self, url):
        return Instruments(rest_url=url)

    def publish(self, loopback):
        serve(loopback)
        rows = {
            "BTCUSD": {"base": "BTC", "tick_size": "0.1", "lot_size": "0.001", "kind": "perpetual"},
            "ETHUSD": {"base": "ETH", "tick_size": "0.01", "lot_size": "0.01", "quote": "USD"},
            "DOGEUSD": {"base": "DOGE", "tick_size": "0.00001", "lot_size": 100, "expiry": None},
        }
        return Listed(rows, ["instruments"])
