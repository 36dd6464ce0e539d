"""REST pages row by row, as libraries of exchanges read them: json.loads, Decimals, a dict a row.

It needs nothing but the standard library.
"""

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any

_LEAST, _PASSES = 0.3, 3
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Row = dict[str, Any]


def _safe(value: Any) -> str | None:
    return str(value) if value is not None else None


def _iso(ms: int) -> str:
    return (_EPOCH + timedelta(milliseconds=ms)).isoformat(timespec="milliseconds")


def _ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def _trade(id_: Any, ms: int, side: str, price: Any, size: Any) -> Row:
    paid, amount = Decimal(str(price)), Decimal(str(size))
    return {"id": _safe(id_), "timestamp": ms, "datetime": _iso(ms), "side": side,
            "price": paid, "amount": amount, "cost": paid * amount}  # fmt: skip


def _candle(ms: int, *amounts: Any) -> Row:
    names = ("open", "high", "low", "close", "volume")
    found = {name: Decimal(str(each)) for name, each in zip(names, amounts, strict=True)}
    return {"timestamp": ms, "datetime": _iso(ms), **found}


def _bitfinex_trade(row: Sequence[Any]) -> Row:
    return _trade(row[0], row[1], "buy" if row[2] > 0 else "sell", row[3], abs(row[2]))


def _bitmex_candle(row: Mapping[str, Any]) -> Row:
    names = ("open", "high", "low", "close", "homeNotional")
    return _candle(_ms(row["timestamp"]) - 60_000, *(row[name] for name in names))


def _taker(bought: bool) -> str:
    return "buy" if bought else "sell"


_ROWS: Mapping[str, Callable[[Any], Row]] = {
    "binance.trades": lambda r: _trade(
        r["id"], r["time"], _taker(not r["isBuyerMaker"]), r["price"], r["qty"]
    ),
    "binance.aggtrades": lambda r: _trade(r["a"], r["T"], _taker(not r["m"]), r["p"], r["q"]),
    "bitmex.trades": lambda r: _trade(
        r["trdMatchID"], _ms(r["timestamp"]), r["side"].lower(), r["price"], r["homeNotional"]
    ),
    "coinbase.trades": lambda r: _trade(
        r["trade_id"], _ms(r["time"]), _taker(r["side"] == "sell"), r["price"], r["size"]
    ),
    "kraken.trades": lambda r: _trade(r[6], int(r[2] * 1000), _taker(r[3] == "b"), r[0], r[1]),
    "bitfinex.trades": _bitfinex_trade,
    "binance.candles": lambda r: _candle(*r[:6]),
    "bitmex.candles": _bitmex_candle,
    "bybit.candles": lambda r: _candle(int(r[0]), *r[1:6]),
    "coinbase.candles": lambda r: _candle(r[0] * 1000, r[3], r[2], r[1], r[4], r[5]),
    "kraken.candles": lambda r: _candle(r[0] * 1000, *r[1:5], r[6]),
    "bitfinex.candles": lambda r: _candle(r[0], r[1], r[3], r[4], r[2], r[5]),
}


def _listed(said: Any) -> list[Any]:
    """Return the rows of an answer, wherever they are in it."""
    if isinstance(said, dict):
        inner = said["result"]
        said = inner["list"] if "list" in inner else next(iter(inner.values()))
    rows: list[Any] = said
    return rows


def parsed(bodies: Sequence[str], row: Callable[[Any], Row]) -> list[Row]:
    """Return the rows of all pages, oldest first in each."""
    found = []
    for body in bodies:
        page = [row(each) for each in _listed(json.loads(body))]
        page.sort(key=lambda each: each["timestamp"])
        found += page
    return found


def speed(read: Callable[[], Sequence[Any]]) -> float:
    """Return rows a second of CPU, the median of some passes."""
    rows, taken = len(read()), list[float]()
    while len(taken) < _PASSES or sum(taken) < _LEAST:
        began = time.process_time()
        read()
        taken.append(time.process_time() - began)
    return rows / median(taken)


def _measured(bodies: Sequence[str], row: Callable[[Any], Row]) -> dict[str, Any]:
    made = parsed(bodies, row)
    prices = sum((each["price" if "price" in each else "close"] for each in made), Decimal(0))
    said = {"rows": len(made), "sum": format(prices.normalize(), "f")}
    return {**said, "speed": speed(lambda: parsed(bodies, row))}


def main() -> None:
    """Measure all kinds of a file of pages."""
    pages = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    found = {name: _measured(given["bodies"], _ROWS[name]) for name, given in pages.items()}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
