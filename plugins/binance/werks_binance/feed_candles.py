"""The candles that Binance makes itself, once they are final."""

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

from . import days, feed, rest
from .candles import Interval


class Candle(
    msgspec.Struct,
    gc=False,
    rename={
        "symbol": "s",
        "start": "t",
        "end": "T",
        "interval": "i",
        "open": "o",
        "high": "h",
        "low": "l",
        "close": "c",
        "volume": "v",
        "notional": "q",
        "trades": "n",
        "final": "x",
    },
):
    """A candle as it stands; `final` is whether it will stay so."""

    symbol: str
    start: feed.Whole
    end: feed.Whole
    interval: str
    open: str
    high: str
    low: str
    close: str
    volume: str
    notional: str
    trades: feed.Whole
    final: bool


class Kline(msgspec.Struct, gc=False, tag_field="e", tag="kline", rename={"symbol": "s"}):
    """The payload of @kline."""

    symbol: str
    k: Candle


class Frame(msgspec.Struct, gc=False):
    """A frame of @kline."""

    data: Kline


@attrs.frozen
class CandlesFeed:
    """Binance's own candles, each once it is final: some seconds after its end at the most.

    Volume is in base, notional in quote. A time without trades has a candle at the last close.
    """

    market: Literal["spot", "usdm"] = option("spot", help="spot or usdm (USD-M futures)")
    interval: Interval = option("1m", help="how long a candle is; 1s is for spot only")
    ws_url: str = option("", help=feed.URL_HELP, identity=False)

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
        "a candle that ended while there was no connection does not come here",
    )

    def __attrs_post_init__(self) -> None:
        if self.market == "usdm" and self.interval == "1s":
            raise ValueError("interval: USD-M has no candles of 1s")

    @property
    def exchange(self) -> str:
        """`binance` or `binance-usdm`."""
        return days.EXCHANGES[self.market]

    @property
    def schema(self) -> pa.Schema:
        """CANDLE with eight digits for prices and for sizes."""
        return schema("CANDLE", days.SCALES)

    @property
    def url(self) -> str:
        """Where to connect to."""
        return feed.address(self.market, self.ws_url, "market")

    def converse(self, http: Http, symbols: Sequence[str]) -> feed.Conversation:
        """Return what is said on one new connection for these symbols."""
        channel = feed.Channel(
            self.url,
            f"kline_{self.interval}",
            Frame,
            self.exchange,
            self.schema,
            self._columns,
            _final,
        )
        return feed.Conversation(tuple(symbols), channel)

    def _columns(self, rows: Sequence[Any], received: Times, name: str) -> dict[str, Any]:
        for row in rows:
            if row.interval != self.interval or row.end < row.start:
                what = f"a candle of {row.interval} from {row.start} to {row.end} was not asked for"
                raise DataError(f"{name}: {what}")
        price, size, notional = days.SCALES.price, days.SCALES.size, days.SCALES.notional
        return {
            "timestamp": times(epoch([row.start for row in rows], rest.MS, name)),
            "interval": word(self.interval, len(rows)),
            "open": decimals([row.open for row in rows], price, name, "open"),
            "high": decimals([row.high for row in rows], price, name, "high"),
            "low": decimals([row.low for row in rows], price, name, "low"),
            "close": decimals([row.close for row in rows], price, name, "close"),
            "volume": decimals([row.volume for row in rows], size, name, "volume"),
            "notional": decimals([row.notional for row in rows], notional, name, "quote volume"),
            "trades": pa.array([row.trades for row in rows], pa.int64()),
        }


def _final(heard: list[Any], received: list[int]) -> tuple[list[Any], list[int]]:
    """Return the candles that are final."""
    kept = [at for at, kline in enumerate(heard) if kline.k.final]
    return [heard[at].k for at in kept], [received[at] for at in kept]
