"""A simulated Bitfinex: the pages of its public REST interface, out of rows made here."""

import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

import attrs

from werks.testing import Loopback
from werks.testing.tape import Row
from werks.testing.tape import candles as candles_of

MS = 10**6
SECOND = 10**9
MINUTE = 60 * SECOND
START = 1_718_020_740 * SECOND  # 2024-06-10 11:59
SYMBOL = "tBTCUSD"
PERPETUAL = "tBTCF0:USTF0"
TRADES = f"v2/trades/{SYMBOL}/hist"
CANDLES = f"v2/candles/trade:1m:{SYMBOL}/hist"
STATUS = f"v2/status/deriv/{PERPETUAL}/hist"
_HOURS = 8 * 3600 * SECOND

Query = Mapping[str, str]
Answer = tuple[int, bytes, Mapping[str, str]]


@attrs.frozen
class Trade:
    """A trade by its taker."""

    id: int
    time: int
    bought: bool
    price: Decimal
    size: Decimal

    def row(self) -> tuple[object, ...]:
        """Return what a tape holds of it."""
        return (self.time, str(self.id), 1 if self.bought else -1, self.price, self.size)

    def said(self) -> list[object]:
        """Return it as the exchange writes it."""
        return [self.id, self.time // MS, self.size if self.bought else -self.size, self.price]


def tape(count: int = 240) -> list[Trade]:
    """Return trades of which up to four share one time; a pause leaves some minutes empty."""
    found = []
    for n in range(count):
        time = START + (n // 4) * 13 * SECOND + (n % 3) * MS + (200 if n > 150 else 0) * SECOND
        price = Decimal(67_000) + Decimal((n * 37) % 11 * 13) / 1000
        found.append(Trade(1_795_583_311 + 7 * n, time, n % 4 < 3, price, Decimal(1 + n) / 10**8))
    return sorted(found, key=lambda each: (each.time, each.id))


def candles(trades: Sequence[Trade], length: int = MINUTE) -> list[Row]:
    """Return (start, open, high, low, close, volume) of each minute in which there are trades."""
    return candles_of((each.row() for each in trades), length)


def status(time: int, interest: object, rate: object, turn: int | None = None) -> list[object]:
    """Return a row of a derivative's status; `turn` is when funding was applied last."""
    last = time - time % _HOURS if turn is None else turn
    row: list[object] = [None] * 23
    row[0], row[2], row[3], row[5] = time // MS, Decimal(67000), Decimal("67001.5"), Decimal(10**6)
    row[7], row[8], row[9] = (last + _HOURS) // MS, Decimal("0.00031"), 431
    row[11], row[14], row[17] = rate, Decimal("67000.43333333332"), interest
    return row


class Exchange:
    """Answers by rows; those of one millisecond come in any order."""

    def __init__(
        self, trades: Sequence[Trade] = (), statuses: Sequence[Sequence[object]] = ()
    ) -> None:
        self.trades = list(trades)
        self.statuses = list(statuses)
        self.asked: list[Query] = []

    def serve(self, loopback: Loopback) -> None:
        """Put the pages of a pair and a derivative onto a server, and of one that there is not."""
        loopback.answer(TRADES, self.page)
        for name, seconds in {"1m": 60, "1h": 3600, "1D": 86400}.items():
            path = CANDLES.replace("1m", name)
            loopback.answer(path, self.minutes(seconds * SECOND))
        loopback.answer(STATUS, lambda query: paged(query, self.statuses, 5000))
        for path in (TRADES, CANDLES):
            gone = path.replace(SYMBOL, "tNOSUCH")
            loopback.answer(gone, lambda _: refused(10020, "symbol: invalid"))
        gone = STATUS.replace(PERPETUAL, "tNOSUCH")
        loopback.answer(gone, lambda _: refused(10020, "key: invalid"))

    def page(self, query: Query) -> Answer:
        """Return trades, the ids of one millisecond downwards."""
        self.asked.append(query)
        rows = sorted(self.trades, key=lambda each: (each.time // MS, -each.id))
        return paged(query, [each.said() for each in rows], 10_000, place=1)

    def minutes(self, length: int) -> Callable[[Query], Answer]:
        """Return what answers for candles of a length: open, close, high, low."""

        def answer(query: Query) -> Answer:
            rows = [
                [time // MS, first, last, high, low, volume]
                for time, first, high, low, last, volume in candles(self.trades, length)
            ]
            return paged(query, rows, 10_000)

        return answer


def paged(query: Query, rows: Sequence[Sequence[object]], most: int, place: int = 0) -> Answer:
    """Return rows from `start` to `end`, both included; `place` is where their time stands."""
    limit = int(query.get("limit", 125))
    if not 1 <= limit <= most:
        return refused(10020, "limit: invalid")
    start, end = int(query.get("start", 0)), int(query.get("end", 1 << 62))
    found = [row for row in rows if start <= row[place] <= end]  # type: ignore[operator]
    if query.get("sort") != "1":
        found = found[::-1]
    return 200, f"[{','.join(map(_array, found[:limit]))}]".encode(), {}


def _array(row: Sequence[object]) -> str:
    texts = [
        format(each.normalize(), "f") if isinstance(each, Decimal) else json.dumps(each)
        for each in row
    ]
    return f"[{','.join(texts)}]"


def refused(code: int, message: str, status: int = 500) -> Answer:
    """Return an error as the exchange writes it."""
    return status, json.dumps(["error", code, message]).encode(), {}
