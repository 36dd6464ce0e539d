"""What is said on a websocket of Coinbase Exchange, whatever is listened to."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import attrs
import msgspec

from werks.components import Acked, Event, RateLimit, Refused, Restart
from werks.errors import MessageError, RateLimitError

URL = "wss://ws-feed.exchange.coinbase.com"
URL_HELP = "where the websocket is; empty: at Coinbase Exchange itself"
# Each product has a heartbeat every second.
STALE_AFTER = 10.0
# New connections a second from one address.
CONNECTS = RateLimit(8, 1)
# No number is stated; each product has a subscription of its own, so that one that is refused takes
# no other with it, and must be asked for within five seconds of connecting.
MOST_SYMBOLS = 100
# An address may send a hundred in a second, over all its connections.
SENDS_PER_SECOND = 50.0

_SHOWN = 200
_PAUSE = 5.0
_REFUSED = "Failed to subscribe"


class Match(msgspec.Struct, tag_field="type", tag="match", gc=False):
    """A trade; `side` is the maker's."""

    product_id: str
    time: str
    trade_id: int
    price: str
    size: str
    side: Literal["buy", "sell"]


class LastMatch(Match, tag_field="type", tag="last_match", gc=False):
    """The trade before the subscription, which a connection begins with."""


class Ticker(msgspec.Struct, tag_field="type", tag="ticker", gc=False):
    """The best bid and ask after a trade; sizes are stated since 2022-10-17."""

    product_id: str
    time: str
    best_bid: str
    best_ask: str
    best_bid_size: str | None = None
    best_ask_size: str | None = None


class Heartbeat(msgspec.Struct, tag_field="type", tag="heartbeat", gc=False):
    """The id of a product's last trade, once a second; 0 where there is none."""

    product_id: str
    last_trade_id: int


class _Channel(msgspec.Struct):
    name: str
    product_ids: list[str] = []


class Subscriptions(msgspec.Struct, tag_field="type", tag="subscriptions"):
    """Everything that a connection has subscribed to by now."""

    channels: list[_Channel]


class Error(msgspec.Struct, tag_field="type", tag="error"):
    """A request is refused, or the connection is about to end."""

    message: str
    reason: str = ""


# Channels that are never subscribed to here: heard, they mean nothing.
_OTHERS = tuple(
    msgspec.defstruct(f"_{tag}", [], tag_field="type", tag=tag)
    for tag in (
        *("snapshot", "l2update", "received", "open", "done", "change", "activate", "status"),
        *("auction", "rfq_match"),
    )
)
_KNOWN: Any = Match | LastMatch | Ticker | Heartbeat | Subscriptions | Error
for _other in _OTHERS:
    _KNOWN |= _other
decode: Callable[[str | bytes], Any] = msgspec.json.Decoder(_KNOWN).decode


def unreadable(url: str, message: str | bytes, why: object) -> MessageError:
    """Return the error for a message that cannot be read."""
    return MessageError(f"{url}: cannot be read: {why}: {message[:_SHOWN]!r}")


@attrs.define(eq=False)
class Session:
    """The words that do not depend on what is listened to: subscriptions, and their answers."""

    url: str
    symbols: tuple[str, ...]
    channel: str
    _acked: set[str] = attrs.field(factory=set, init=False)

    def opened(self) -> Iterator[str]:
        """Yield the subscriptions, one a product: a refusal is of a whole text."""
        for symbol in self.symbols:
            asked = {
                "type": "subscribe",
                "product_ids": [symbol],
                "channels": [self.channel, "heartbeat"],
            }
            yield msgspec.json.encode(asked).decode()

    def answered(self, said: Any, message: str | bytes) -> Sequence[Event]:
        """Return what an answer tells; MessageError where it is none."""
        if isinstance(said, Subscriptions):
            named = {
                name for at in said.channels if at.name == self.channel for name in at.product_ids
            }
            fresh = [each for each in self.symbols if each in named - self._acked]
            self._acked.update(fresh)
            return [Acked(each) for each in fresh]
        if isinstance(said, Error):
            return [self._refused(said)]
        if isinstance(said, (Match, LastMatch, Ticker, Heartbeat, *_OTHERS)):
            return ()
        raise unreadable(self.url, message, "it was not expected")

    def _refused(self, error: Error) -> Event:
        said = f"{error.message}: {error.reason}" if error.reason else error.message
        words = set(error.reason.replace(",", " ").split())
        for symbol in self.symbols:
            if symbol in words:
                return Refused(symbol, f"Coinbase says {said!r}")
        if "rate limit" in said.lower():
            raise RateLimitError(f"{self.url}: Coinbase says {said!r}", _PAUSE)
        if error.message == _REFUSED:
            return Refused("", f"Coinbase says {said!r}")
        return Restart(f"Coinbase says {said!r}")  # ErrSlowConsume, Message too big, …
