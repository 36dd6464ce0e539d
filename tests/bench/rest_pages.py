"""Makes pages of REST answers as the exchanges write them; the same pages on every machine.

It needs nothing but the standard library, so that peers can read what it writes.
"""

import json
import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

START = 1_714_521_600  # 2024-05-01, in seconds
_PAGES = 5
_MINUTE = 60
_MS, _NS = 10**3, 10**9


@dataclass(frozen=True)
class Deal:
    """A trade, or a minute of them; times in nanoseconds, amounts as exchanges write them."""

    id: int
    time: int
    bought: bool
    price: str
    size: str
    # Of a minute.
    open: str = ""
    high: str = ""
    low: str = ""


def _deals(rows: int, step: int) -> list[Deal]:
    """Return rows about `step` nanoseconds apart, some at one time; exactly so from a minute on."""
    given, found, time, price = random.Random(7), [], START * _NS, 6_000_000
    for number in range(rows):
        exact = step >= _MINUTE * _NS
        time += 0 if not number else step if exact else given.choice((0, step, 2 * step))
        before, price = price, price + given.choice((-10, 0, 10))
        high, low = max(before, price) + 10, min(before, price) - 10
        texts = [f"{each / 100:.2f}" for each in (price, before, high, low)]
        size = f"{given.randrange(1, 10**8) / 10**8:.8f}"
        bought = given.random() < 0.5
        found.append(Deal(1_000_000 + number, time, bought, texts[0], size, *texts[1:]))
    return found


