"""Times how doors read REST pages from memory; prints rows a second of CPU, and their sums."""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

import werks_binance
import werks_bitfinex
import werks_bitmex
import werks_bybit
import werks_coinbase
import werks_kraken
from werks.components import Refusal, Request
from werks.history import Pages, Span

_DOORS: Mapping[str, Any] = {
    "binance": werks_binance,
    "bitmex": werks_bitmex,
    "bybit": werks_bybit,
    "coinbase": werks_coinbase,
    "kraken": werks_kraken,
    "bitfinex": werks_bitfinex,
}
_LEAST, _PASSES = 0.3, 3
_MS, _MINUTE = 10**6, 60 * 10**9


class Memory:
    """Answers with given bodies one after the other, as `werks.http` would have them."""

    def __init__(self, bodies: Iterator[bytes]) -> None:
        self._bodies = bodies

    def text(self, url: str, **query: str) -> str:
        """Return nothing: REST is not asked for text here."""
        raise NotImplementedError(url)

    def json(self, request: Request, kind: Any, refusal: Refusal | None = None) -> Any:
        """Return the next answer as data of a type."""
        body = next(self._bodies)
        error = refusal(200, body) if refusal else None
        if error is not None:
            raise error
        return msgspec.json.decode(body, type=kind)


def cursor(name: str, given: Mapping[str, Any]) -> str | None:
    """Return from where a door reads the pages without looking for the first one."""
    if name in ("binance.trades", "binance.aggtrades", "coinbase.trades"):
        return str(given["id"])
    return None


class Reading:
    """The pages of one kind, read by its door."""

    def __init__(self, name: str, given: Mapping[str, Any]) -> None:
        exchange, short = name.split(".")
        hooks: Any = _DOORS[exchange].werks_histories()
        self._door = hooks[short]()
        self._bodies = [body.encode() for body in given["bodies"]]
        if name == "coinbase.trades":  # which first asks for the newest ids
            self._bodies.insert(0, self._bodies[-1])
        # No door asks for another page once it has seen a row at the end.
        stop = given["last"] + _MINUTE if short == "candles" else given["last"] // _MS * _MS
        self._span = Span(given["symbol"], given["first"], stop, cursor(name, given))

    def pages(self) -> list[pa.RecordBatch]:
        """Return what the door makes of the pages."""
        span, after = self._span, self._span.cursor or self._span.start
        http = Memory(iter(self._bodies))
        return [page for page, _ in self._door.read(http, span.symbol, after, span.stop)]

    def ordered(self) -> list[pa.RecordBatch]:
        """Return the rows as a run gets them: in order, each once."""
        return list(Pages(self._door, Memory(iter(self._bodies)), self._span, "bench"))


def speed(read: Callable[[], list[pa.RecordBatch]]) -> float:
    """Return rows a second of CPU, the median of some passes."""
    taken: list[float] = []
    rows = sum(map(len, read()))
    while len(taken) < _PASSES or sum(taken) < _LEAST:
        began = time.process_time()
        read()
        taken.append(time.process_time() - began)
    return rows / median(taken)


def measured(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the speeds of one kind of page, the rows, and the sum of their prices."""
    reading = Reading(name, given)
    made = pa.Table.from_batches(reading.pages())
    price = made["price" if "price" in made.schema.names else "close"]
    found: Decimal = pc.sum(price).as_py()
    return {
        "rows": len(made),
        "sum": format(found.normalize(), "f"),
        "speed": speed(reading.pages),
        "ordered": speed(reading.ordered),
    }


def main() -> None:
    """Measure all kinds of a file of pages."""
    pages = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    found = {name: measured(name, given) for name, given in pages.items()}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
