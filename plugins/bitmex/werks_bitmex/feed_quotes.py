"""BitMEX's best bid and ask."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar

import attrs
import msgspec
import pyarrow as pa

from werks.components import Continuity, Http, RateLimit, option
from werks.schema import batch, schema, times, word
from werks.wire import Times, decimals, iso

from . import feed
from .columns import EXCHANGE, SCALES
from .feed_contracts import base, whole
from .feed_rows import Build, Number
from .instruments import Instrument


class Quote(msgspec.Struct, gc=False):
    """A row of the table `quote`; a side without orders is left out, sizes are in contracts."""

    timestamp: str
    symbol: str
    bidSize: Number | None = None  # noqa: N815  (these are BitMEX's names)
    bidPrice: Number | None = None  # noqa: N815
    askPrice: Number | None = None  # noqa: N815
    askSize: Number | None = None  # noqa: N815


class Quotes(feed.Table, gc=False, kw_only=True, tag_field="table", tag="quote"):
    """A message of the table `quote`."""

    data: list[Quote]


@attrs.frozen
class QuotesFeed:
    """BitMEX's best bid and ask, at every change.

    BitMEX states sizes in contracts. Here they are in base: those of inverse contracts are
    contracts ÷ price, cut to eight digits; those of quanto contracts are not known, so null.
    """

    ws_url: str = option("", help=feed.URL_HELP, identity=False)

    exchange: ClassVar[str] = EXCHANGE
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
        "quotes have no id: one that was lost cannot be seen",
        "what a quanto contract is in base changes with the price of XBT, and is not stated",
        "since 2026-04-30 quotes are those of all pools together",
    )

    @property
    def url(self) -> str:
        """Where to connect to."""
        return feed.address(self.ws_url)

    def converse(self, http: Http, symbols: Sequence[str]) -> feed.Conversation:
        """Return what is said on one new connection for these symbols."""
        channel = feed.Channel(
            self.url, "quote", Quotes, feed.inserted, self._build, contracts=True
        )
        return feed.Conversation(tuple(symbols), channel)

    def _build(self, contracts: dict[str, Instrument]) -> Build:
        def build(symbol: str, rows: Sequence[Any], received: Times, url: str) -> pa.RecordBatch:
            columns: dict[str, pa.Array] = {}
            for side in ("bid", "ask"):
                prices = [getattr(row, f"{side}Price") for row in rows]
                sizes = [getattr(row, f"{side}Size") for row in rows]
                price = decimals(prices, SCALES.price, url, f"{side}Price")
                counts = whole(sizes, url, f"{side}Size")
                columns |= {side: price, f"{side}_size": base(contracts[symbol], counts, price)}
            return batch(
                self.schema,
                exchange=word(EXCHANGE, len(rows)),
                symbol=word(symbol, len(rows)),
                timestamp=times(iso([row.timestamp for row in rows], url)),
                received=times(received),
                **columns,
            )

        return build
