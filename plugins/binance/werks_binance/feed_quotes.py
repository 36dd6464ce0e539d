"""The best bid and ask of Binance, at every change."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar, Literal

import attrs
import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from werks import amounts
from werks.components import Continuity, Http, RateLimit, option
from werks.schema import schema, times
from werks.wire import Times, decimals, epoch

from . import days, feed, rest

_BLIND_SPOTS = {
    "spot": (
        feed.SILENCE,
        "spot states no time for a quote: timestamp is the time at which it was received",
        "quotes have no contiguous id: one that was lost cannot be seen",
    ),
    "usdm": (
        feed.SILENCE,
        "quotes have no contiguous id: one that was lost cannot be seen",
        "orders of retail price improvement are not in the quotes",
    ),
}


class Quote(
    msgspec.Struct,
    gc=False,
    rename={
        "symbol": "s",
        "update": "u",
        "bid": "b",
        "bid_size": "B",
        "ask": "a",
        "ask_size": "A",
        "time": "T",
    },
):
    """The payload of @bookTicker; spot has neither a name for it (`e`) nor a time."""

    symbol: str
    update: int  # which no other payload with these names has
    bid: str
    bid_size: str
    ask: str
    ask_size: str
    time: int = 0


class Frame(msgspec.Struct, gc=False):
    """A frame of @bookTicker."""

    data: Quote


@attrs.frozen
class QuotesFeed:
    """The best bid and ask of spot and USD-M, at every change.

    timestamp is the time of the matching engine on USD-M; spot states none, so that it is the time
    at which the quote was received. A side without orders is null.
    """

    market: Literal["spot", "usdm"] = option("spot", help="spot or usdm (USD-M futures)")
    ws_url: str = option("", help=feed.URL_HELP, identity=False)

    continuity: ClassVar[Continuity] = "none"
    ping: ClassVar[None] = None
    most_symbols: ClassVar[int] = feed.MOST
    sends_per_second: ClassVar[float] = feed.SENDS
    stale_after: ClassVar[float] = feed.STALE
    connects: ClassVar[RateLimit] = feed.CONNECTS
    connection_lifetime: ClassVar[timedelta] = feed.LIFETIME
    disorder: ClassVar[timedelta] = timedelta(0)

    @property
    def exchange(self) -> str:
        """`binance` or `binance-usdm`."""
        return days.EXCHANGES[self.market]

    @property
    def schema(self) -> pa.Schema:
        """QUOTE with eight digits for prices and for sizes."""
        return schema("QUOTE", days.SCALES)

    @property
    def blind_spots(self) -> Sequence[str]:
        """What the market's websocket cannot prove."""
        return _BLIND_SPOTS[self.market]

    @property
    def url(self) -> str:
        """Where to connect to."""
        return feed.address(self.market, self.ws_url, "public")

    def converse(self, http: Http, symbols: Sequence[str]) -> feed.Conversation:
        """Return what is said on one new connection for these symbols."""
        columns = _unstamped if self.market == "spot" else _stamped
        channel = feed.Channel(self.url, "bookTicker", Frame, self.exchange, self.schema, columns)
        return feed.Conversation(tuple(symbols), channel)


def _stamped(rows: Sequence[Any], received: Times, name: str) -> dict[str, Any]:
    return _quotes(rows, epoch([row.time for row in rows], rest.MS, name), name)


def _unstamped(rows: Sequence[Any], received: Times, name: str) -> dict[str, Any]:
    return _quotes(rows, received, name)


def _quotes(rows: Sequence[Any], moments: Times, name: str) -> dict[str, Any]:
    bid, bid_size = _side([row.bid for row in rows], [row.bid_size for row in rows], name)
    ask, ask_size = _side([row.ask for row in rows], [row.ask_size for row in rows], name)
    return {
        "timestamp": times(moments),
        "bid": bid,
        "bid_size": bid_size,
        "ask": ask,
        "ask_size": ask_size,
    }


def _side(prices: Sequence[str], sizes: Sequence[str], name: str) -> tuple[pa.Array, pa.Array]:
    """Return the prices and sizes of one side; both are null where it has no orders."""
    price = decimals(prices, days.SCALES.price, name, "price")
    size = decimals(sizes, days.SCALES.size, name, "quantity")
    there = amounts.limbs(price).any(axis=1)
    if there.all():
        return price, size
    kept = pa.array(there)
    price, size = (pc.if_else(kept, each, pa.scalar(None, each.type)) for each in (price, size))
    return price, size
