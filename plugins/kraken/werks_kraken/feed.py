"""What is said on a websocket of Kraken, version 2, whatever is listened to."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs
import msgspec

from werks.components import Acked, Event, RateLimit, Refused, Restart
from werks.errors import MessageError, RateLimitError

URL = "wss://ws.kraken.com/v2"
URL_HELP = "where the websocket, version 2, is; empty: at Kraken itself"
# Kraken closes after about 60 seconds without a text from the client. There is a heartbeat every
# second once anything is subscribed to, and a pong before that.
PING = ('{"method":"ping"}', 8.0)
STALE_AFTER = 10.0
# New connections from one address within ten minutes; beyond, it is shut out for ten.
CONNECTS = RateLimit(150, 600)
# No number is stated for these channels; 200 is that of the books of single orders.
MOST_SYMBOLS = 200

_SHOWN = 200
_PAUSE = 5.0
# What is not the subscription's fault.
_LATER = ("EService", "ESession")
_RUNNING = ("online", "cancel_only", "post_only", "limit_only")
# Channels of others, and answers that tell nothing.
_CHANNELS = ("trade", "ticker", "ohlc", "book", "level3", "instrument", "executions", "balances")
_METHODS = ("pong", "unsubscribe")


class _Result(msgspec.Struct):
    channel: str = ""
    symbol: str = ""


class Said(msgspec.Struct):
    """A message of any kind: data of a channel, or the answer to a method."""

    channel: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")
    method: str = ""
    success: bool = True
    result: _Result | None = None
    error: str = ""
    symbol: str = ""


class _Status(msgspec.Struct):
    system: str


_decode = msgspec.json.Decoder(Said).decode
_statuses = msgspec.json.Decoder(list[_Status]).decode


def heads(channel: str) -> frozenset[str | bytes]:
    """Return how a message of a channel begins as Kraken writes it, as text and as bytes."""
    head = f'{{"channel":"{channel}"'
    return frozenset((head, head.encode()))


def unreadable(url: str, message: str | bytes | msgspec.Raw, why: object) -> MessageError:
    """Return the error for a message, or a part of one, that cannot be read."""
    shown = bytes(message) if isinstance(message, msgspec.Raw) else message
    return MessageError(f"{url}: cannot be read: {why}: {shown[:_SHOWN]!r}")


@attrs.define(eq=False)
class Session:
    """The words that do not depend on what is listened to: subscriptions, status, heartbeats."""

    url: str
    symbols: tuple[str, ...]
    channel: str
    options: Mapping[str, Any]

    def opened(self) -> Iterator[str]:
        """Yield the subscription; it is answered for each symbol."""
        params = {"channel": self.channel, "symbol": self.symbols, **self.options}
        yield msgspec.json.encode({"method": "subscribe", "params": params, "req_id": 1}).decode()

    def read(self, decode: Any, message: Any) -> Any:
        """Return a message as data; MessageError if it cannot be."""
        try:
            return decode(message)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise unreadable(self.url, message, error) from error

    def answered(self, message: str | bytes) -> Sequence[Event] | None:
        """Return what a message tells that has no rows; None if it is the channel's own.

        MessageError if it cannot be read or was not expected.
        """
        said: Said = self.read(_decode, message)
        if said.channel == self.channel:
            return None
        if said.channel == "status":
            return self._status(said, message)
        if said.channel == "heartbeat" or said.channel in _CHANNELS or said.method in _METHODS:
            return ()
        if said.method == "subscribe" and said.result and said.success:
            known = said.result.channel == self.channel and said.result.symbol in self.symbols
            return [Acked(said.result.symbol)] if known else ()
        if said.error:
            return [self._refused(said)]
        raise unreadable(self.url, message, "it was not expected")

    def _status(self, said: Said, message: str | bytes) -> Sequence[Event]:
        for each in self.read(_statuses, said.data):
            if each.system == "maintenance":
                return [Restart("Kraken is in maintenance")]
            if each.system not in _RUNNING:
                raise unreadable(self.url, message, f"a system that is {each.system!r}")
        return ()

    def _refused(self, said: Said) -> Event:
        words = {said.symbol, *said.error.split()}
        symbol = next((each for each in self.symbols if each in words), "")
        if said.error.startswith("Already subscribed") and symbol:
            return Acked(symbol)
        if "msg rate" in said.error or "Rate limit" in said.error:
            raise RateLimitError(f"{self.url}: Kraken says {said.error!r}", _PAUSE)
        if not symbol and (said.method != "subscribe" or said.error.startswith(_LATER)):
            return Restart(f"Kraken says {said.error!r}")
        return Refused(symbol, f"Kraken says {said.error!r}")
