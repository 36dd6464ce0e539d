"""The candles that Bitfinex makes itself."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import ClassVar, Literal

import attrs
import msgspec
import pyarrow as pa
from attrs.validators import and_, ge, le

from werks.components import Continuity, Http, option
from werks.options import duration
from werks.schema import batch, schema, times, word
from werks.wire import decimals, epoch

from . import rest

Interval = Literal["1m", "5m", "15m", "30m", "1h", "3h", "6h", "12h", "1d"]
_NAMES: Mapping[Interval, str] = {"1d": "1D"}
_SCHEMA = schema("CANDLE", rest.SCALES)
_MOST = 10_000


class Candle(msgspec.Struct, array_like=True, gc=False):
    """A candle; the close stands before the high and the low."""

    time: int
    open: Decimal
    close: Decimal
    high: Decimal
    low: Decimal
    volume: Decimal


def name_of(interval: Interval, symbol: str) -> str:
    """Return what the exchange calls the candles of a symbol."""
    return f"trade:{_NAMES.get(interval, interval)}:{symbol}"


@attrs.frozen
class Candles:
    """The candles of Bitfinex: prices and the volume in base, nothing else is stated.

    A time without trades has no candle. The candle that is still running is left out.
    """

    interval: Interval = option("1m", help="how long a candle is")
    page_size: int = option(
        _MOST,
        help=f"candles to ask for at once, {_MOST} at most",
        identity=False,
        validator=and_(ge(1), le(_MOST)),
    )
    rest_url: str = option(rest.URL, help=rest.URL_HELP, identity=False)

    exchange: ClassVar[str] = rest.EXCHANGE
    schema: ClassVar[pa.Schema] = _SCHEMA
    continuity: ClassVar[Continuity] = "none"
    reach: ClassVar[timedelta | None] = None
    off: ClassVar[str] = ""
    opens: ClassVar[Literal["first", "previous"]] = "first"
    empty: ClassVar[Literal["omit", "carry"]] = "omit"
    settled: ClassVar[timedelta] = timedelta(minutes=2)
    blind_spots: ClassVar[Sequence[str]] = (
        "a missing candle looks like a time without trades",
        "volumes come as floats with noise behind their digits: they are rounded to eight",
        "a candle may be revised after the next one began, and for how long is not stated: two"
        " minutes are waited",
    )

    def read(
        self, http: Http, symbol: str, after: int | str, until: int
    ) -> Iterator[tuple[pa.RecordBatch, str]]:
        """Yield (candles, cursor) page by page, those that are over by `until`."""
        rest.check_market(symbol, "tBTCUSD")
        key = name_of(self.interval, symbol)
        length = duration(self.interval, "interval") // rest.MS
        start = int(after) if isinstance(after, str) else max(-(-after // rest.MS), 0)
        last = until // rest.MS - length
        while start <= last:
            query = {"limit": self.page_size, "start": start, "sort": 1}
            asked = rest.request(self.rest_url, f"candles/{key}/hist", query, rest.CANDLES)
            found: list[Candle] = rest.ask(http, asked, list[Candle])
            found.sort(key=lambda each: each.time)
            done = [each for each in found if each.time <= last]
            if done:
                rest.check_since(done[0].time, start, rest.name(asked))
                start = done[-1].time + length
                yield rows(done, symbol, self.interval, rest.name(asked)), str(start)
            # A short page is not the last one: one that is empty, or reaches the end, is.
            if not done or len(done) < len(found):
                return


def rows(found: Sequence[Candle], symbol: str, interval: str, name: str) -> pa.RecordBatch:
    """Return candles of one length as rows."""
    count, scales = len(found), rest.SCALES
    return batch(
        _SCHEMA,
        exchange=word(rest.EXCHANGE, count),
        symbol=word(symbol, count),
        timestamp=times(epoch([each.time for each in found], rest.MS, name)),
        interval=word(interval, count),
        open=decimals([each.open for each in found], scales.price, name, "open"),
        high=decimals([each.high for each in found], scales.price, name, "high"),
        low=decimals([each.low for each in found], scales.price, name, "low"),
        close=decimals([each.close for each in found], scales.price, name, "close"),
        volume=decimals([each.volume for each in found], scales.size, name, "volume", True),
    )
