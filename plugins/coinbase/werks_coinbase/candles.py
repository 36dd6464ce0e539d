"""The candles that Coinbase Exchange makes itself."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import ClassVar, Literal

import attrs
import msgspec
import pyarrow as pa
from attrs.validators import and_, ge, le

from werks.components import Continuity, Http, option
from werks.errors import DataError
from werks.schema import batch, schema, times, word
from werks.wire import decimals, epoch, utc

from . import rest

Interval = Literal["1m", "5m", "15m", "1h", "6h", "1d"]
_SECONDS: Mapping[Interval, int] = {
    "1m": 60,
    "5m": 300,
    "15m": 900,
    "1h": 3600,
    "6h": 21600,
    "1d": 86400,
}
_SCHEMA = schema("CANDLE", rest.SCALES)
_SECOND = 1_000_000_000


class _Candle(msgspec.Struct, array_like=True, gc=False):
    time: int
    low: Decimal
    high: Decimal
    open: Decimal
    close: Decimal
    volume: Decimal


@attrs.frozen
class Candles:
    """The candles of Coinbase Exchange: prices and the volume in base, nothing else is stated.

    A time without trades has no candle. The candle that is still running is left out.
    """

    interval: Interval = option("1m", help="how long a candle is")
    page_size: int = option(
        300,
        help="candles to ask for at once, 300 at most",
        identity=False,
        validator=and_(ge(1), le(300)),
    )
    rest_url: str = option(rest.URL, help=rest.URL_HELP, identity=False)

    exchange: ClassVar[str] = rest.EXCHANGE
    schema: ClassVar[pa.Schema] = _SCHEMA
    continuity: ClassVar[Continuity] = "none"
    reach: ClassVar[timedelta | None] = None
    off: ClassVar[str] = ""
    opens: ClassVar[Literal["first", "previous"]] = "first"
    empty: ClassVar[Literal["omit", "carry"]] = "omit"
    # Six seconds into a minute the one before was there; the docs warn of asking too early.
    settled: ClassVar[timedelta] = timedelta(minutes=1)
    blind_spots: ClassVar[Sequence[str]] = (
        "a missing candle looks like a time without trades",
        "the exchange warns that a candle may be incomplete for a while, and not for how long",
    )

    def read(
        self, http: Http, symbol: str, after: int | str, until: int
    ) -> Iterator[tuple[pa.RecordBatch, str]]:
        """Yield (candles, cursor) page by page, those that are over by `until`."""
        length = _SECONDS[self.interval]
        # Rounded up: a candle that began before `after` is not asked for.
        start = int(after) if isinstance(after, str) else -(-after // (length * _SECOND)) * length
        last = until // _SECOND - length
        while start <= last:
            # The end belongs to what comes.
            end = min(start + (self.page_size - 1) * length, last)
            query = {"granularity": length, "start": start, "end": end}
            asked = rest.request(self.rest_url, rest.product(symbol, "candles"), query)
            found: list[_Candle] = rest.ask(http, asked, list[_Candle])
            found.sort(key=lambda each: each.time)
            start = end // length * length + length
            if found:
                _check(found, query, rest.name(asked))
                yield self._rows(found, symbol, rest.name(asked)), str(start)

    def _rows(self, found: Sequence[_Candle], symbol: str, name: str) -> pa.RecordBatch:
        count, scales = len(found), rest.SCALES
        # JSON numbers were floats on their way: a sum may have noise behind its digits.
        volume = decimals([each.volume for each in found], scales.size, name, "volume", True)
        return batch(
            _SCHEMA,
            exchange=word(rest.EXCHANGE, count),
            symbol=word(symbol, count),
            timestamp=times(epoch([each.time for each in found], _SECOND, name)),
            interval=word(self.interval, count),
            open=decimals([each.open for each in found], scales.price, name, "open"),
            high=decimals([each.high for each in found], scales.price, name, "high"),
            low=decimals([each.low for each in found], scales.price, name, "low"),
            close=decimals([each.close for each in found], scales.price, name, "close"),
            volume=volume,
        )


def _check(found: Sequence[_Candle], query: Mapping[str, int], name: str) -> None:
    """Raise DataError for a candle that was not asked for."""
    for row, each in enumerate(found, 1):
        if not query["start"] <= each.time <= query["end"] or each.time % query["granularity"]:
            at = f"{utc(each.time * _SECOND):%Y-%m-%d %H:%M:%S}"
            what = f"the candle of {at} was not asked for"
            raise DataError(f"{name}: row {row}, oldest first: {what}: try again later")
