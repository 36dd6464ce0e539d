"""Bybit's side of a websocket connection (v5): spot, linear and inverse."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import attrs
import pyarrow as pa

from werks.schema import kind
from werks.testing import Venue
from werks.testing.tape import by_name

_MS = 10**6
_TOPICS = {"TRADE": "publicTrade", "QUOTE": "orderbook.1", "LIQUIDATION": "allLiquidation"}
_KNOWN = ("publicTrade", "orderbook", "kline", "tickers", "allLiquidation")
# So many trades a message has at most, and so many topics a request for spot.
_MOST_TRADES, _MOST_ARGS = 1024, 10
_ID = "werks-1"


@attrs.define
class Words:
    """What is said on one connection; `opened` tells the market by the path."""

    venue: Venue
    _market: str = attrs.field(default="", init=False)
    _topics: set[str] = attrs.field(factory=set, init=False)
    _sequence: int = attrs.field(default=1000, init=False)

    def opened(self, path: str) -> None:
        """Take note of the market; say nothing."""
        self._market = urlsplit(path).path.rpartition("/")[2]

    def said(self, text: str) -> Iterator[str]:
        """Yield the answers to a text."""
        try:
            asked = json.loads(text)
        except ValueError:
            yield self._answer("", False, "error:invalid json", "")
            return
        number = str(asked.get("req_id", ""))
        if asked.get("op") == "ping":
            yield self._answer("ping", True, "pong", number)
        elif asked.get("op") == "subscribe":
            yield self._subscribed(asked.get("args", []), number)
        else:
            yield self._answer(str(asked.get("op")), False, "error:unknown op", number)

    def _subscribed(self, topics: list[str], number: str) -> str:
        """Return the answer to a subscription, which one bad topic spoils as a whole."""
        if self._market == "spot" and len(topics) > _MOST_ARGS:
            return self._answer("subscribe", False, "args size >10", number)
        for topic in topics:
            name, _, symbol = topic.partition(".")
            symbol = symbol.rpartition(".")[2]
            if name not in _KNOWN or symbol in self.venue.refused:
                why = f"error:handler not found,topic:{topic}"
                return self._answer("subscribe", False, why, number)
            if topic in self._topics:
                why = f"error:already subscribed,topic:{topic}"
                return self._answer("subscribe", False, why, number)
        self._topics |= set(topics)
        said = "subscribe" if self._market == "spot" else ""
        return self._answer("subscribe", True, said, number)

    def _answer(self, op: str, success: bool, message: str, number: str) -> str:
        said = {"success": success, "ret_msg": message, "conn_id": _ID, "op": op}
        # As Bybit escapes it.
        return json.dumps(said | ({"req_id": number} if number else {})).replace(">", "\\u003e")

    def trades(self, rows: pa.RecordBatch) -> Iterator[str]:
        """Yield messages of many rows, or one of each quote, if their topic is subscribed to."""
        what = kind(rows.schema)
        topic = f"{_TOPICS[what]}.{rows['symbol'][0]}"
        if topic not in self._topics:
            return
        made = by_name(rows, spelt=True)
        if what == "QUOTE":
            yield from (self._quote(topic, row) for row in made)
            return
        self._sequence += 3
        for start in range(0, len(made), _MOST_TRADES):
            part = made[start : start + _MOST_TRADES]
            tell = self._trade if what == "TRADE" else self._liquidation
            said = {"topic": topic, "type": "snapshot", "ts": part[-1]["timestamp"] // _MS + 2}
            yield json.dumps({**said, "data": [tell(row) for row in part]})

    def heartbeat(self) -> None:
        """Say nothing: the client pings."""

    def maintenance(self) -> None:
        """Say nothing: that is told on a connection of its own."""

    def _trade(self, row: dict[str, Any]) -> dict[str, Any]:
        tick = {} if self._market == "spot" else {"L": "ZeroPlusTick"}
        flags = {"BT": row["flag"] == "block", "RPI": row["flag"] == "rpi"}
        side = "Buy" if row["tick_rule"] > 0 else "Sell"
        same = {"i": row["trade_id"], "S": side, "seq": self._sequence}
        return {**self._both(row), **same, **tick, **flags}

    def _liquidation(self, row: dict[str, Any]) -> dict[str, Any]:
        return {**self._both(row), "S": "Sell" if row["tick_rule"] > 0 else "Buy"}

    def _both(self, row: dict[str, Any]) -> dict[str, Any]:
        stated = row["notional" if self._market == "inverse" else "size"]
        return {
            "T": row["timestamp"] // _MS,
            "s": row["symbol"],
            "v": _short(stated),
            "p": _short(row["price"]),
        }

    def _quote(self, topic: str, row: dict[str, Any]) -> str:
        self._sequence += 1
        time = row["timestamp"] // _MS
        data = {
            "s": row["symbol"],
            "b": [[_short(row["bid"]), _short(row["bid_size"])]] if row["bid"] else [],
            "a": [[_short(row["ask"]), _short(row["ask_size"])]] if row["ask"] else [],
            "u": self._sequence,
            "seq": self._sequence * 7,
        }
        said = {"topic": topic, "ts": time + 3, "type": "snapshot", "data": data, "cts": time}
        return json.dumps(said)


def _short(number: str) -> str:
    """Return a number without the zeros at its end."""
    return number.rstrip("0").rstrip(".") if "." in number else number
