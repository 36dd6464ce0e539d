"""The websocket door keeps the kit's rules on a day of its own exchange."""

import json

import pyarrow as pa
import pytest

from werks.testing import FeedTests
from werks_sim import Course, Exchange, Feed, History, Trades
from werks_sim.market import START
from werks_sim.words import Words, messages

EXCHANGE = Exchange(trades_per_day=150)
SYMBOLS = ("BTCUSD", "ETHUSD", "DOGEUSD")
BEGIN, LONG = 1_704_067_200_000_000_000, 86_400_000_000_000


class TestFeed(FeedTests):
    @pytest.fixture
    def feed(self):
        return Feed(trades_per_day=150, ws_url="ws://sim")

    @pytest.fixture
    def symbols(self):
        return SYMBOLS

    @pytest.fixture
    def frames(self):
        said = [text for symbol in SYMBOLS for text in messages(EXCHANGE, symbol, START)]
        return [(text, BEGIN + n) for n, text in enumerate(said)]

    @pytest.fixture
    def expected(self):
        course = Course(EXCHANGE, SYMBOLS, BEGIN)
        return pa.concat_tables([course.trades(each, BEGIN, BEGIN + LONG) for each in SYMBOLS])

    @pytest.fixture
    def acks(self):
        return [json.dumps({"event": "subscribed", "symbol": symbol}) for symbol in SYMBOLS]

    @pytest.fixture
    def refusal(self):
        return '{"event":"refused","symbol":"ETHUSD","reason":"not today"}'

    @pytest.fixture
    def heartbeats(self):
        return ['{"event":"pong"}', '{"event":"ping"}', '{"event":"heartbeat","time":0}']

    @pytest.fixture
    def goodbye(self):
        return Words(venue=None).maintenance()

    @pytest.fixture
    def others(self):
        return [Trades(), History()]
