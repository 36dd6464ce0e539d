"""The websocket door: the same trades, as they happen."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import chain
from typing import ClassVar

import attrs
import msgspec
import numpy as np
import pyarrow as pa
from attrs.validators import ge, gt

from werks.components import (
    Acked,
    Continuity,
    Event,
    Http,
    Missed,
    Refused,
    Restart,
    Send,
    option,
)
from werks.errors import MessageError
from werks.hookspecs import hookimpl

from . import wire

_PING, _PONG = '{"op":"ping"}', '{"op":"pong"}'


class _Trades(msgspec.Struct, tag_field="event", tag="trades"):
    symbol: str
    trades: list[wire.Trade]


class _Subscribed(msgspec.Struct, tag_field="event", tag="subscribed"):
    symbol: str


class _Refused(msgspec.Struct, tag_field="event", tag="refused"):
    reason: str
    symbol: str = ""


class _Missed(msgspec.Struct, tag_field="event", tag="missed"):
    symbol: str
    reason: str


class _Maintenance(msgspec.Struct, tag_field="event", tag="maintenance"):
    reason: str


class _Ping(msgspec.Struct, tag_field="event", tag="ping"):
    pass


class _Pong(msgspec.Struct, tag_field="event", tag="pong"):
    pass


class _Heartbeat(msgspec.Struct, tag_field="event", tag="heartbeat"):
    time: int


_Said = _Trades | _Subscribed | _Refused | _Missed | _Maintenance | _Ping | _Pong | _Heartbeat
# The tag chooses the type while the message is decoded, so it is decoded once.
_DECODER = msgspec.json.Decoder(_Said)


@attrs.frozen
class Feed:
    """The made-up trades, by websocket: a subscription a market, a message a moment.

    Needs `ws_url`: nobody serves these trades but a simulator (`werks_sim.Words`).
    """

    # Options that the other doors have too mean the same here.
    seed: int = option(1, help="another number is another market", validator=ge(0))
    trades_per_day: int = option(
        30_000, help="how many trades a day has, give or take a tenth", validator=ge(1)
    )
    most_symbols: int = option(
        50, help="how many markets one connection may serve", identity=False, validator=ge(1)
    )
    stale_after: float = option(
        30.0,
        help="after how many seconds of silence a connection is taken for dead",
        identity=False,
        validator=gt(0),
    )
    lifetime: float = option(
        86_400.0,
        help="after how many seconds the exchange ends a connection",
        identity=False,
        validator=gt(0),
    )
    ws_url: str = option("", help="where the websocket is", identity=False)

    # Facts, not options: what the core may rely on. A fact that depends on an option is a property.
    exchange: ClassVar[str] = wire.EXCHANGE
    schema: ClassVar[pa.Schema] = wire.SCHEMA
    continuity: ClassVar[Continuity] = "contiguous"
    blind_spots: ClassVar[Sequence[str]] = ()
    disorder: ClassVar[timedelta] = timedelta(0)

    @property
    def url(self) -> str:
        """Where to connect to."""
        return self.ws_url

    @property
    def off(self) -> str:
        """Why there is no websocket."""
        return "" if self.ws_url else "ws_url is left out, and nobody else serves these trades"

    @property
    def ping(self) -> tuple[str, float]:
        """What is sent, and how often, so that a quiet market is not taken for a dead one."""
        return _PING, self.stale_after / 3

    @property
    def connection_lifetime(self) -> timedelta:
        """When the exchange ends a connection."""
        return timedelta(seconds=self.lifetime)

    def converse(self, http: Http, symbols: Sequence[str]) -> "Conversation":
        """Return what is said on one connection; a new connection begins a new one."""
        return Conversation(self.url, {symbol: _Kept() for symbol in symbols})


@attrs.frozen
class _Kept:
    """The trades of each message of a market that was heard, and our clock's time of it (ns)."""

    trades: list[list[wire.Trade]] = attrs.field(factory=list)
    received: list[int] = attrs.field(factory=list)

    def taken(self) -> tuple[list[wire.Trade], list[int]]:
        """Return the trades and a time for each, and keep them no longer."""
        trades = list(chain.from_iterable(self.trades))
        received = np.repeat(self.received, [len(each) for each in self.trades]).tolist()
        self.trades.clear()
        self.received.clear()
        return trades, received


@attrs.frozen
class Conversation:
    """One connection's words, without the connection: texts out, texts in, rows."""

    url: str
    kept: dict[str, _Kept]

    def opened(self) -> Iterator[str]:
        """Yield what is sent once the connection is open."""
        for symbol in self.kept:
            yield msgspec.json.encode({"op": "subscribe", "symbol": symbol}).decode()

    def heard(self, message: str | bytes, received: int) -> Sequence[Event]:
        """Keep the trades of a message that came at a time (ns); return what else it tells."""
        try:
            said = _DECODER.decode(message)
        except (msgspec.DecodeError, UnicodeError) as error:
            raise MessageError(f"{self.url}: {error}: {message[:200]!r}") from error
        if not isinstance(said, _Trades):
            return _events(said)
        kept = self.kept.get(said.symbol)
        if kept is None:
            raise MessageError(f"{self.url}: nobody asked for this market: {message[:200]!r}")
        kept.trades.append(said.trades)
        kept.received.append(received)
        return ()

    def rows(self) -> Sequence[pa.RecordBatch]:
        """Return the trades that were heard since the last call, a batch a market."""
        batches = []
        for symbol, kept in self.kept.items():
            # Taken before they are read, so that what cannot be read is not met again.
            trades, received = kept.taken()
            if trades:
                batches.append(wire.columns(trades, [symbol] * len(trades), self.url, received))
        return batches


def _events(said: _Said) -> Sequence[Event]:
    match said:
        case _Subscribed(symbol=symbol):
            return (Acked(symbol),)
        case _Refused(symbol=symbol, reason=reason):
            return (Refused(symbol, reason),)
        case _Missed(symbol=symbol, reason=reason):
            return (Missed(symbol, reason),)
        case _Maintenance(reason=reason):
            return (Restart(reason),)
        case _Ping():
            return (Send(_PONG),)
    return ()  # a pong or a heartbeat


@hookimpl
def werks_feeds() -> Mapping[str, type]:
    """Offer `sim.trades` by websocket."""
    return {"trades": Feed}
