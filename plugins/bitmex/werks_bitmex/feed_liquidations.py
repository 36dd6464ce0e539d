"""BitMEX's liquidations."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar, Literal

import attrs
import msgspec
import pyarrow as pa

from werks.components import Continuity, Http, RateLimit, option
from werks.schema import batch, schema, times, word
from werks.wire import Times, decimals, ticks

from . import feed
from .columns import EXCHANGE, SCALES
from .feed_contracts import base, quote, whole
from .feed_rows import Build, Number
from .instruments import Instrument


class Liquidation(msgspec.Struct, gc=False):
    """A row of the table `liquidation`, an order; changes of it name what has changed only."""

    symbol: str = ""
    side: Literal["Buy", "Sell"] | None = None
    price: Number | None = None
    leavesQty: Number | None = None  # noqa: N815  (BitMEX's name)


class Liquidations(feed.Table, gc=False, kw_only=True, tag_field="table", tag="liquidation"):
    """A message of the table `liquidation`."""

    data: list[Liquidation]


@attrs.frozen
class LiquidationsFeed:
    """BitMEX's liquidations: each order once, when it appears, with its price and what it asks for.

    `tick_rule` is the order's side: +1 where a short position was liquidated. BitMEX states no
    time: `timestamp` is when it was received. Amounts of quanto contracts are not known.
    """

    ws_url: str = option("", help=feed.URL_HELP, identity=False)

    exchange: ClassVar[str] = EXCHANGE
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
        "an order that was there before the connection is not told, since when it came is unknown",
        "what a quanto contract is in base changes with the price of XBT, and is not stated",
    )

    @property
    def url(self) -> str:
        """Where to connect to."""
        return feed.address(self.ws_url)

    def converse(self, http: Http, symbols: Sequence[str]) -> feed.Conversation:
        """Return what is said on one new connection for these symbols."""
        channel = feed.Channel(
            self.url, "liquidation", Liquidations, _take, self._build, contracts=True
        )
        return feed.Conversation(tuple(symbols), channel)

    def _build(self, contracts: dict[str, Instrument]) -> Build:
        def build(symbol: str, rows: Sequence[Any], received: Times, url: str) -> pa.RecordBatch:
            price = decimals([row.price for row in rows], SCALES.price, url, "price")
            counts = whole([row.leavesQty for row in rows], url, "leavesQty")
            sides = [None if row.side is None else row.side == "Buy" for row in rows]
            return batch(
                self.schema,
                exchange=word(EXCHANGE, len(rows)),
                symbol=word(symbol, len(rows)),
                timestamp=times(received),
                received=times(received),
                tick_rule=ticks(sides),
                price=price,
                size=base(contracts[symbol], counts, price),
                notional=quote(contracts[symbol], counts, price),
            )

        return build


def _take(message: Liquidations) -> Sequence[Any]:
    """Return the orders that have appeared: what becomes of them does not count."""
    return message.data if message.action == "insert" else ()
