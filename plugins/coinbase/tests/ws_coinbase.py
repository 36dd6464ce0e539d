"""A simulated websocket of Coinbase Exchange: what it says of trades and quotes."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import attrs
import pyarrow as pa

from werks.schema import kind, nanoseconds
from werks.testing import Venue
from werks.testing.tape import by_name

SECOND = 10**9
_CHANNELS = {"matches": "TRADE", "ticker": "QUOTE", "heartbeat": ""}
_KEYS = ("product_ids", "channels")


@attrs.define
class Words:
    """One connection; `werks.testing.LoopbackSocket(Words)` serves it.

    What a channel begins with is said before the ack, as it was recorded.
    """

    venue: Venue
    _on: dict[str, list[str]] = attrs.field(factory=dict, init=False)
    _last: dict[str, int] = attrs.field(factory=dict, init=False)
    _time: int = attrs.field(default=0, init=False)
    _sequence: int = attrs.field(default=0, init=False)

    def opened(self, path: str) -> None:
        """Say nothing: the client must subscribe within five seconds."""

    def said(self, text: str) -> Iterator[str]:
        """Yield the answers to a subscription; one that is refused takes nothing."""
        try:
            asked = json.loads(text)
        except json.JSONDecodeError:
            yield _error("Malformed JSON", "")
            return
        if asked.get("type") != "subscribe" or not all(asked.get(key) for key in _KEYS):
            yield _error("Failed to subscribe", "No channels provided")
            return
        for product in asked["product_ids"]:
            if product in self.venue.refused:
                yield _error("Failed to subscribe", f"{product} is not a valid product")
                return
        for channel in asked["channels"]:
            named = self._on.setdefault(channel, [])
            for product in asked["product_ids"]:
                if product not in named:
                    named.append(product)
                    yield from self._begun(channel, product)
        yield self._subscriptions()

    def _begun(self, channel: str, product: str) -> Iterator[str]:
        what = _CHANNELS[channel]
        past = self.venue.past(product, 1, what) if what else None
        if past is not None:
            (row,) = by_name(past)
            yield self._match(row, "last_match") if what == "TRADE" else self._ticker(row)

    def _subscriptions(self) -> str:
        channels = [{"name": name, "product_ids": ids} for name, ids in self._on.items()]
        return json.dumps({"type": "subscriptions", "channels": channels})

    def trades(self, rows: pa.RecordBatch) -> Iterator[str]:
        """Yield a match for each trade, a ticker for each quote."""
        what, product = kind(rows.schema), str(rows["symbol"][0])
        self._time = int(nanoseconds(rows["timestamp"])[-1])
        if what == "TRADE":
            self._last[product] = int(str(rows["trade_id"][-1]))
        if product not in self._on.get("matches" if what == "TRADE" else "ticker", ()):
            return
        for row in by_name(rows):
            yield self._match(row, "match") if what == "TRADE" else self._ticker(row)

    def heartbeat(self) -> Iterator[str]:
        """Yield the last id of each product."""
        for product in self._on.get("heartbeat", ()):
            past = self.venue.past(product, 1)
            known = 0 if past is None else int(str(past["trade_id"][0]))
            yield json.dumps(
                {
                    "type": "heartbeat",
                    "sequence": self._sequence,
                    "last_trade_id": max(known, self._last.get(product, 0)),
                    "product_id": product,
                    "time": moment(self._time),
                }
            )

    def maintenance(self) -> None:
        """Say nothing: the exchange goes without a word."""

    def _match(self, row: dict[str, Any], name: str) -> str:
        self._sequence += 3  # it counts all events of the book
        said = {
            "type": name,
            "trade_id": int(row["trade_id"]),
            "maker_order_id": "00000000-0000-4000-8000-000000000001",
            "taker_order_id": "00000000-0000-4000-8000-000000000002",
            "side": "sell" if row["tick_rule"] > 0 else "buy",
            "size": spelt(row["size"]),
            "price": spelt(row["price"]),
            "product_id": row["symbol"],
            "sequence": self._sequence,
            "time": moment(row["timestamp"]),
        }
        return json.dumps(said, separators=(",", ":"))

    def _ticker(self, row: dict[str, Any]) -> str:
        said = {
            "type": "ticker",
            "sequence": self._sequence,
            "product_id": row["symbol"],
            "price": spelt(row["bid"]),
            "open_24h": "1",
            "best_bid": spelt(row["bid"]),
            "best_bid_size": spelt(row["bid_size"]),
            "best_ask": spelt(row["ask"]),
            "best_ask_size": spelt(row["ask_size"]),
            "side": "sell",
            "time": moment(row["timestamp"]),
        }
        return json.dumps(said, separators=(",", ":"))


def spelt(amount: Decimal) -> str:
    """Return an amount with as few digits as it needs, never with an exponent."""
    return f"{amount.normalize():f}"


def moment(time: Any) -> str:
    """Return a time in ns as the exchange writes it: microseconds, more only where there are."""
    second, rest = divmod(int(time), SECOND)
    fraction = f"{rest:09}"
    fraction = fraction[:6] if fraction.endswith("000") else fraction
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}.{fraction}Z"


def _error(message: str, reason: str) -> str:
    return json.dumps({"type": "error", "message": message, "reason": reason})
