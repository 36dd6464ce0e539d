"""Trades and aggregates of Binance, as they happen."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar, Literal

import attrs
import msgspec
import numpy as np
import pyarrow as pa

from werks import amounts
from werks.components import Continuity, Http, RateLimit, option
from werks.errors import DataError
from werks.schema import schema, times
from werks.wire import Times, decimals

from . import days, feed
from .records import fills, instants

_RENAMED = {"symbol": "s", "price": "p", "size": "q", "time": "T", "sold": "m"}
_BLIND_SPOTS = {
    "spot": (feed.SILENCE,),
    "usdm": (
        feed.SILENCE,
        "trades of the insurance fund and of auto-deleveraging come here, flagged off_book; the"
        " files and REST leave them out, so that ids have holes there",
        "that a trade was against a retail price improvement order is told here only",
        "@trade of USD-M is not in Binance's documentation",
    ),
}
_AGGREGATES_BLIND_SPOTS = {
    "spot": (feed.SILENCE,),
    "usdm": (
        feed.SILENCE,
        "ticks counts all ids from the first fill to the last, also those of trades of the"
        " insurance fund and of auto-deleveraging that an aggregate runs across",
    ),
}
# What kind of trade it is, USD-M only; older recordings do not say it.
_FLAGS = {
    "MARKET": None,
    "RPI": "rpi",
    "INSURANCE_FUND": "off_book",
    "ADL": "off_book",
    "NA": "off_book",
}


class Trade(
    msgspec.Struct, gc=False, tag_field="e", tag="trade", rename=_RENAMED | {"id": "t", "kind": "X"}
):
    """The payload of @trade; `sold` is whether the taker sold."""

    symbol: str
    id: feed.Whole
    price: str
    size: str
    time: feed.Whole
    sold: bool
    kind: str = "MARKET"


class Aggregate(
    msgspec.Struct,
    gc=False,
    tag_field="e",
    tag="aggTrade",
    rename=_RENAMED | {"id": "a", "first": "f", "last": "l"},
):
    """The payload of @aggTrade with the ids of its first and last trade."""

    symbol: str
    id: feed.Whole
    price: str
    size: str
    time: feed.Whole
    sold: bool
    first: feed.Whole
    last: feed.Whole


class TradeFrame(msgspec.Struct, gc=False):
    """A frame of @trade."""

    data: Trade


class AggregateFrame(msgspec.Struct, gc=False):
    """A frame of @aggTrade."""

    data: Aggregate


@attrs.frozen
class TradesFeed:
    """Every trade as it happens: spot, in microseconds as in the files, and USD-M futures.

    Trades of USD-M that were made off the book are flagged `off_book` and left out of bars.
    """

    market: Literal["spot", "usdm"] = option("spot", help="spot or usdm (USD-M futures)")
    ws_url: str = option("", help=feed.URL_HELP, identity=False)

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
        """TRADE with eight digits for prices and for sizes."""
        return schema("TRADE", days.SCALES)

    @property
    def continuity(self) -> Continuity:
        """`contiguous` on spot; `increasing` on USD-M, as the other doors leave out some ids."""
        return "contiguous" if self.market == "spot" else "increasing"

    @property
    def blind_spots(self) -> Sequence[str]:
        """What the market's websocket cannot prove."""
        return _BLIND_SPOTS[self.market]

    @property
    def url(self) -> str:
        """Where to connect to."""
        return feed.address(self.market, self.ws_url, "public", micro=True)

    def converse(self, http: Http, symbols: Sequence[str]) -> feed.Conversation:
        """Return what is said on one new connection for these symbols."""
        channel = feed.Channel(self.url, "trade", TradeFrame, self.exchange, self.schema, _trades)
        return feed.Conversation(tuple(symbols), channel)


@attrs.frozen
class AggTradesFeed:
    """The fills of one taker order at one price as one tick, as they happen: spot or USD-M.

    The rows are those of the files: trade_id and last_trade_id are the aggregate's own id, ticks is
    the number of its fills.
    """

    market: Literal["spot", "usdm"] = option("spot", help="spot or usdm (USD-M futures)")
    ws_url: str = option("", help=feed.URL_HELP, identity=False)

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
    def schema(self) -> pa.Schema:
        """TICK with eight digits for prices and for sizes."""
        return schema("TICK", days.SCALES)

    @property
    def blind_spots(self) -> Sequence[str]:
        """What the market's websocket cannot prove."""
        return _AGGREGATES_BLIND_SPOTS[self.market]

    @property
    def url(self) -> str:
        """Where to connect to."""
        return feed.address(self.market, self.ws_url, "market", micro=True)

    def converse(self, http: Http, symbols: Sequence[str]) -> feed.Conversation:
        """Return what is said on one new connection for these symbols."""
        channel = feed.Channel(
            self.url, "aggTrade", AggregateFrame, self.exchange, self.schema, _aggregates
        )
        return feed.Conversation(tuple(symbols), channel)


def _trades(rows: Sequence[Any], received: Times, name: str) -> dict[str, Any]:
    made = _common(rows, name)
    kinds = {row.kind for row in rows}
    if kinds - _FLAGS.keys():
        unknown = ", ".join(sorted(kinds - _FLAGS.keys()))
        raise DataError(
            f"{name}: {unknown:.80} is no kind of trade that is known; update the plugin"
        )
    if kinds != {"MARKET"}:
        made["flag"] = pa.array([_FLAGS[row.kind] for row in rows], pa.string())
    return made


def _aggregates(rows: Sequence[Any], received: Times, name: str) -> dict[str, Any]:
    made = _common(rows, name)
    return {
        **made,
        "last_trade_id": made["trade_id"],
        **dict.fromkeys(("open", "high", "low"), made["price"]),
        "ticks": fills(rows, name),
    }


def _common(rows: Sequence[Any], name: str) -> dict[str, Any]:
    """Return what trades and aggregates have in common, as REST has it."""
    price = decimals([row.price for row in rows], days.SCALES.price, name, "price")
    size = decimals([row.size for row in rows], days.SCALES.size, name, "quantity")
    paid, sold = (amounts.ints(amounts.limbs(column)) for column in (price, size))
    took = np.array([row.sold for row in rows], np.bool_)
    return {
        "timestamp": times(instants(rows, name)),
        "trade_id": pa.array([row.id for row in rows], pa.int64()).cast(pa.string()),
        "tick_rule": np.where(took, np.int8(-1), np.int8(1)),
        "price": price,
        "size": size,
        "notional": amounts.column(amounts.product(paid, sold), days.SCALES.notional),
    }
