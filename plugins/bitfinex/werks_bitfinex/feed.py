"""What is said on a websocket of Bitfinex, version 2, whatever is listened to."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import attrs
import msgspec

from werks.components import Acked, Event, Missed, RateLimit, Refused, Restart
from werks.errors import MessageError, RateLimitError, RejectedError

URL = "wss://api-pub.bitfinex.com/ws/2"
URL_HELP = "where the websocket, version 2, is; empty: at Bitfinex itself"
# Each channel has a heartbeat every 15 seconds, all at one moment.
STALE_AFTER = 30.0
# New connections a minute from one address.
CONNECTS = RateLimit(20, 60)
# Channels of one connection, by the docs.
MOST_SYMBOLS = 25
# SEQ_ALL and TIMESTAMP: a number and the server's time at the end of each message of a channel.
FLAGS = 65536 + 32768

_SHOWN = 200
_DUPLICATE, _RATE_LIMIT = 10301, 11010
# Subscription failed, channel unknown, too many channels.
_REFUSED = (10300, 10302, 10305)
_PAUSE = 60.0
_RESTARTS: Mapping[int, str] = {
    20051: "the server restarts",
    20060: "maintenance begins",
    20061: "maintenance is over: what was subscribed to is stale",
}
_HARMLESS = ("pong", "unsubscribed", "auth")
# How a message begins that is no data.
TOLD = frozenset(("{", b"{"))
# The words whose messages have something between them and the number.
_WORDS_WITH_ROWS = (b'"te"', b'"tu"', b'"fte"', b'"ftu"', b'"cs"')
HEARTBEAT = b'"hb"'
_NULL = msgspec.Raw(b"null")


class _Platform(msgspec.Struct):
    status: int = 1


class _Said(msgspec.Struct, rename={"chan_id": "chanId", "sub_id": "subId"}):
    """A message that is no data."""

    event: str
    chan_id: int = 0
    sub_id: str | int | None = None
    channel: str = ""
    symbol: str = ""
    key: str = ""
    code: int | str | None = None
    msg: str = ""
    status: str = ""
    platform: _Platform | None = None


class Frame(msgspec.Struct, array_like=True, gc=False):
    """A message of any channel: its payload, or a word and what belongs to it."""

    channel: int
    payload: msgspec.Raw
    third: msgspec.Raw = _NULL
    fourth: msgspec.Raw = _NULL

    @property
    def number(self) -> int | None:
        """The message's place among all of the connection, where the exchange was asked for it."""
        found = bytes(self.fourth if bytes(self.payload) in _WORDS_WITH_ROWS else self.third)
        return int(found) if found.isdigit() else None

    @property
    def time(self) -> int | None:
        """When the server sent a payload, in ms, where it was asked to tell it."""
        found = bytes(self.fourth)
        return int(found) if found.isdigit() else None


_decode = msgspec.json.Decoder(_Said).decode
_frame = msgspec.json.Decoder(Frame).decode


def unreadable(url: str, message: str | bytes | msgspec.Raw, why: object) -> MessageError:
    """Return the error for a message, or a part of one, that cannot be read."""
    shown = bytes(message) if isinstance(message, msgspec.Raw) else message
    return MessageError(f"{url}: cannot be read: {why}: {shown[:_SHOWN]!r}")


@attrs.frozen
class Ask:
    """A subscription: what names it in the answer, its parameters, and the symbols it serves."""

    name: str
    params: Mapping[str, str]
    symbols: tuple[str, ...]


def asks(symbols: Sequence[str], **params: str) -> tuple[Ask, ...]:
    """Return a subscription for each symbol; {} in a parameter stands for it."""
    found = []
    for symbol in symbols:
        filled = {name: text.replace("{}", symbol) for name, text in params.items()}
        found.append(Ask(filled.get("key") or symbol, filled, (symbol,)))
    return tuple(found)