def _iso(time: int) -> str:
    text = datetime.fromtimestamp(time // _NS, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{time // 10**6 % 1000:03}Z"


def _ms(time: int) -> int:
    return time // 10**6


def _number(text: str) -> float | int:
    """Return a number as JavaScript writes it: 60000 and not 60000.0."""
    value = float(text)
    return int(value) if value.is_integer() else value


def _product(deal: Deal) -> float:
    return round(float(deal.price) * float(deal.size), 8)


def _binance_trade(d: Deal) -> Any:
    cost = f"{_product(d):.8f}"
    return {"id": d.id, "price": f"{d.price}000000", "qty": d.size, "quoteQty": cost,
            "time": _ms(d.time), "isBuyerMaker": not d.bought, "isBestMatch": True}  # fmt: skip


def _binance_aggregate(d: Deal) -> Any:
    return {"a": d.id, "p": f"{d.price}000000", "q": d.size, "f": 3 * d.id, "l": 3 * d.id + 1,
            "T": _ms(d.time), "m": not d.bought, "M": True}  # fmt: skip


def _binance_candle(d: Deal) -> Any:
    prices = [f"{each}000000" for each in (d.open, d.high, d.low, d.price)]
    cost, end = f"{_product(d):.8f}", _ms(d.time) + _MINUTE * _MS - 1
    return [_ms(d.time), *prices, d.size, end, cost, 2208, d.size, cost, "0"]


def _bitmex_trade(d: Deal) -> Any:
    size, price = 100 * (1 + d.id % 90), round(float(d.price)) + (0.5 if d.id % 2 else 0)
    gross = round(size * 10**8 / price)
    uuid = f"{d.id:08x}-1c2d-d3f7-fbe4-{d.id * 7919:012x}"
    return {"timestamp": _iso(d.time), "symbol": "XBTUSD", "side": "Buy" if d.bought else "Sell",
            "size": size, "price": price, "tickDirection": "ZeroMinusTick", "trdMatchID": uuid,
            "grossValue": gross, "homeNotional": gross / 10**8, "foreignNotional": size,
            "trdType": "Regular"}  # fmt: skip


def _bitmex_candle(d: Deal) -> Any:
    numbers = {name: _number(getattr(d, name)) for name in ("open", "high", "low")}
    end = _iso(d.time + _MINUTE * _NS)
    return {"timestamp": end, "symbol": "XBTUSD", **numbers, "close": _number(d.price),
            "trades": 2418, "volume": 2_237_930, "vwap": float(d.low) + 1.7337, "lastSize": 5,
            "turnover": 31_258_718_411, "homeNotional": 312.58718410999995,
            "foreignNotional": 2_237_930}  # fmt: skip


def _coinbase_trade(d: Deal) -> Any:
    return {"time": _iso(d.time), "trade_id": d.id, "price": f"{d.price}000000", "size": d.size,
            "side": "sell" if d.bought else "buy"}  # fmt: skip


def _coinbase_candle(d: Deal) -> Any:
    prices = [_number(each) for each in (d.low, d.high, d.open, d.price)]
    return [d.time // _NS, *prices, float(d.size)]


def _kraken_trade(d: Deal) -> Any:
    side = "b" if d.bought else "s"
    return [f"{d.price}000", d.size, d.time // 100 / 10**7, side, "l", "", d.id]


def _kraken_candle(d: Deal) -> Any:
    return [d.time // _NS, d.open, d.high, d.low, d.price, d.low, d.size, 24]


def _bitfinex_trade(d: Deal) -> Any:
    size = float(d.size) if d.bought else -float(d.size)
    return [d.id, _ms(d.time), size, _number(d.price)]


def _bitfinex_candle(d: Deal) -> Any:
    prices = [_number(each) for each in (d.open, d.price, d.high, d.low)]
    return [_ms(d.time), *prices, float(d.size)]


def _bybit_candle(d: Deal) -> Any:
    return [str(_ms(d.time)), d.open, d.high, d.low, d.price, d.size, f"{_product(d):.8f}"]


def _plain(rows: list[Any], last: Deal) -> Any:
    return rows


def _newest_first(rows: list[Any], last: Deal) -> Any:
    return rows[::-1]


def _kraken(rows: list[Any], last: Deal) -> Any:
    said = last.time if len(rows[0]) == len(_kraken_trade(last)) else last.time // _NS
    return {"error": [], "result": {"XBTUSDT": rows, "last": str(said)}}


def _bybit(rows: list[Any], last: Deal) -> Any:
    result = {"category": "linear", "symbol": "BTCUSDT", "list": rows[::-1]}
    now = _ms(last.time) + 86_400 * _MS
    return {"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": now}


@dataclass(frozen=True)
class Kind:
    """A kind of page: its rows, what is around them, how many, and how many come twice."""

    symbol: str
    row: Callable[[Deal], Any]
    around: Callable[[list[Any], Deal], Any] = _plain
    rows: int = 1000
    pages: int = _PAGES
    overlap: int = 0
    step: int = 19_876_543

    def made(self) -> Iterator[tuple[str, Sequence[Deal]]]:
        """Yield (body, rows) page by page."""
        net = self.rows - self.overlap
        deals = _deals(net * self.pages + self.overlap, self.step)
        for number in range(self.pages):
            page = deals[number * net : number * net + self.rows]
            body = self.around([self.row(each) for each in page], page[-1])
            yield json.dumps(body, separators=(",", ":")), page


def _candles(symbol: str, row: Callable[[Deal], Any], around: Any = _plain, **given: int) -> Kind:
    return Kind(symbol, row, around, **{"step": _MINUTE * _NS, **given})


KINDS: Mapping[str, Kind] = {
    "binance.trades": Kind("BTCUSDT", _binance_trade),
    "binance.aggtrades": Kind("BTCUSDT", _binance_aggregate),
    "bitmex.trades": Kind("XBTUSD", _bitmex_trade, overlap=1),
    "coinbase.trades": Kind("BTC-USD", _coinbase_trade, _newest_first),
    "kraken.trades": Kind("BTC/USDT", _kraken_trade, _kraken, overlap=1),
    "bitfinex.trades": Kind("tBTCUSD", _bitfinex_trade, rows=10_000, pages=1),
    "binance.candles": _candles("BTCUSDT", _binance_candle),
    "bitmex.candles": _candles("XBTUSD", _bitmex_candle),
    "bybit.candles": _candles("BTCUSDT", _bybit_candle, _bybit),
    "coinbase.candles": _candles("BTC-USD", _coinbase_candle, _newest_first, rows=300),
    "kraken.candles": _candles("BTC/USDT", _kraken_candle, _kraken, rows=720, pages=1),
    "bitfinex.candles": _candles("tBTCUSD", _bitfinex_candle, rows=10_000, pages=1),
}


def main() -> None:
    """Write all pages as one file: bodies, symbol, and the times (ns) of first and last row."""
    found = {}
    for name, kind in KINDS.items():
        bodies, pages = zip(*kind.made(), strict=True)
        span = {"first": pages[0][0].time, "last": pages[-1][-1].time, "id": pages[0][0].id}
        found[name] = {"symbol": kind.symbol, "bodies": bodies, **span}
    Path(sys.argv[1]).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
