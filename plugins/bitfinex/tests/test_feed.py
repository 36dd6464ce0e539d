"""The websocket doors keep the kit's rules, on what a simulated Bitfinex says."""

import json
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from werks.schema import batch, times, word
from werks.testing import FeedTests, Venue
from werks_bitfinex import (
    Candles,
    CandlesFeed,
    Funding,
    FundingFeed,
    LiquidationsFeed,
    OpenInterest,
    OpenInterestFeed,
    QuotesFeed,
    Trades,
    TradesFeed,
)

from .exchange import MINUTE, MS, SECOND, START, tape
from .ws_bitfinex import Words

SYMBOLS = ("tBTCUSD", "tAAVE:USD")
PERPETUALS = ("tBTCF0:USTF0", "tETHF0:USTF0")
_HOURS = 8 * 3600 * SECOND


def made(feed, symbol, stamps, **columns):
    """Return rows of a feed's schema at some times."""
    moments = times(np.array(stamps, np.int64))
    names = {"exchange": word("bitfinex", len(stamps)), "symbol": word(symbol, len(stamps))}
    return batch(feed.schema, timestamp=moments, **names, **columns)


def trades(symbol, count=90):
    found = tape(240)[:count]
    return made(
        TradesFeed,
        symbol,
        [each.time for each in found],
        trade_id=[str(each.id) for each in found],
        tick_rule=[1 if each.bought else -1 for each in found],
        price=[each.price for each in found],
        size=[each.size for each in found],
        notional=[each.price * each.size for each in found],
    )


def quotes(symbol, count=90):
    stamps = [START + n * 2 * MS for n in range(count)]
    bids = [Decimal(118940 + n) / 10**7 for n in range(count)]
    return made(QuotesFeed, symbol, stamps, bid=bids, ask=[bid + 1 for bid in bids])


def candles(symbol, starts=range(6)):
    """Return the candles of some minutes; the volume tells the minute."""
    first, starts = Decimal("0.125"), list(starts)
    return made(
        CandlesFeed,
        symbol,
        [START + n * MINUTE for n in starts],
        interval=word("1m", len(starts)),
        open=[first + n for n in starts],
        high=[first + n + Decimal("0.25") for n in starts],
        low=[first + n - Decimal("0.0625") for n in starts],
        close=[first + n + Decimal("0.03125") for n in starts],
        volume=[Decimal(n + 1) / 10**8 for n in starts],
    )


def liquidations(symbol, count=30):
    numbers = range(1, count + 1)
    return made(
        LiquidationsFeed,
        symbol,
        [START + n * SECOND for n in numbers],
        tick_rule=[1 if n % 3 else -1 for n in numbers],
        price=[Decimal(67_000 + n) for n in numbers],
        size=[Decimal(n) / 10**4 for n in numbers],
        notional=[Decimal(67_000 + n) * n / 10**4 for n in numbers],
    )


def interests(symbol, count=30):
    stamps = [START + n * 20 * SECOND for n in range(count)]
    values = [Decimal(1000 + n) / 10**8 for n in range(count)]
    return made(OpenInterestFeed, symbol, stamps, open_interest=values)


