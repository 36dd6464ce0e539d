"""A simulated Kraken: the pages of its REST interface, out of trades made here."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import attrs

from werks.testing import Loopback, Tape

Answer = bytes | tuple[int, bytes, Mapping[str, str]]

# 2025-11-10 17:00 UTC.
BEGIN = 1_762_794_000 * 10**9
TRADES, OHLC, PAIRS = "0/public/Trades", "0/public/OHLC", "0/public/AssetPairs"
_COUNT = 210


@attrs.frozen
class Trade:
    """A trade as Kraken keeps it: the time is exact, REST prints a float of it."""

    id: int
    time: int
    side: str
    price: str
    volume: str

    @property
    def printed(self) -> str:
        return repr(self.time / 10**9)

    @property
    def stamp(self) -> int:
        return int(Decimal(self.printed) * 10**9)

    @property
    def row(self) -> list[Any]:
        return [self.price, self.volume, None, self.side, "l", "", self.id]


def trade(number: int, step: int = 37_123_456_000) -> Trade:
    # Three trades share each nanosecond.
    time = BEGIN + number // 3 * step + 982_277_000
    price, volume = Decimal(105_433) + Decimal(number % 17) / 10, Decimal(number + 1) / 10**8
    return Trade(
        10_218_208 + number, time, "bs"[number % 2], f"{price:.5f}", f"{volume + number % 3:.8f}"
    )


@attrs.define
class Exchange:
    """Kraken's REST over a made tape: `since` excludes its own nanosecond, pages are small."""

    trades: list[Trade] = attrs.field(factory=lambda: [trade(n) for n in range(_COUNT)])
    page: int = 70
    short_last: set[int] = attrs.field(factory=set)
    """The numbers of the pages whose `last` is cut short."""
    six: bool = False
    """Whether rows have no id, as before 2023."""
    told: int = 0
    pair: str = "XBTUSD"
    key: str = "XXBTZUSD"
    """What the pair is called in questions, and in answers."""
    loopback: Loopback = attrs.field(init=False)

    def noisy(self, page: int = 25, count: int = _COUNT) -> None:
        """Have times that no float holds, as real ones are, and pages of so many rows."""
        self.page = page
        self.trades = [trade(n, 37_123_456_789) for n in range(count)]

    def open(self, loopback: Loopback) -> "Exchange":
        self.loopback = loopback
        loopback.answer(TRADES, self.answer_trades)
        loopback.answer(OHLC, self.answer_ohlc)
        return self

    def answer_trades(self, query: Mapping[str, str]) -> Answer:
        if query["pair"] != self.pair:
            return error("EQuery:Unknown asset pair")
        since = int(query["since"])
        rows = [each for each in self.trades if each.time > since][: self.page]
        last = str(rows[-1].time if rows else since)
        self.told += 1
        last = last[:12] if self.told in self.short_last else last
        text = ",".join(self._text(each) for each in rows)
        return f'{{"error":[],"result":{{"{self.key}":[{text}],"last":"{last}"}}}}'.encode()

    def _text(self, trade: Trade) -> str:
        text = json.dumps(trade.row[:6] if self.six else trade.row, separators=(",", ":"))
        return text.replace("null", trade.printed)

    def answer_ohlc(self, query: Mapping[str, str]) -> Answer:
        if query["pair"] != self.pair:
            return error("EQuery:Unknown asset pair")
        rows = candles(self.trades)
        result = {self.key: rows, "last": rows[-2][0]}
        return json.dumps({"error": [], "result": result}).encode()

    def tape(self) -> Tape:
        rows = [
            (each.stamp, str(each.id), 1 if each.side == "b" else -1, each.price, each.volume)
            for each in self.trades
        ]
        return Tape("BTC/USD", BEGIN, self.trades[-1].time + 10**9, rows, [TRADES])

    def candle_tape(self) -> Tape:
        rows = [(row[0] * 10**9, *row[1:5], row[6]) for row in candles(self.trades)[:-1]]
        return Tape("BTC/USD", BEGIN, rows[-1][0] + 60 * 10**9, rows, [OHLC])


def error(*words: str) -> bytes:
    """Return an error body of Kraken's words, which comes with status 200."""
    return json.dumps({"error": list(words)}).encode()


def candles(trades: Sequence[Trade]) -> list[list[Any]]:
    """Return the minutes of trades as /OHLC gives them; trades are moved so that some are empty."""
    rows: list[list[Any]] = []
    first, stop = BEGIN // 10**9, trades[-1].time // 10**9 + 120
    close = Decimal(trades[0].price)
    for start in range(first, stop, 60):
        mine = [each for each in trades if start <= each.time // 10**9 < start + 60]
        if start // 60 % 5 == 0:
            mine = []
        prices = [Decimal(each.price) for each in mine] or [close]
        close = prices[-1]
        figures = (prices[0], max(prices), min(prices), close, prices[0] if mine else Decimal(0))
        volume = sum((Decimal(each.volume) for each in mine), Decimal(0))
        rows.append([start, *(f"{each:.1f}" for each in figures), f"{volume:.8f}", len(mine)])
    return rows
