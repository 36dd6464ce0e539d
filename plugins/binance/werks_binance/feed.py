"""What is said on a websocket of Binance: streams asked for, frames taken, rows made of them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any

import attrs
import msgspec
import pyarrow as pa

from werks.components import Acked, Event, RateLimit, Refused, Restart
from werks.errors import MessageError
from werks.heard import Columns, batches

from .days import Market

URLS: Mapping[Market, str] = {
    "spot": "wss://stream.binance.com:9443",
    "usdm": "wss://fstream.binance.com",
}
URL_HELP = "another address of the websocket; empty for the market's own"
# Spot takes 1024 streams a connection, USD-M was said to take 200.
MOST = 200
# Spot cuts a client that sends more than five texts and pings a second.
SENDS = 4.0
# Spot pings every 20 s, USD-M every three minutes; the answers to our own pings come besides.
STALE = 60.0
# Attempts to connect from one address within five minutes; of futures it is not stated.
CONNECTS = RateLimit(300, 300)
LIFETIME = timedelta(hours=24)
SILENCE = (
    "Binance acknowledges a symbol that it does not know all the same, and then stays silent:"
    " only the first row proves a subscription"
)
# Streams that may come on a connection for a moment although another one was asked for.
_OTHERS = frozenset(
    {
        *("trade", "aggTrade", "bookTicker", "kline", "depth", "markPrice", "forceOrder"),
        *("ticker", "miniTicker", "avgPrice", "rpiDepth"),
    }
)
# What 64 bits hold; a greater number is none that Binance sends.
Whole = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_ASKED_AT_ONCE = 50
_SHOWN = 200


class _Fault(msgspec.Struct):
    code: int
    msg: str = ""


class _Told(msgspec.Struct):
    e: str = ""


class _Said(msgspec.Struct):
    """A text that is no frame of the stream asked for: an answer, or a frame of another one."""

    stream: str = ""
    data: _Told | list[_Told] | None = None
    e: str = ""
    id: int | str | None = None
    result: Any = msgspec.UNSET
    error: _Fault | None = None
    code: int | None = None
    msg: str = ""


@attrs.frozen
class Channel:
    """A kind of streams: what they are called, what their frames hold, how those become rows.

    `frame` is a struct with the payload as `data`, which has a `symbol`. `chosen` picks and makes
    of the payloads (and of the times at which they came) what `columns` takes.
    """

    url: str
    name: str
    frame: Any
    exchange: str
    schema: pa.Schema
    columns: Columns
    chosen: Callable[[list[Any], list[int]], tuple[list[Any], list[int]]] | None = None


def address(market: Market, ws_url: str, route: str = "", micro: bool = False) -> str:
    """Return where combined streams are: USD-M has parted them by route since 2026-03."""
    base = (ws_url or URLS[market]).rstrip("/")
    path = f"/{route}/stream" if market == "usdm" else "/stream"
    return f"{base}{path}{'?timeUnit=MICROSECOND' if micro and market == 'spot' else ''}"


@attrs.define(eq=False)
class Conversation:
    """One connection's words. Payloads are kept as they came, and made rows of at the flush."""

    symbols: tuple[str, ...]
    channel: Channel
    _decode: Callable[[str | bytes], Any] = attrs.field(init=False)
    _spelt: dict[str, str] = attrs.field(init=False)
    _asked: dict[int, tuple[str, ...]] = attrs.field(init=False)
    _heard: list[Any] = attrs.field(factory=list, init=False)
    _received: list[int] = attrs.field(factory=list, init=False)
    _made: list[pa.RecordBatch] = attrs.field(factory=list, init=False)

    def __attrs_post_init__(self) -> None:
        self._decode = msgspec.json.Decoder(self.channel.frame).decode
        self._spelt = {symbol.upper(): symbol for symbol in self.symbols}
        starts = range(0, len(self.symbols), _ASKED_AT_ONCE)
        self._asked = {
            number: self.symbols[start : start + _ASKED_AT_ONCE]
            for number, start in enumerate(starts, 1)
        }

    def opened(self) -> Iterator[str]:
        """Yield the subscriptions, some symbols at once."""
        for number, symbols in self._asked.items():
            streams = [f"{symbol.lower()}@{self.channel.name}" for symbol in symbols]
            asked = {"method": "SUBSCRIBE", "params": streams, "id": number}
            yield msgspec.json.encode(asked).decode()

    def heard(self, message: str | bytes, received: int) -> Sequence[Event]:
        """Keep the payload of a frame; return what an answer says."""
        try:
            payload = self._decode(message).data
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            return self._answered(message, error)
        if payload.symbol not in self._spelt:
            raise self._unread(message, f"{payload.symbol!r:.40} was not asked for")
        self._heard.append(payload)
        self._received.append(received)
        return ()

    def rows(self) -> Sequence[pa.RecordBatch]:
        """Return what was heard as rows, one symbol a batch.

        MessageError names a payload that cannot be one: it is let go, and the others come with the
        next call.
        """
        heard, received = self._heard, self._received
        self._heard, self._received = [], []
        if self.channel.chosen is not None:
            heard, received = self.channel.chosen(heard, received)
        made, error = batches(heard, received, self._spelt, self.channel)
        if error is not None:
            self._made += made
            raise error
        made, self._made = [*self._made, *made], []
        return made

    def _answered(self, message: str | bytes, error: Exception) -> Sequence[Event]:
        """Return what a text says that is no frame of our stream; MessageError if it is nothing."""
        try:
            said = msgspec.json.decode(message, type=_Said)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as worse:
            raise self._unread(message, str(worse)) from error
        fault = said.error or (None if said.code is None else _Fault(said.code, said.msg))
        if fault is not None:
            why = f"Binance says {fault.msg!r} (code {fault.code})"
            return [Refused(symbol, why) for symbol in self._of(said.id)]
        if "serverShutdown" in (said.e, said.stream.lstrip("!")):
            return [Restart("Binance is about to shut this server down")]
        if said.result is None and said.id is not None:
            return [Acked(symbol) for symbol in self._of(said.id)]
        kind = said.stream.partition("@")[2] or said.stream
        if said.stream and _word(kind) in _OTHERS - {_word(self.channel.name)}:
            return ()
        raise self._unread(message, str(error)) from error

    def _of(self, number: int | str | None) -> Sequence[str]:
        """Return the symbols of a request; an answer without its number is about all of them."""
        return self._asked.get(number, ("",)) if isinstance(number, int) else ("",)

    def _unread(self, message: str | bytes, why: str) -> MessageError:
        return MessageError(f"{self.channel.url}: cannot be read: {why}: {message[:_SHOWN]!r}")


def _word(kind: str) -> str:
    """Return a stream's kind without what it is set to: kline_1m, depth20@100ms, !ticker@arr."""
    return kind.partition("@")[0].partition("_")[0].rstrip("0123456789").lstrip("!")
