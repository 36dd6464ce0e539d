"""BitMEX's funding rates, when they are paid."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar

import attrs
import msgspec
import pyarrow as pa

from werks.components import Continuity, Http, RateLimit, option
from werks.schema import RATE_SCALE, batch, schema, times, word
from werks.wire import Times, decimals, iso

from . import feed
from .columns import EXCHANGE, SCALES
from .feed_rows import Number
from .funding import _SECOND, _ZERO


class Rate(msgspec.Struct, gc=False):
    """A row of the table `funding`."""

    timestamp: str
    symbol: str
    fundingInterval: str  # noqa: N815  (these are BitMEX's names)
    fundingRate: Number  # noqa: N815


class Rates(feed.Table, gc=False, kw_only=True, tag_field="table", tag="funding"):
    """A message of the table `funding`."""

    data: list[Rate]


@attrs.frozen
class FundingFeed:
    """The funding rates of BitMEX's perpetual contracts, at the times when they are paid.

    `mark_price` is not stated.
    """

    ws_url: str = option("", help=feed.URL_HELP, identity=False)

    exchange: ClassVar[str] = EXCHANGE
    schema: ClassVar[pa.Schema] = schema("FUNDING", SCALES)
    continuity: ClassVar[Continuity] = "none"
    ping: ClassVar[tuple[str, float]] = feed.PING
    most_symbols: ClassVar[int] = feed.MOST
    sends_per_second: ClassVar[float] = feed.SENDS
    stale_after: ClassVar[float] = feed.STALE
    connects: ClassVar[RateLimit] = feed.CONNECTS
    connection_lifetime: ClassVar[timedelta | None] = None
    disorder: ClassVar[timedelta] = timedelta(0)
    blind_spots: ClassVar[Sequence[str]] = (
        "a payment while there was no connection does not come here",
        feed.SILENCE,
    )

    @property
    def url(self) -> str:
        """Where to connect to."""
        return feed.address(self.ws_url)

    def converse(self, http: Http, symbols: Sequence[str]) -> feed.Conversation:
        """Return what is said on one new connection for these symbols."""
        channel = feed.Channel(self.url, "funding", Rates, feed.inserted, lambda _: self._build)
        return feed.Conversation(tuple(symbols), channel)

    def _build(self, symbol: str, rows: Sequence[Any], received: Times, url: str) -> pa.RecordBatch:
        rates = [row.fundingRate for row in rows]
        spans = iso([row.fundingInterval for row in rows], url) - _ZERO
        return batch(
            self.schema,
            exchange=word(EXCHANGE, len(rows)),
            symbol=word(symbol, len(rows)),
            timestamp=times(iso([row.timestamp for row in rows], url)),
            received=times(received),
            rate=decimals(rates, RATE_SCALE, url, "fundingRate", rounded=True),
            interval=spans // _SECOND,
        )
