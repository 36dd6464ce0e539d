"""The websocket doors keep the kit's rules, on what a simulated BitMEX says."""

import json
import re
from decimal import ROUND_DOWN, Decimal
from typing import Any

import attrs
import numpy as np
import pyarrow as pa
import pytest

from werks.schema import batch, times, word
from werks.testing import Venue, WordsTests
from werks_bitmex import (
    Candles,
    CandlesFeed,
    Funding,
    FundingFeed,
    LiquidationsFeed,
    OpenInterestFeed,
    QuotesFeed,
    Trades,
    TradesFeed,
    TradesRest,
)

from .ws_bitmex import Words

SYMBOLS = ("XBTUSD", "XBTUSDT")
COUNT, START, STEP = 60, 1_735_700_040 * 10**9, 3 * 10**6
PRICES = [Decimal(618_376 + n // 3) / 10 for n in range(COUNT)]
SATOSHI = Decimal("0.00000001")


def rows(feed: Any, symbol: str, **columns: Any) -> pa.RecordBatch:
    return batch(
        feed.schema,
        exchange=word("bitmex", COUNT),
        symbol=word(symbol, COUNT),
        timestamp=times(np.arange(COUNT, dtype=np.int64) // 3 * STEP + START),
        **columns,
    )


def amounts(symbol: str) -> dict[str, Any]:
    """Return sizes and notionals: of dollars, or of millionths of the base."""
    if symbol == "XBTUSD":
        paid = [Decimal(n * 7 + 3) * 100 for n in range(COUNT)]
        sizes = [
            (usd / price).quantize(SATOSHI, ROUND_DOWN)
            for usd, price in zip(paid, PRICES, strict=True)
        ]
    else:
        sizes = [Decimal(n % 9 + 1) / 10**3 for n in range(COUNT)]
        paid = [price * size for price, size in zip(PRICES, sizes, strict=True)]
    return {"price": PRICES, "size": sizes, "notional": paid}


def trades(feed: Any, symbol: str) -> pa.RecordBatch:
    ids = [f"00000000-006d-1000-0000-{n:012x}" for n in range(COUNT)]
    took = [0 if n == 9 else 1 if n % 5 else -1 for n in range(COUNT)]
    flag = ["off_book" if n == 9 else None for n in range(COUNT)]
    return rows(feed, symbol, trade_id=ids, tick_rule=took, flag=flag, **amounts(symbol))


def quotes(feed: Any, symbol: str) -> pa.RecordBatch:
    sizes = amounts(symbol)["size"]
    asks = [None if n == 7 else price + Decimal("0.5") for n, price in enumerate(PRICES)]
    left = [None if n == 7 else Decimal(n) / 10**3 for n in range(COUNT)]
    if symbol == "XBTUSD":
        left = [ask and (Decimal(100) / ask).quantize(SATOSHI, ROUND_DOWN) for ask in asks]
    return rows(feed, symbol, bid=PRICES, bid_size=sizes, ask=asks, ask_size=left)


class Rules(WordsTests):
    of: Any = None
    words, markets, begin, step, parts = Words, SYMBOLS, START, STEP, COUNT // 4

    def make(self, symbol):
        return self.of and self.of(self.door, symbol)

    @pytest.fixture
    def prelude(self, acks):
        return acks

    @pytest.fixture
    def refusal(self):
        return next(Words(Venue()).said('{"op":"subscribe","args":["nosuch:XBTUSD"]}'))

    @pytest.fixture
    def heartbeats(self, acks):
        return ["pong", acks[0]]


class TestTrades(Rules):
    door, of = TradesFeed(), staticmethod(trades)
    doors = (Trades(), TradesRest())

    def test_the_noise_of_base_and_quote_amounts_is_rounded(self, talk):
        """They are floats on the wire; a price or a size with so many digits is an error."""

        def noisy(found):
            return f"{found[0]}{'' if '.' in found[2] else '.'}{'0' * 20}1"

        frames = [
            (re.sub(r'("(?:home|foreign)Notional": ?)(\d+(?:\.\d+)?)', noisy, message), received)
            for message, received in talk.frames
        ]
        assert frames != talk.frames
        turned = attrs.evolve(talk, frames=frames)
        assert talk.rows(turned.played()) == talk.rows(talk.played())


@pytest.mark.long
class TestQuotes(Rules):
    door, of = QuotesFeed(), staticmethod(quotes)


class Made(Rules):
    """Frames that no words tell."""

    table = ""

    @pytest.fixture
    def frames(self):
        return [(self.told(n), START + n * STEP) for n in range(COUNT)]

    def told(self, n: int) -> str:
        said = {"table": self.table, "action": "insert"}
        row = {"symbol": SYMBOLS[n % 2], **self.row(n)}
        return json.dumps({**said, "data": [row]})

    def row(self, n: int) -> dict[str, Any]:
        raise NotImplementedError


class TestLiquidations(Made):
    door, table = LiquidationsFeed(), "liquidation"

    def row(self, n):
        side = "Buy" if n % 3 else "Sell"
        return {"orderID": f"a{n}", "side": side, "price": 9500 + n, "leavesQty": 1000 + n}


class TestFunding(Made):
    door, table, doors = FundingFeed(), "funding", (Funding(),)

    def row(self, n):
        hour = f"2024-11-{n // 2 + 1:02}T04:00:00.000Z"
        interval = "2000-01-01T08:00:00.000Z"
        return {"timestamp": hour, "fundingInterval": interval, "fundingRate": (n + 1) / 10**6}

    @pytest.mark.xfail(reason="rates are floats on the wire: they are rounded, as by REST")
    def test_a_number_with_too_many_digits_is_an_error(self, talk):
        super().test_a_number_with_too_many_digits_is_an_error(talk)


class TestOpenInterest(Made):
    door, table = OpenInterestFeed(), "instrument"

    def told(self, n):
        row = {"symbol": SYMBOLS[n % 2], "openInterest": 10**6 + n}
        stamp = {"timestamp": f"2024-11-25T12:00:{n:02}.000Z"} if n % 3 else {}
        return json.dumps({"table": "instrument", "action": "update", "data": [{**row, **stamp}]})


@pytest.mark.long
class TestCandles(Made):
    door, table, doors = CandlesFeed(), "tradeBin1m", (Candles(),)

    def row(self, n):
        edges = {"open": 97550.0, "high": 97584.4 + n, "low": 97540.5, "close": 97570.1}
        amounts = {"homeNotional": 0.8609776, "foreignNotional": 84000.0, "trades": 20}
        return {"timestamp": f"2024-11-23T20:{n // 2:02}:00.000Z", **edges, **amounts}

    @pytest.mark.xfail(reason="amounts of candles are floats on the wire: they are rounded")
    def test_a_number_with_too_many_digits_is_an_error(self, talk):
        super().test_a_number_with_too_many_digits_is_an_error(talk)

    @pytest.mark.xfail(reason="a candle has no column received")
    def test_received_is_when_the_message_came(self, talk):
        super().test_received_is_when_the_message_came(talk)
