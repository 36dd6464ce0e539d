"""The candles that Binance makes itself."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import ClassVar, Literal

import attrs
import msgspec
import pyarrow as pa

from werks.components import Continuity, Http, option
from werks.errors import DataError
from werks.schema import batch, schema, times, word
from werks.wire import decimals, epoch

from . import days, rest

# Longer ones would not end within the day that they are read for.
Interval = Literal["1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d"]
_PATHS = {"spot": "/api/v3/klines", "usdm": "/fapi/v1/klines"}
# Both markets give 1000; USD-M would give 1500 for twice the weight.
_PAGE, _WEIGHTS = 1000, {"spot": 2, "usdm": 5}
_MOST, _MOST_WEIGHT = 1500, 10
_HOUR = 3_600_000


class Kline(msgspec.Struct, array_like=True, gc=False):
    """A candle of /klines; what the takers bought, behind these, is left out."""

    start: int
    open: str
    high: str
    low: str
    close: str
    volume: str
    end: int
    notional: str
    trades: int


@attrs.frozen
class Candles:
    """Binance's own candles: volume in base, notional in quote, with the number of trades.

    A time without trades has a candle at the last close with volume 0; a time in which the exchange
    was down has none. The candle that is still running is left out.
    """

    market: Literal["spot", "usdm"] = option("spot", help="spot or usdm (USD-M futures)")
    interval: Interval = option("1m", help="how long a candle is; 1s is for spot only")
    rest_url: str = option("", help=rest.URL_HELP, identity=False)

    continuity: ClassVar[Continuity] = "none"
    reach: ClassVar[timedelta | None] = None
    off: ClassVar[str] = ""
    opens: ClassVar[Literal["first", "previous"]] = "first"
    empty: ClassVar[Literal["omit", "carry"]] = "carry"
    # The final frame of the live candles was up to two seconds late (USD-M, 2021).
    settled: ClassVar[timedelta] = timedelta(seconds=30)
    blind_spots: ClassVar[Sequence[str]] = (
        "a missing candle may be a time in which the exchange was down (2020-11-30 06:00) or one"
        " that was lost",
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

    def read(
        self, http: Http, symbol: str, after: int | str, until: int
    ) -> Iterator[tuple[pa.RecordBatch, str]]:
        """Yield (candles, cursor) page by page: those that end before `until`."""
        start = int(after) if isinstance(after, str) else after // rest.MS
        end = (until - 1) // rest.MS
        host = rest.Host(self.market, self.rest_url)
        while start <= end:
            query = {"symbol": symbol, "interval": self.interval}
            query |= {"startTime": str(start), "endTime": str(end), "limit": str(_PAGE)}
            request = host.request(_PATHS[self.market], _WEIGHTS[self.market], query)
            rows: list[Kline] = rest.ask(http, request, list[Kline])
            rows.sort(key=lambda row: row.start)
            name = rest.name(request)
            began = epoch([row.start for row in rows], rest.MS, name)
            rest.check_within(began, start * rest.MS, (end + 1) * rest.MS, name)
            closed = [row for row in rows if row.end < until // rest.MS]
            if closed:
                made = self._batch(closed, symbol, name)
                start = max(start, closed[-1].end + 1)
                yield made, str(start)
            if not closed or len(closed) < len(rows):
                return

    def _batch(self, rows: list[Kline], symbol: str, name: str) -> pa.RecordBatch:
        for number, row in enumerate(rows, 1):
            if row.end < row.start:
                raise DataError(f"{name}: row {number}: a candle cannot end before it begins")
        price, size = days.SCALES.price, days.SCALES.size
        return batch(
            self.schema,
            exchange=word(self.exchange, len(rows)),
            symbol=word(symbol, len(rows)),
            timestamp=times(epoch([row.start for row in rows], rest.MS, name)),
            interval=word(self.interval, len(rows)),
            open=decimals([row.open for row in rows], price, name, "open"),
            high=decimals([row.high for row in rows], price, name, "high"),
            low=decimals([row.low for row in rows], price, name, "low"),
            close=decimals([row.close for row in rows], price, name, "close"),
            volume=decimals([row.volume for row in rows], size, name, "volume"),
            notional=decimals([row.notional for row in rows], price + size, name, "quote volume"),
            trades=[row.trades for row in rows],
        )


def counted(host: rest.Host, http: Http, symbol: str, start: int) -> int:
    """Return about how many trades there have been since a time (ns), by the hours' candles."""
    begin = start // rest.MS
    query: dict[str, object] = {"symbol": symbol, "interval": "1h", "limit": _MOST}
    query["startTime"] = begin // _HOUR * _HOUR
    request = host.request(_PATHS[host.market], _MOST_WEIGHT, query)
    rows: list[Kline] = rest.ask(http, request, list[Kline])
    counts = [row.trades for row in rows]
    if rows and rows[0].start <= begin:
        counts[0] -= counts[0] * (begin - rows[0].start) // _HOUR
    return sum(counts)
