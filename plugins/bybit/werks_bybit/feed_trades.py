"""Trades and liquidations of Bybit, as they happen."""

from collections.abc import Sequence
from datetime import timedelta
from operator import attrgetter
from typing import Any, ClassVar, Literal

import attrs
import msgspec
import pyarrow as pa

from werks.components import Continuity, Http, RateLimit, option
from werks.errors import DataError
from werks.schema import schema, times
from werks.wire import Times, decimals, epoch, ticks

from . import feed
from .recent import _amounts
from .rest import CONTRACT_HELP, MARKET_HELP, MS, Contract
from .trades import SCALES

_RENAMED = {"time": "T", "symbol": "s", "side": "S", "size": "v", "price": "p"}


class Trade(
    msgspec.Struct, gc=False, rename=_RENAMED | {"id": "i", "is_block": "BT", "is_rpi": "RPI"}
):
    """A trade of publicTrade; `side` is the taker's."""

    time: int
    symbol: str
    side: Literal["Buy", "Sell"]
    size: str
    price: str
    id: str
    is_block: bool = False
    is_rpi: bool = False

    @property
    def flag(self) -> str | None:
        """`block` for block trades, `rpi` for those against retail price improvement orders."""
        return "block" if self.is_block else "rpi" if self.is_rpi else None


class Trades(msgspec.Struct, gc=False):
    """A message of publicTrade: up to 1024 trades, oldest first."""

    topic: str
    data: list[Trade]


class Liquidation(msgspec.Struct, gc=False, rename=_RENAMED):
    """A liquidation; `side` is the position's, so that the order has the other one."""

    time: int
    symbol: str
    side: Literal["Buy", "Sell"]
    size: str
    price: str


class Liquidations(msgspec.Struct, gc=False):
    """A message of allLiquidation."""

    topic: str
    data: list[Liquidation]


@attrs.frozen
class TradesFeed:
    """Every trade of Bybit as it happens: linear, inverse and spot markets.

    Nothing is sent of what was before: what is missed while there is no connection is a gap, unless
    the last 1,000 trades (60 of a spot market) reach over it, until the archive has the day.
    """

    market: Literal["spot", "linear", "inverse"] = option("linear", help=MARKET_HELP)
    ws_url: str = option("", help=feed.URL_HELP, identity=False)

    schema: ClassVar[pa.Schema] = schema("TRADE", SCALES)
    continuity: ClassVar[Continuity] = "unique"
    ping: ClassVar[tuple[str, float]] = feed.PING
    most_symbols: ClassVar[int] = feed.MOST
    sends_per_second: ClassVar[float] = feed.SENDS
    stale_after: ClassVar[float] = feed.STALE
    connects: ClassVar[RateLimit] = feed.CONNECTS
    connection_lifetime: ClassVar[timedelta | None] = None
    disorder: ClassVar[timedelta] = timedelta(0)
    blind_spots: ClassVar[Sequence[str]] = (
        feed.LOST,
        "spot ids are not those of the archive",
        "times are in milliseconds, those of the archive finer: a trade may be a millisecond off",
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
            name="publicTrade",
            message=Trades,
            take=attrgetter("data"),
            exchange=self.exchange,
            schema=self.schema,
            columns=self._columns,
        )
        return feed.Conversation(tuple(symbols), channel)

    def _columns(self, rows: Sequence[Any], received: Times, name: str) -> dict[str, Any]:
        ids = [row.id for row in rows]
        if not all(ids):
            raise DataError(f"{name}: the trade has no id")
        made = {
            **_common(rows, name, self.market),
            "trade_id": pa.array(ids, pa.string()),
            "tick_rule": ticks([row.side == "Buy" for row in rows]),
        }
        if any(row.is_block or row.is_rpi for row in rows):
            made["flag"] = pa.array([row.flag for row in rows], pa.string())
        return made


@attrs.frozen
class LiquidationsFeed:
    """Every liquidation of Bybit's contracts since 2025-02, told twice a second.

    tick_rule is the side of the order: −1 where a long position was liquidated. The price is that
    of bankruptcy.
    """

    market: Contract = option("linear", help=CONTRACT_HELP)
    ws_url: str = option("", help=feed.URL_HELP, identity=False)

    schema: ClassVar[pa.Schema] = schema("LIQUIDATION", SCALES)
    continuity: ClassVar[Continuity] = "none"
    ping: ClassVar[tuple[str, float]] = feed.PING
    most_symbols: ClassVar[int] = feed.MOST
    sends_per_second: ClassVar[float] = feed.SENDS
    stale_after: ClassVar[float] = feed.STALE
    connects: ClassVar[RateLimit] = feed.CONNECTS
    connection_lifetime: ClassVar[timedelta | None] = None
    disorder: ClassVar[timedelta] = timedelta(0)
    blind_spots: ClassVar[Sequence[str]] = (
        "liquidations have no id: that one is missing, or comes twice, cannot be seen",
    )

    @property
    def exchange(self) -> str:
        """`bybit-linear` or `bybit-inverse`."""
        return f"bybit-{self.market}"

    @property
    def url(self) -> str:
        """Where to connect to."""
        return feed.address(self.market, self.ws_url)

    def converse(self, http: Http, symbols: Sequence[str]) -> feed.Conversation:
        """Return what is said on one new connection for these symbols."""
        channel = feed.Channel(
            url=self.url,
            name="allLiquidation",
            message=Liquidations,
            take=attrgetter("data"),
            exchange=self.exchange,
            schema=self.schema,
            columns=self._columns,
        )
        return feed.Conversation(tuple(symbols), channel)

    def _columns(self, rows: Sequence[Any], received: Times, name: str) -> dict[str, Any]:
        bought = ticks([row.side == "Sell" for row in rows])
        return {**_common(rows, name, self.market), "tick_rule": bought}


def _common(rows: Sequence[Any], name: str, market: str) -> dict[str, Any]:
    """Return the time and the amounts, as by REST."""
    price = decimals([row.price for row in rows], SCALES.price, name, "price")
    stated = decimals([row.size for row in rows], SCALES.size, name, "size")
    size, notional = _amounts(price, stated, market)
    return {
        "timestamp": times(epoch([row.time for row in rows], MS, name)),
        "price": price,
        "size": size,
        "notional": notional,
    }