def rates(symbol, count=9):
    begin = START // _HOURS * _HOURS
    values = [Decimal(n - 3) / 10**6 + Decimal("0.00000125") for n in range(count)]
    stamps = [begin + n * _HOURS for n in range(count)]
    return made(FundingFeed, symbol, stamps, rate=values, interval=[_HOURS // SECOND] * count)


def told(feed, symbols, rows, past=()):
    """Return what the simulated exchange answers to subscriptions, and says of rows."""
    words = Words(Venue())
    for each in past:
        words.venue.add(each)
    answers = [words.opened("/ws/2")]
    for text in feed.converse(None, symbols).opened():
        answers += words.said(text)
    return answers, [text for each in rows for text in words.trades(each)]


class TestTrades(FeedTests):
    make, door, markets = staticmethod(trades), TradesFeed(), SYMBOLS

    @pytest.fixture
    def feed(self):
        return self.door

    @pytest.fixture
    def symbols(self):
        return self.markets

    @pytest.fixture
    def expected(self):
        return pa.Table.from_batches([self.make(symbol) for symbol in self.markets])

    @pytest.fixture
    def connection(self):
        tapes = [self.make(symbol) for symbol in self.markets]
        third = len(tapes[0]) // 3
        parts = [each[at : at + third] for at in range(0, 3 * third, third) for each in tapes]
        return told(self.door, self.markets, parts)

    @pytest.fixture
    def frames(self, connection):
        return [(text, START + n * SECOND) for n, text in enumerate(connection[1])]

    @pytest.fixture
    def prelude(self, connection):
        return connection[0]

    @pytest.fixture
    def acks(self, connection):
        return connection[0]

    @pytest.fixture
    def refusal(self, connection):
        asked = list(self.door.converse(None, self.markets).opened())[-1]
        named = {k: v for k, v in json.loads(asked).items() if k != "event"}
        return json.dumps({"event": "error", "msg": "symbol: invalid", "code": 10300} | named)

    @pytest.fixture
    def heartbeats(self, connection):
        named = [json.loads(text) for text in connection[0]]
        beats = [f'[{each["chanId"]},"hb"]' for each in named if each["event"] == "subscribed"]
        return [*beats, '{"event":"pong","ts":1,"cid":1}', connection[0][0]]

    @pytest.fixture
    def goodbye(self):
        return Words(Venue()).maintenance()

    @pytest.fixture
    def others(self):
        return [Trades()]


@pytest.mark.long
class TestQuotes(TestTrades):
    make, door = staticmethod(quotes), QuotesFeed()

    @pytest.fixture
    def others(self):
        return []


class TestCandles(TestTrades):
    """What a subscription begins with: candles that are over."""

    make, door = staticmethod(candles), CandlesFeed()

    @pytest.fixture
    def connection(self):
        tapes = [self.make(symbol) for symbol in self.markets]
        answers, _ = told(self.door, self.markets, (), tapes)
        acks = [text for text in answers if text.startswith("{")]
        return acks, [text for text in answers if text.startswith("[")]

    @pytest.fixture
    def frames(self, connection):
        return [(text, START + 60 * MINUTE) for text in connection[1]]

    @pytest.mark.xfail(reason="volumes are floats with noise: they are rounded, as by REST")
    def test_a_number_with_too_many_digits_is_an_error(self, talk):
        super().test_a_number_with_too_many_digits_is_an_error(talk)

    @pytest.mark.xfail(reason="candles have no column received", raises=KeyError, strict=False)
    def test_received_is_when_the_message_came(self, talk):
        super().test_received_is_when_the_message_came(talk)

    @pytest.fixture
    def others(self):
        return [Candles()]


class TestLiquidations(TestTrades):
    make, door = staticmethod(liquidations), LiquidationsFeed()

    @pytest.mark.xfail(reason="one subscription is of all symbols, and names none")
    def test_each_symbol_is_asked_for(self, talk):
        super().test_each_symbol_is_asked_for(talk)

    @pytest.fixture
    def others(self):
        return []


class TestOpenInterest(TestTrades):
    make, door, markets = staticmethod(interests), OpenInterestFeed(), PERPETUALS

    @pytest.mark.xfail(reason="floats with noise behind their digits are rounded, as by REST")
    def test_a_number_with_too_many_digits_is_an_error(self, talk):
        super().test_a_number_with_too_many_digits_is_an_error(talk)

    @pytest.fixture
    def others(self):
        return [OpenInterest()]


class TestFunding(TestTrades):
    make, door, markets = staticmethod(rates), FundingFeed(), PERPETUALS

    @pytest.mark.xfail(reason="rates are floats: they are rounded to 18 digits, as by REST")
    def test_a_number_with_too_many_digits_is_an_error(self, talk):
        super().test_a_number_with_too_many_digits_is_an_error(talk)

    @pytest.fixture
    def others(self):
        return [Funding()]
