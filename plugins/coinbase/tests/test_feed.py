"""The websocket doors keep the kit's rules, on what a simulated Coinbase says."""

import json
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from werks.schema import batch, times, word
from werks.testing import FeedTests, Venue
from werks_coinbase import QuotesFeed, Trades, TradesFeed

from .exchange import SECOND, START, tape
from .ws_coinbase import Words

SYMBOLS = ("BTC-USD", "ETH-EUR")


def stamps(values):
    return times(np.array(values, np.int64))


def trades(symbol, count=60):
    found = tape(count)
    return batch(
        TradesFeed.schema,
        exchange=word("coinbase", count),
        symbol=word(symbol, count),
        timestamp=stamps([each.time for each in found]),
        trade_id=[str(each.id) for each in found],
        tick_rule=[1 if each.bought else -1 for each in found],
        price=[each.price for each in found],
        size=[each.size for each in found],
        notional=[each.price * each.size for each in found],
    )


def quotes(symbol, count=60):
    return batch(
        QuotesFeed.schema,
        exchange=word("coinbase", count),
        symbol=word(symbol, count),
        timestamp=stamps([START + n * 1_500_000 for n in range(count)]),
        bid=[Decimal(100 + n) / 100 for n in range(count)],
        bid_size=[Decimal(n + 1) / 10**8 for n in range(count)],
        ask=[Decimal(101 + n) / 100 for n in range(count)],
        ask_size=[Decimal(2 * n + 1) / 10**7 for n in range(count)],
    )


def told(feed, rows, past=()):
    """Return what the simulated exchange says of a subscription, and then of rows."""
    venue = Venue()
    for each in past:
        venue.add(each)
    words = Words(venue)
    answers = []
    for text in feed.converse(None, SYMBOLS).opened():
        answers += words.said(text)
    said = [text for each in rows for text in words.trades(each)]
    return answers, said, list(words.heartbeat())


class TestTrades(FeedTests):
    make, door = staticmethod(trades), TradesFeed()

    @pytest.fixture
    def feed(self):
        return self.door

    @pytest.fixture
    def symbols(self):
        return SYMBOLS

    @pytest.fixture
    def expected(self):
        return pa.Table.from_batches([self.make(symbol) for symbol in SYMBOLS])

    @pytest.fixture
    def frames(self):
        halves = [self.make(symbol)[at : at + 20] for at in (0, 20, 40) for symbol in SYMBOLS]
        _, said, _ = told(self.door, halves)
        return [(text, START + n * SECOND) for n, text in enumerate(said)]

    @pytest.fixture
    def acks(self):
        return told(self.door, ())[0]

    @pytest.fixture
    def refusal(self):
        reason = "ETH-EUR is not a valid product"
        return json.dumps({"type": "error", "message": "Failed to subscribe", "reason": reason})

    @pytest.fixture
    def heartbeats(self):
        return [*told(self.door, ())[2], '{"type":"status","products":[],"currencies":[]}']

    @pytest.fixture
    def goodbye(self):
        return '{"type":"error","message":"ErrSlowConsume"}'

    @pytest.fixture
    def others(self):
        return [Trades()]


class TestQuotes(TestTrades):
    make, door = staticmethod(quotes), QuotesFeed()

    @pytest.fixture
    def others(self):
        return []
