"""The best bid and ask of Bybit."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar, Literal

import attrs
import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from werks.components import Continuity, Http, RateLimit, option
from werks.schema import schema, times
from werks.wire import Times, decimals, epoch

from . import feed
from .recent import _amounts
from .rest import MARKET_HELP, MS
from .trades import SCALES

# The price and size of a side's only level; None where it has no orders.
Side = tuple[str, str] | tuple[None, None]
_EMPTY: Side = (None, None)
_RESTARTED = 1


class Book(
    msgspec.Struct, gc=False, rename={"symbol": "s", "bids": "b", "asks": "a", "update": "u"}
):
    """The levels of one symbol, [price, size]; a size of 0 takes a level away."""

    symbol: str
    bids: list[tuple[str, str]]
    asks: list[tuple[str, str]]
    update: int


class Message(msgspec.Struct, gc=False):
    """A message of orderbook.1; `cts` is the time of the matching engine, since about 2024."""

    topic: str
    type: Literal["snapshot", "delta"]
    ts: int
    data: Book
    cts: int | None = None


class Quote(msgspec.Struct, gc=False):
    """The best bid and ask at a time; None where a side has no orders."""

    symbol: str
    time: int
    bid: Side
    ask: Side


@attrs.define
class _Top:
    """What is known of one symbol's first level."""

    bid: Side = _EMPTY
    ask: Side = _EMPTY
    update: int = 0


@attrs.frozen
class _Tops:
    """The first levels of all symbols of a connection, from snapshots and changes."""

    known: dict[str, _Top] = attrs.field(factory=dict)

    def take(self, message: Message) -> Sequence[Quote]:
        """Return the quote after a message; none where Bybit repeats the last one."""
        book = message.data
        top = self.known.get(book.symbol)
        if message.type == "snapshot" or book.update == _RESTARTED:
            # Every three seconds without a change the last one comes again.
            if top is not None and top.update == book.update != _RESTARTED:
                return ()
            top = self.known[book.symbol] = _Top(_first(book.bids), _first(book.asks), book.update)
        elif top is None:
            raise ValueError(f"a change of the quote of {book.symbol} came before the quote itself")
        else:
            top.bid, top.ask = _changed(top.bid, book.bids), _changed(top.ask, book.asks)
            top.update = book.update
        return [Quote(book.symbol, _time(message), top.bid, top.ask)]


@attrs.frozen
class QuotesFeed:
    """The best bid and ask of linear, inverse and spot markets, every 10 ms at the most.

    Sizes are in base; those of inverse contracts are contracts ÷ price, cut to eight digits. A side
    without orders is null.
    """

    market: Literal["spot", "linear", "inverse"] = option("linear", help=MARKET_HELP)
    ws_url: str = option("", help=feed.URL_HELP, identity=False)

    schema: ClassVar[pa.Schema] = schema("QUOTE", SCALES)
    continuity: ClassVar[Continuity] = "none"
    ping: ClassVar[tuple[str, float]] = feed.PING
    most_symbols: ClassVar[int] = feed.MOST
    sends_per_second: ClassVar[float] = feed.SENDS
    stale_after: ClassVar[float] = feed.STALE
    connects: ClassVar[RateLimit] = feed.CONNECTS
    connection_lifetime: ClassVar[timedelta | None] = None
    disorder: ClassVar[timedelta] = timedelta(0)
    blind_spots: ClassVar[Sequence[str]] = (
        "that no change was left out is not promised for the first level",
        "orders of retail price improvement are not in the quotes",
    )

    @property
    def exchange(self) -> str:
        """`bybit-spot`, `bybit-linear` or `bybit-inverse`."""
        return f"bybit-{self.market}"

    @property
    def url(self) -> str:
        """Where to connect to."""
        return feed.address(self.market, self.ws_url)

    def converse(self, http: Http, symbols: Sequence[str]) -> feed.Conversation:
        """Return what is said on one new connection for these symbols."""
        channel = feed.Channel(
            url=self.url,
            name="orderbook.1",
            message=Message,
            take=_Tops().take,
            exchange=self.exchange,
            schema=self.schema,
            columns=self._columns,
        )
        return feed.Conversation(tuple(symbols), channel)

    def _columns(self, rows: Sequence[Any], received: Times, name: str) -> dict[str, Any]:
        bid, bid_size = self._side([row.bid for row in rows], name)
        ask, ask_size = self._side([row.ask for row in rows], name)
        return {
            "timestamp": times(epoch([row.time for row in rows], MS, name)),
            "bid": bid,
            "bid_size": bid_size,
            "ask": ask,
            "ask_size": ask_size,
        }

    def _side(self, levels: Sequence[tuple[Any, Any]], name: str) -> tuple[pa.Array, pa.Array]:
        price = decimals([level[0] for level in levels], SCALES.price, name, "price")
        size = decimals([level[1] for level in levels], SCALES.size, name, "size")
        if self.market != "inverse":
            return price, size
        there = price.is_valid()
        paid, stated = (
            pc.fill_null(each, pa.scalar(Decimal(1), each.type)) for each in (price, size)
        )
        base, _ = _amounts(paid, stated, self.market)
        return price, pc.if_else(there, base, pa.scalar(None, base.type))


def _time(message: Message) -> int:
    return message.ts if message.cts is None else message.cts


def _first(levels: Sequence[tuple[str, str]]) -> Side:
    return levels[0] if levels else _EMPTY


def _changed(side: Side, levels: Sequence[tuple[str, str]]) -> Side:
    """Return a side after a change: of the first level only one is there, the last one given.

    So a level whose removal was lost does not stay the best for ever.
    """
    for level in levels:
        price, size = level
        if not size or size.strip("0."):
            side = level
        elif side[0] == price:
            side = _EMPTY
    return side
