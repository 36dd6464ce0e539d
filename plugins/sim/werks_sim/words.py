"""The exchange's side of a websocket connection: what it says of trades, and what it answers."""

import json
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import groupby
from typing import TYPE_CHECKING, Any

import attrs
import msgspec
import pyarrow as pa

from . import wire
from .exchange import Exchange, spelt, table
from .market import MARKETS

if TYPE_CHECKING:
    from werks.testing import Venue

_MAINTENANCE = "the exchange is closed for maintenance"


class _Asked(msgspec.Struct):
    op: str
    symbol: str = ""


@attrs.define
class Words:
    """What is said on one connection; `werks.testing.LoopbackSocket(Words)` serves it.

    After the ack come the last trades of the market, if `snapshot` is not 0.
    """

    venue: "Venue"
    snapshot: int = 0
    _symbols: set[str] = attrs.field(factory=set, init=False)
    _time: int = attrs.field(default=0, init=False)

    def opened(self, path: str) -> None:
        """Say nothing: the client begins."""

    def said(self, text: str) -> Iterator[str]:
        """Yield the answers to a text."""
        try:
            asked = msgspec.json.decode(text, type=_Asked)
        except msgspec.DecodeError:
            yield _text("refused", reason="this cannot be read")
            return
        match asked.op:
            case "ping":
                yield _text("pong")
            case "pong":
                return
            case "subscribe":
                yield from self._subscribed(asked.symbol)
            case _:
                yield _text("refused", reason=f"{asked.op!r} cannot be done")

    def _subscribed(self, symbol: str) -> Iterator[str]:
        unknown = "" if symbol in MARKETS else f"there is no market {symbol}"
        if why := self.venue.refused.get(symbol, unknown):
            yield _text("refused", symbol=symbol, reason=why)
            return
        self._symbols.add(symbol)
        yield _text("subscribed", symbol=symbol)
        past = self.venue.past(symbol, self.snapshot) if self.snapshot else None
        if past is not None:
            yield _text("trades", symbol=symbol, trades=_spelt(past))

    def trades(self, rows: pa.RecordBatch) -> Iterator[str]:
        """Yield a message for each moment with trades, if the market is subscribed to."""
        trades = _spelt(rows)
        self._time = trades[-1]["time"]
        symbol = str(rows["symbol"][0])
        if symbol in self._symbols:
            yield from _moments(symbol, trades)

    def heartbeat(self) -> str:
        """Return a heartbeat."""
        return _text("heartbeat", time=self._time)

    def maintenance(self) -> str:
        """Return what is said before the exchange goes away."""
        return _text("maintenance", reason=_MAINTENANCE)


def messages(exchange: Exchange, symbol: str, day: date) -> Iterator[str]:
    """Yield what the websocket says of the trades of a day: a message for each moment."""
    yield from _moments(symbol, spelt(table(exchange.tape(symbol, day))))


def _moments(symbol: str, trades: Sequence[dict[str, Any]]) -> Iterator[str]:
    for _, together in groupby(trades, lambda trade: trade["time"]):
        yield _text("trades", symbol=symbol, trades=list(together))


def _spelt(rows: pa.RecordBatch) -> list[dict[str, Any]]:
    """Return rows as the exchange spells them: amounts have the digits of their market."""
    market = MARKETS[str(rows["symbol"][0])]
    price = rows["price"].cast(pa.decimal128(38, market.price_digits)).cast(pa.string())
    size = rows["size"].cast(pa.decimal128(38, market.size_digits)).cast(pa.string())
    columns = (
        rows["trade_id"].cast(pa.int64()).to_pylist(),
        (rows["timestamp"].cast(pa.int64()).to_numpy() // wire.TIME_UNIT).tolist(),
        ["buy" if sign > 0 else "sell" for sign in rows["tick_rule"].to_pylist()],
        price.to_pylist(),
        size.to_pylist(),
    )
    names = ("id", "time", "side", "price", "size")
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _text(event: str, **said: Any) -> str:
    return json.dumps({"event": event, **said})
