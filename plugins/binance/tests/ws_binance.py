"""Binance's side of a websocket connection, spot and USD-M, as its wire is recorded."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import attrs
import pyarrow as pa

from werks.schema import kind
from werks.testing import Venue
from werks.testing.tape import by_name

_MS, _US = 10**6, 10**3
# What USD-M serves on which route; anything else is acknowledged, and silent.
_ROUTES = {
    "public": ("trade", "bookTicker", "depth"),
    "market": ("aggTrade", "kline", "markPrice", "forceOrder"),
}
_KINDS = {"rpi": "RPI", "off_book": "INSURANCE_FUND"}
_STREAMS = {"TRADE": "trade", "TICK": "aggTrade", "QUOTE": "bookTicker", "CANDLE": "kline"}


@attrs.define
class Words:
    """What is said on one connection; `opened` tells the market by the path."""

    venue: Venue
    _streams: set[str] = attrs.field(factory=set, init=False)
    _route: str = attrs.field(default="", init=False)
    _unit: int = attrs.field(default=_MS, init=False)
    _time: int = attrs.field(default=0, init=False)
    _update: int = attrs.field(default=0, init=False)

    def opened(self, path: str) -> None:
        """Take note of the route and of the unit of time; say nothing."""
        asked = urlsplit(path)
        self._route = asked.path.strip("/").rpartition("/")[0]
        self._unit = _US if "MICROSECOND" in asked.query.upper() else _MS

    def said(self, text: str) -> str:
        """Return the answer to a request: an ack whatever the streams are called."""
        try:
            asked = json.loads(text)
        except ValueError:
            return _error(3, "Invalid JSON: expected value at line 1 column 1", None)
        if asked.get("method") != "SUBSCRIBE":
            return _error(2, "Invalid request: unknown variant", asked.get("id"))
        if len(asked.get("params", ())) > 1024:
            return _error(2, "Invalid request: too many parameters", asked["id"])
        self._streams |= {stream for stream in asked["params"] if self._serves(stream)}
        return json.dumps({"result": None, "id": asked["id"]})

    def _serves(self, stream: str) -> bool:
        symbol, _, name = stream.partition("@")
        known = _ROUTES.get(self._route, (name,) if not self._route else ())
        refused = {each.lower() for each in self.venue.refused}
        return symbol not in refused and any(name.startswith(word) for word in known)

    def trades(self, rows: pa.RecordBatch) -> Iterator[str]:
        """Yield a frame for each row, if its stream is subscribed to."""
        self._time = rows["timestamp"].cast(pa.int64())[-1].as_py()
        symbol, name = str(rows["symbol"][0]), _STREAMS[kind(rows.schema)]
        stream = f"{symbol.lower()}@{name}"
        if name == "kline":
            stream = f"{stream}_{rows['interval'][0]}"
        if stream in self._streams:
            for row in by_name(rows, spelt=True):
                payload = {"s": symbol, **getattr(self, f"_{name}")(row)}
                yield json.dumps({"stream": stream, "data": payload})

    def heartbeat(self) -> None:
        """Say nothing: Binance sends ping frames."""

    def maintenance(self) -> str | None:
        """Return what spot says before it shuts a server down."""
        if self._route:
            return None
        said = {"e": "serverShutdown", "E": self._time // _MS}
        return json.dumps({"stream": "!serverShutdown", "data": said})

    def _trade(self, row: dict[str, Any]) -> dict[str, Any]:
        usdm = {"X": _KINDS.get(row["flag"], "MARKET")} if self._route else {"M": True}
        return {**self._both("trade", row), "t": int(row["trade_id"]), **usdm}

    def _aggTrade(self, row: dict[str, Any]) -> dict[str, Any]:  # noqa: N802  (Binance's name)
        first = int(row["trade_id"]) * 10
        fills = {"a": int(row["trade_id"]), "f": first, "l": first + row["ticks"] - 1}
        return {**self._both("aggTrade", row), **fills}

    def _both(self, event: str, row: dict[str, Any]) -> dict[str, Any]:
        times = {"E": row["timestamp"] // self._unit + 1, "T": row["timestamp"] // self._unit}
        amounts = {"p": row["price"], "q": row["size"], "m": row["tick_rule"] < 0}
        return {"e": event, **times, **amounts}

    def _bookTicker(self, row: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        self._update += 7
        sides = {"b": row["bid"], "B": row["bid_size"], "a": row["ask"], "A": row["ask_size"]}
        time = row["timestamp"] // _MS
        timed = {"e": "bookTicker", "T": time, "E": time + 2} if self._route else {}
        return {"u": self._update, **sides, **timed}

    def _kline(self, row: dict[str, Any]) -> dict[str, Any]:
        start = row["timestamp"] // _MS
        names = {"o": "open", "h": "high", "l": "low", "c": "close", "v": "volume", "q": "notional"}
        amounts = {name: row[column] for name, column in names.items()}
        counts = {"n": row["trades"], "f": 1, "L": row["trades"], "x": True}
        candle = {"t": start, "T": start + 59_999, "i": row["interval"], **amounts, **counts}
        return {"e": "kline", "E": start + 60_100, "k": {"s": str(row["symbol"]), **candle}}


def _error(code: int, message: str, number: Any) -> str:
    return json.dumps({"error": {"code": code, "msg": message}, "id": number})
