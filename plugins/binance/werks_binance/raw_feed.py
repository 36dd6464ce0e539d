"""Trades and aggregates as the websocket writes them, as they happen."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal

import attrs
import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from werks.components import Continuity, Http, RateLimit, option
from werks.errors import DataError
from werks.schema import times
from werks.wire import Times

from . import days, feed
from .feed_trades import AggTradesFeed, TradesFeed
from .raw import AGGREGATES, NUMBER, TRADES
from .records import instants

# What 64 bits hold; a greater number is none that Binance sends.
_Whole = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_SHARED = {
    "symbol": "s",
    "event_time": "E",
    "price": "p",
    "quantity": "q",
    "time": "T",
    "is_buyer_maker": "m",
    "is_best_match": "M",
}


class Trade(
    msgspec.Struct,
    gc=False,
    tag_field="e",
    tag="trade",
    rename={
        **_SHARED,
        "id": "t",
        "buyer_order_id": "b",
        "seller_order_id": "a",
        "execution": "X",
    },
):
    """The payload of @trade. Order ids are left out since 2024-06-18, USD-M never had them."""

    symbol: str
    event_time: _Whole
    id: _Whole
    price: str
    quantity: str
    time: _Whole
    is_buyer_maker: bool
    is_best_match: bool | None = None
    buyer_order_id: _Whole | None = None
    seller_order_id: _Whole | None = None
    execution: str | None = None


class Aggregate(
    msgspec.Struct,
    gc=False,
    tag_field="e",
    tag="aggTrade",
    rename={
        **_SHARED,
        "id": "a",
        "first_fill_id": "f",
        "last_fill_id": "l",
        "quantity_without_rpi": "nq",
    },
):
    """The payload of @aggTrade; `id` is the aggregate's own."""

    symbol: str
    event_time: _Whole
    id: _Whole
    price: str
    quantity: str
    first_fill_id: _Whole
    last_fill_id: _Whole
    time: _Whole
    is_buyer_maker: bool
    is_best_match: bool | None = None
    quantity_without_rpi: str | None = None


class TradeFrame(msgspec.Struct, gc=False):
    """A frame of @trade."""

    data: Trade


class AggregateFrame(msgspec.Struct, gc=False):
    """A frame of @aggTrade."""

    data: Aggregate


@attrs.frozen
class RawTradesFeed:
    """The fields of @trade in their order, prices and quantities as they are written.

    Nothing is left out or flagged: `execution` (`X`) tells which trades of USD-M were made off the
    book. Times are in milliseconds.
    """

    market: Literal["spot", "usdm"] = option("spot", help="spot or usdm (USD-M futures)")
    ws_url: str = option("", help=feed.URL_HELP, identity=False)

    schema: ClassVar[pa.Schema] = TRADES
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
    def continuity(self) -> Continuity:
        """`contiguous` on spot; `increasing` on USD-M, as the files leave out some ids."""
        return TradesFeed(market=self.market).continuity

    @property
    def blind_spots(self) -> Sequence[str]:
        """What the market's websocket cannot prove."""
        return TradesFeed(market=self.market).blind_spots

    @property
    def url(self) -> str:
        """Where to connect to."""
        return feed.address(self.market, self.ws_url, "public")

    def converse(self, http: Http, symbols: Sequence[str]) -> feed.Conversation:
        """Return what is said on one new connection for these symbols."""
        channel = feed.Channel(self.url, "trade", TradeFrame, self.exchange, self.schema, trades)
        return feed.Conversation(tuple(symbols), channel)


@attrs.frozen
class RawAggTradesFeed:
    """The fields of @aggTrade in their order, prices and quantities as they are written.

    trade_id is the aggregate's own id. Times are in milliseconds.
    """

    market: Literal["spot", "usdm"] = option("spot", help="spot or usdm (USD-M futures)")
    ws_url: str = option("", help=feed.URL_HELP, identity=False)

    schema: ClassVar[pa.Schema] = AGGREGATES
    continuity: ClassVar[Continuity] = "contiguous"
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
    def blind_spots(self) -> Sequence[str]:
        """What the market's websocket cannot prove."""
        return AggTradesFeed(market=self.market).blind_spots

    @property
    def url(self) -> str:
        """Where to connect to."""
        return feed.address(self.market, self.ws_url, "market")

    def converse(self, http: Http, symbols: Sequence[str]) -> feed.Conversation:
        """Return what is said on one new connection for these symbols."""
        channel = feed.Channel(
            self.url, "aggTrade", AggregateFrame, self.exchange, self.schema, aggregates
        )
        return feed.Conversation(tuple(symbols), channel)


def trades(rows: Sequence[Any], received: Times, name: str) -> dict[str, Any]:
    """Return the columns of trades, but for exchange, symbol and received."""
    return {
        **_common(rows, "trade", name),
        "buyer_order_id": pa.array([row.buyer_order_id for row in rows], pa.int64()),
        "seller_order_id": pa.array([row.seller_order_id for row in rows], pa.int64()),
        "execution": pa.array([row.execution for row in rows], pa.string()),
    }


def aggregates(rows: Sequence[Any], received: Times, name: str) -> dict[str, Any]:
    """Return the columns of aggregates, but for exchange, symbol and received."""
    return {
        **_common(rows, "aggTrade", name),
        "first_fill_id": pa.array([row.first_fill_id for row in rows], pa.int64()),
        "last_fill_id": pa.array([row.last_fill_id for row in rows], pa.int64()),
        "quantity_without_rpi": pa.array([row.quantity_without_rpi for row in rows], pa.string()),
    }


def _common(rows: Sequence[Any], event: str, name: str) -> dict[str, Any]:
    return {
        "timestamp": times(instants(rows, name)),
        "event": pa.repeat(pa.scalar(event, pa.string()), len(rows)),
        "event_time": pa.array([row.event_time for row in rows], pa.int64()),
        "trade_id": pa.array([row.id for row in rows], pa.int64()).cast(pa.string()),
        "price": _numbers([row.price for row in rows], "price", name),
        "quantity": _numbers([row.quantity for row in rows], "quantity", name),
        "trade_time": pa.array([row.time for row in rows], pa.int64()),
        "is_buyer_maker": pa.array([row.is_buyer_maker for row in rows], pa.bool_()),
        "is_best_match": pa.array([row.is_best_match for row in rows], pa.bool_()),
    }


def _numbers(texts: list[str], column: str, name: str) -> pa.Array:
    """Return text that holds numbers as it is; DataError if some of it is none."""
    made = pa.array(texts, pa.string())
    good = pc.match_substring_regex(made, NUMBER).to_numpy(zero_copy_only=False)
    if not good.all():
        row = int(np.argmin(good))
        raise DataError(
            f"{name}: row {row + 1}: {column} cannot be {texts[row]!r:.80}: a number is expected"
        )
    return made
