"""Bybit's own candles, once they are final."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar, Literal

import attrs
import msgspec
import pyarrow as pa

from werks.components import Continuity, Http, RateLimit, option
from werks.errors import DataError
from werks.schema import schema, times, word
from werks.wire import Times, decimals, epoch

from . import feed
from .candles import _INTERVALS
from .rest import MARKET_HELP, MS
from .trades import SCALES

_MINUTE = 60 * 10**9


class Candle(msgspec.Struct, gc=False):
    """A candle as it stands; `confirm` is whether it will stay so."""

    start: int
    open: str
    high: str
    low: str
    close: str
    volume: str
    turnover: str
    confirm: bool
    symbol: str = ""


class Message(msgspec.Struct, gc=False):
    """A message of kline.INTERVAL."""

    topic: str
    data: list[Candle]


@attrs.frozen
class CandlesFeed:
    """Bybit's own candles, each once it is final; how many trades they hold is not stated.

    `volume` is in base and `notional` in quote in every market.
    """

    market: Literal["spot", "linear", "inverse"] = option("linear", help=MARKET_HELP)
    interval: Literal["1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "12h", "1d"] = option(
        "1m", help="how long a candle is"
    )
    ws_url: str = option("", help=feed.URL_HELP, identity=False)

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
            name=f"kline.{_INTERVALS[self.interval][0]}",
            message=Message,
            take=_final,
            exchange=self.exchange,
            schema=self.schema,
            columns=self._columns,
        )
        return feed.Conversation(tuple(symbols), channel)

    def _columns(self, rows: Sequence[Any], received: Times, name: str) -> dict[str, Any]:
        opened = epoch([row.start for row in rows], MS, name)
        if (opened % (_INTERVALS[self.interval][1] * _MINUTE)).any():
            raise DataError(f"{name}: the start of a candle of {self.interval} cannot be there")
        columns: dict[str, Any] = {
            column: decimals([getattr(row, column) for row in rows], SCALES.price, name, column)
            for column in ("open", "high", "low", "close")
        }
        # Bybit states the amounts of inverse contracts the other way round.
        base, quote = ("turnover", "volume") if self.market == "inverse" else ("volume", "turnover")
        for column, stated, scale in (
            ("volume", base, SCALES.size),
            ("notional", quote, SCALES.notional),
        ):
            texts = [getattr(row, stated) for row in rows]
            columns[column] = decimals(texts, scale, name, column, rounded=True)
        return {**columns, "timestamp": times(opened), "interval": word(self.interval, len(rows))}


def _final(message: Message) -> Sequence[Candle]:
    """Return the candles that are final, each with the symbol that only the topic names."""
    found = [candle for candle in message.data if candle.confirm]
    for candle in found:
        candle.symbol = message.topic.rpartition(".")[2]
    return found
