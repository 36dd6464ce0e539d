"""The websocket door: the same trades, as they happen."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar

import attrs
import msgspec
import pyarrow as pa
from attrs.validators import ge

from werks.components import Continuity, Http, option
from werks.errors import MessageError, RejectedError
from werks.hookspecs import hookimpl

from . import wire


class _Said(msgspec.Struct):
    event: str
    symbol: str = ""
    reason: str = ""
    trades: list[wire.Trade] | None = None


@attrs.frozen
class Heard:
    """A trade as it was heard; `received` is our clock in ns."""

    symbol: str
    trade: wire.Trade
    received: int


@attrs.frozen
class Feed:
    """The made-up trades, by websocket: a subscription a market, a message a moment."""

    # The doors of one name have the same options, but for the address.
    seed: int = option(1, help="another number is another market", validator=ge(0))
    trades_per_day: int = option(
        30_000, help="how many trades a day has, give or take a tenth", validator=ge(1)
    )
    ws_url: str = option("", help="where the websocket is", identity=False)

    exchange: ClassVar[str] = wire.EXCHANGE
    schema: ClassVar[pa.Schema] = wire.SCHEMA
    continuity: ClassVar[Continuity] = "contiguous"
    blind_spots: ClassVar[Sequence[str]] = ()
    ping: ClassVar[tuple[str, float]] = ('{"op":"ping"}', 20.0)

    @property
    def url(self) -> str:
        """Where to connect to."""
        return self.ws_url

    def converse(self, http: Http, symbols: Sequence[str]) -> "Conversation":
        """Return what is said on one connection; a new connection begins a new one."""
        return Conversation(tuple(symbols), self.url)


@attrs.frozen
class Conversation:
    """One connection's words, without the connection: texts out, texts in, rows."""

    symbols: tuple[str, ...]
    url: str

    def opened(self) -> Iterator[str]:
        """Yield what is sent once the connection is open."""
        for symbol in self.symbols:
            yield msgspec.json.encode({"op": "subscribe", "symbol": symbol}).decode()

    def heard(self, message: str, received: int) -> Iterable[Heard]:
        """Return the trades of a message that came at a time (ns); acks and pongs have none."""
        try:
            said = msgspec.json.decode(message, type=_Said)
        except msgspec.DecodeError as error:
            raise MessageError(f"{self.url}: cannot be read: {error}: {message[:200]!r}") from error
        if said.event == "trades" and said.trades is not None:
            return [Heard(said.symbol, trade, received) for trade in said.trades]
        if said.event == "refused":
            raise RejectedError(f"{self.url}: {said.symbol}: {said.reason}")
        if said.event in ("subscribed", "pong"):
            return ()
        raise MessageError(f"{self.url}: cannot be read: {message[:200]!r}")

    def columns(self, heard: Sequence[Heard]) -> pa.RecordBatch:
        """Return trades as rows; called when rows are flushed, not for each message."""
        trades, symbols = [each.trade for each in heard], [each.symbol for each in heard]
        return wire.columns(trades, symbols, self.url, [each.received for each in heard])


@hookimpl
def werks_feeds() -> Mapping[str, type]:
    """Offer `sim.trades` by websocket."""
    return {"trades": Feed}
