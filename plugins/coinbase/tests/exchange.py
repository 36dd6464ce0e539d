"""A simulated Coinbase Exchange: the pages of its REST interface, out of trades made here."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal

import attrs

from werks.testing import Loopback
from werks.testing.tape import Row
from werks.testing.tape import candles as candles_of

SECOND = 10**9
MINUTE = 60 * SECOND
START = 1_718_020_740 * SECOND  # 2024-06-10 11:59
PRODUCT = "BTC-USD"
TRADES = f"products/{PRODUCT}/trades"
CANDLES = f"products/{PRODUCT}/candles"
MOST_CANDLES = 300
_FRACTIONS = (0, 500_000_000, 123_000_000, 123_456_000, 7_000)


@attrs.frozen
class Trade:
    """A trade by its taker; the exchange states the maker's side."""

    id: int
    time: int
    bought: bool
    price: Decimal
    size: Decimal

    def row(self) -> tuple[object, ...]:
        """Return what a tape holds of it."""
        return (self.time, str(self.id), 1 if self.bought else -1, self.price, self.size)

    def said(self) -> dict[str, object]:
        """Return it as the exchange writes it: zeros at the end of a fraction are dropped."""
        second, rest = divmod(self.time, SECOND)
        fraction = f"{rest:09}".rstrip("0")
        moment = f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}"
        return {
            "time": f"{moment}{'.' if fraction else ''}{fraction}Z",
            "trade_id": self.id,
            "price": f"{self.price:.8f}",
            "size": f"{self.size:.8f}",
            "side": "sell" if self.bought else "buy",
        }


def tape(count: int = 240, first: int = 1) -> list[Trade]:
    """Return trades of which three each share one time; a pause leaves some minutes empty."""
    found = []
    for n in range(count):
        group = n // 3
        time = (
            START + group * 11 * SECOND + _FRACTIONS[group % 5] + (200 if n > 150 else 0) * SECOND
        )
        price = Decimal(6_700_000 + (n * 37) % 5 * 13) / 100
        size = Decimal(1 + n % 7) / 10**8
        found.append(Trade(first + n, time, n % 4 < 3, price, size))
    return found


def candles(trades: Sequence[Trade], length: int = MINUTE) -> list[Row]:
    """Return (start, open, high, low, close, volume) of each minute in which there are trades."""
    return candles_of((each.row() for each in trades), length)


Answer = tuple[int, bytes, Mapping[str, str]]


class Exchange:
    """Answers by trades; `most` is how many a page has, however many are asked for."""

    def __init__(self, trades: Sequence[Trade], most: int = 1000) -> None:
        self.trades = list(trades)
        self.most = most
        self.asked: list[Mapping[str, str]] = []
        self.then: Callable[[int], None] = lambda _: None

    def serve(self, loopback: Loopback, product: str = PRODUCT) -> None:
        """Put the pages of a product onto a server, and one of a product that there is not."""
        loopback.answer(f"products/{product}/trades", self.page)
        loopback.answer(f"products/{product}/candles", self.minutes)
        for kind in ("trades", "candles"):
            loopback.answer(f"products/NO-SUCH/{kind}", lambda _: said(404, "NotFound"))

    def page(self, query: Mapping[str, str]) -> Answer:
        """Return the newest trades below `after`, newest first."""
        self.asked.append(query)
        self.then(len(self.asked))
        stop = int(query.get("after", 1 << 62))
        below = [each for each in self.trades if each.id < stop]
        rows = below[::-1][: min(int(query["limit"]), self.most)]
        ends = {"cb-before": str(rows[0].id), "cb-after": str(rows[-1].id)} if rows else {}
        return 200, json.dumps([each.said() for each in rows]).encode(), ends

    def minutes(self, query: Mapping[str, str]) -> Answer:
        """Return candles from `start` to `end`, both included, newest first, as JSON numbers."""
        start, end, length = (int(query[name]) for name in ("start", "end", "granularity"))
        if (end - start) // length >= MOST_CANDLES:
            return said(400, "granularity too small for the requested time range")
        rows = [
            f"[{time // SECOND}, {low}, {high}, {first}, {last}, {volume}]"
            for time, first, high, low, last, volume in candles(self.trades, length * SECOND)
            if start <= time // SECOND <= end
        ]
        return 200, f"[{', '.join(rows[::-1])}]".encode(), {}


def said(status: int, message: str) -> Answer:
    """Return an error as the exchange writes it."""
    return status, json.dumps({"message": message}).encode(), {}
