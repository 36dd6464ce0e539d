"""Liquidations of USD-M, as far as Binance tells of them."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar, Literal

import attrs
import msgspec
import pyarrow as pa

from werks import amounts
from werks.components import Continuity, Http, RateLimit, option
from werks.schema import schema, times
from werks.wire import Times, decimals, epoch, ticks

from . import days, feed, rest


class Order(
    msgspec.Struct,
    gc=False,
    rename={"symbol": "s", "side": "S", "price": "ap", "size": "z", "time": "T"},
):
    """The order of a liquidation: what was executed, at which average price."""

    symbol: str
    side: Literal["BUY", "SELL"]
    price: str
    size: str
    time: int


class Forced(msgspec.Struct, gc=False, tag_field="e", tag="forceOrder", rename={"order": "o"}):
    """The payload of @forceOrder."""

    order: Order

    @property
    def symbol(self) -> str:
        """The order's symbol."""
        return self.order.symbol


class Frame(msgspec.Struct, gc=False):
    """A frame of @forceOrder."""

    data: Forced


@attrs.frozen
class LiquidationsFeed:
    """Liquidations of USD-M: the order's side, what it executed and at which average price.

    Binance tells no more than the latest one of a symbol in a second.
    """

    market: Literal["usdm"] = option("usdm", help="usdm (USD-M futures): spot has none")
    ws_url: str = option("", help=feed.URL_HELP, identity=False)

    exchange: ClassVar[str] = days.EXCHANGES["usdm"]
    schema: ClassVar[pa.Schema] = schema("LIQUIDATION", days.SCALES)
    continuity: ClassVar[Continuity] = "none"
    ping: ClassVar[None] = None
    most_symbols: ClassVar[int] = feed.MOST
    sends_per_second: ClassVar[float] = feed.SENDS
    stale_after: ClassVar[float] = feed.STALE
    connects: ClassVar[RateLimit] = feed.CONNECTS
    connection_lifetime: ClassVar[timedelta] = feed.LIFETIME
    disorder: ClassVar[timedelta] = timedelta(0)
    blind_spots: ClassVar[Sequence[str]] = (
        feed.SILENCE,
        "of several liquidations of a symbol within a second only the latest one is told",
    )

    @property
    def url(self) -> str:
        """Where to connect to."""
        return feed.address(self.market, self.ws_url, "market")

    def converse(self, http: Http, symbols: Sequence[str]) -> feed.Conversation:
        """Return what is said on one new connection for these symbols."""
        channel = feed.Channel(
            self.url, "forceOrder", Frame, self.exchange, self.schema, _columns, _orders
        )
        return feed.Conversation(tuple(symbols), channel)


def _orders(heard: list[Any], received: list[int]) -> tuple[list[Any], list[int]]:
    return [forced.order for forced in heard], received


def _columns(rows: Sequence[Any], received: Times, name: str) -> dict[str, Any]:
    price = decimals([row.price for row in rows], days.SCALES.price, name, "average price")
    size = decimals([row.size for row in rows], days.SCALES.size, name, "quantity")
    paid, sold = (amounts.ints(amounts.limbs(column)) for column in (price, size))
    return {
        "timestamp": times(epoch([row.time for row in rows], rest.MS, name)),
        "tick_rule": ticks([row.side == "BUY" for row in rows]),
        "price": price,
        "size": size,
        "notional": amounts.column(amounts.product(paid, sold), days.SCALES.notional),
    }
