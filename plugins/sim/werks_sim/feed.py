"""The websocket door: the same trades, as they happen."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar

import attrs
import pyarrow as pa
from attrs.validators import ge

from werks.components import Continuity, Http, option
from werks.errors import MessageError, RejectedError
from werks.hookspecs import hookimpl

from . import wire


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
            yield json.dumps({"op": "subscribe", "symbol": symbol})

    def heard(self, message: str, received: int) -> Iterable[wire.Trade]:
        """Return the trades of a message that came at a time (ns); acks and pongs have none."""
        try:
            said = json.loads(message)
            event = said["event"]
        except (ValueError, KeyError, TypeError) as error:
            raise MessageError(f"{self.url}: cannot be read: {message[:200]!r}") from error
        if event == "trades":
            return wire.trades(said.get("trades"), str(said.get("symbol")), self.url, received)
        if event == "refused":
            raise RejectedError(f"{self.url}: {said.get('symbol')}: {said.get('reason')}")
        if event in ("subscribed", "pong"):
            return ()
        raise MessageError(f"{self.url}: unknown event {str(event)[:80]!r}")

    def columns(self, heard: Sequence[wire.Trade]) -> pa.RecordBatch:
        """Return trades as rows; called when rows are flushed, not for each message."""
        return wire.columns(heard, self.url)


@hookimpl
def werks_feeds() -> Mapping[str, type]:
    """Offer `sim.trades` by websocket."""
    return {"trades": Feed}
