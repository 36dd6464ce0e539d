"""The websocket doors keep the kit's rules, on what a simulated Coinbase says."""

import json
from decimal import Decimal

import numpy as np
import pytest

from werks.schema import batch, times, word
from werks.testing import Venue, WordsTests, told
from werks_coinbase import QuotesFeed, Trades, TradesFeed

from .exchange import START, tape
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


class TestTrades(WordsTests):
    make, door, doors = staticmethod(trades), TradesFeed(), (Trades(),)
    words, markets, begin = Words, SYMBOLS, START

    @pytest.fixture
    def refusal(self):
        reason = "ETH-EUR is not a valid product"
        return json.dumps({"type": "error", "message": "Failed to subscribe", "reason": reason})

    @pytest.fixture
    def heartbeats(self):
        told(words := Words(Venue()), self.door, SYMBOLS)
        return [*words.heartbeat(), '{"type":"status","products":[],"currencies":[]}']

    @pytest.fixture
    def goodbye(self):
        return '{"type":"error","message":"ErrSlowConsume"}'


class TestQuotes(TestTrades):
    make, door, doors = staticmethod(quotes), QuotesFeed(), ()