@attrs.define(eq=False)
class Session:
    """The words that do not depend on what is listened to, and the numbers of the messages.

    `names` has a channel's subscription by its number on this connection; None where it is another
    one's. `following` is the number that the next message should have.
    """

    url: str
    asks: tuple[Ask, ...]
    names: dict[int, str | None] = attrs.field(factory=dict, init=False)
    following: int = attrs.field(default=1, init=False)
    _refused: list[Event] = attrs.field(factory=list, init=False)

    def __attrs_post_init__(self) -> None:
        # Funding (fUSD) has other rows; and what lacks its t would be taken, and renamed.
        asked = [each for ask in self.asks for each in ask.symbols]
        why = "a symbol that begins with t, such as tBTCUSD, is expected"
        self._refused = [Refused(each, why) for each in asked if not each.startswith("t")]
        kept: tuple[Ask, ...] = ()
        for ask in self.asks:
            good = tuple(each for each in ask.symbols if each.startswith("t"))
            kept += (attrs.evolve(ask, symbols=good),) if good else ()
        self.asks = kept

    def opened(self) -> Iterator[str]:
        """Yield what makes the exchange number its messages, and the subscriptions."""
        yield f'{{"event":"conf","flags":{FLAGS}}}'
        for ask in self.asks:
            asked = {"event": "subscribe", **ask.params, "subId": ask.name}
            yield msgspec.json.encode(asked).decode()

    def read(self, decode: Callable[[Any], Any], message: Any) -> Any:
        """Return a message as data; MessageError if it cannot be."""
        try:
            return decode(message)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise unreadable(self.url, message, error) from error

    def told(self, message: str | bytes) -> Sequence[Event]:
        """Return what a message tells that is no data.

        MessageError if it cannot be read or was not expected.
        """
        said: _Said = self.read(_decode, message)
        events, self._refused = self._refused, []
        if said.event == "subscribed":
            return [*events, *self._subscribed(said)]
        if said.event == "info":
            return [*events, *self._info(said, message)]
        if said.event == "error":
            return [*events, *self._error(said)]
        if said.event == "conf":
            if said.status != "OK":
                raise RejectedError(f"{self.url}: Bitfinex refuses to number its messages")
            return events
        if said.event in _HARMLESS:
            return events
        raise unreadable(self.url, message, "it was not expected")

    def _subscribed(self, said: _Said) -> Sequence[Event]:
        ask = self._ask(said)
        self.names[said.chan_id] = ask.name if ask else None
        return [Acked(symbol) for symbol in ask.symbols] if ask else ()

    def _ask(self, said: _Said) -> Ask | None:
        names = (said.sub_id, said.key, said.symbol)
        for ask in self.asks:
            if ask.name in names and said.channel in (ask.params["channel"], ""):
                return ask
        return None

    def _info(self, said: _Said, message: str | bytes) -> Sequence[Event]:
        if said.platform is not None and not said.platform.status:
            return [Restart("Bitfinex is in maintenance")]
        if said.code is None:
            return ()
        why = _RESTARTS.get(_code(said))
        if why is None:
            raise unreadable(self.url, message, f"code {said.code} is not known")
        return [Restart(f"Bitfinex says that {why} (code {said.code})")]

    def _error(self, said: _Said) -> Sequence[Event]:
        code = _code(said)
        why = f"Bitfinex says {said.msg!r} (code {code})"
        if code == _RATE_LIMIT:
            raise RateLimitError(f"{self.url}: {why}", _PAUSE)
        if code == _DUPLICATE:  # the first one stands
            return ()
        ask = self._ask(said)
        if ask is None and code not in _REFUSED:
            return [Restart(why)]
        return [Refused(symbol, why) for symbol in (ask.symbols if ask else ("",))]

    def counted(self, number: int | None) -> Sequence[Missed]:
        """Return what the number of a message tells: each that is left out was of any symbol."""
        if number is None or number < self.following:  # it comes again, or late
            return ()
        missing, self.following = number - self.following, number + 1
        if not missing:
            return ()
        why = f"{missing} messages before number {number} of the connection are missing"
        return [Missed(symbol, why) for ask in self.asks for symbol in ask.symbols]

    def frame(self, message: str | bytes) -> Frame:
        """Return a message of any channel; MessageError if it is none."""
        frame: Frame = self.read(_frame, message)
        return frame


def _code(said: _Said) -> int:
    """Return a code, which may be a number or text; 0 if there is none."""
    return int(said.code) if said.code is not None and str(said.code).isdecimal() else 0
