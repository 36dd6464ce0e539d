"""BitMEX's own candles."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar, Literal

import attrs
import msgspec
import pyarrow as pa

from werks.components import Continuity, Http, RateLimit, option
from werks.schema import schema
from werks.wire import Times, iso

from . import feed
from .candles import Bin, Candles
from .columns import EXCHANGE, SCALES


@attrs.frozen
class CandlesFeed:
    """BitMEX's own candles, labelled by their start, some seconds after their end.

    A candle opens at the close of the one before, so its open may lie outside of low to high.
    Volume is in base and notional in quote, both rounded to eight digits: BitMEX states floats.
    """

    interval: Literal["1m", "5m", "1h", "1d"] = option("1m", help="how long a candle is")
    ws_url: str = option("", help=feed.URL_HELP, identity=False)

    exchange: ClassVar[str] = EXCHANGE
    schema: ClassVar[pa.Schema] = schema("CANDLE", SCALES)
    continuity: ClassVar[Continuity] = "none"
    ping: ClassVar[tuple[str, float]] = feed.PING
    most_symbols: ClassVar[int] = feed.MOST
    sends_per_second: ClassVar[float] = feed.SENDS
    stale_after: ClassVar[float] = feed.STALE
    connects: ClassVar[RateLimit] = feed.CONNECTS
    connection_lifetime: ClassVar[timedelta | None] = None
    disorder: ClassVar[timedelta] = timedelta(0)
    blind_spots: ClassVar[Sequence[str]] = (
        "a candle that ended while there was no connection does not come here",
        feed.SILENCE,
        "a candle's amounts are floats on the wire: they are exact to eight digits",
        "since 2026-04-30 candles are those of all pools together",
    )

    @property
    def url(self) -> str:
        """Where to connect to."""
        return feed.address(self.ws_url)

    def converse(self, http: Http, symbols: Sequence[str]) -> feed.Conversation:
        """Return what is said on one new connection for these symbols."""
        table = f"tradeBin{self.interval}"
        bins = msgspec.defstruct(
            "Bins",
            [("data", list[Bin])],
            bases=(feed.Table,),
            tag_field="table",
            tag=table,
            kw_only=True,
        )
        channel = feed.Channel(self.url, table, bins, feed.inserted, lambda _: self._build)
        return feed.Conversation(tuple(symbols), channel)

    def _build(self, symbol: str, rows: Sequence[Any], received: Times, url: str) -> pa.RecordBatch:
        ends = iso([row.timestamp for row in rows], url)
        return Candles(interval=self.interval)._page(symbol, rows, ends, url)
