"""Open interest of USD-M over the last month."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import ClassVar, Literal

import attrs
import msgspec
import pyarrow as pa

from werks.components import Continuity, Http, Request, option
from werks.errors import DataError
from werks.schema import batch, schema, times, word
from werks.wire import Times, decimals, epoch

from . import days, rest

_PATH = "/futures/data/openInterestHist"
_PAGE = 500
_MINUTES = {"5m": 5, "15m": 15, "30m": 30, "1h": 60, "2h": 120, "4h": 240, "6h": 360}
_MINUTES |= {"12h": 720, "1d": 1440}


class _Row(msgspec.Struct, gc=False, rename={"base": "sumOpenInterest"}):
    symbol: str
    base: str
    sumOpenInterestValue: str  # noqa: N815  (the exchange's name)
    timestamp: int


@attrs.frozen
class OpenInterest:
    """Open interest of USD-M at the ends of periods, in base and in quote, over the last 30 days.

    The exchange takes it at fixed times, so between two of them nothing is known.
    """

    market: Literal["usdm"] = option("usdm", help="usdm (USD-M futures): spot has none")
    period: Literal["5m", "15m", "30m", "1h", "2h", "4h", "6h", "12h", "1d"] = option(
        "5m", help="how often it is taken"
    )
    rest_url: str = option("", help=rest.URL_HELP, identity=False)

    exchange: ClassVar[str] = days.EXCHANGES["usdm"]
    schema: ClassVar[pa.Schema] = schema("OPEN_INTEREST", days.SCALES)
    continuity: ClassVar[Continuity] = "none"
    reach: ClassVar[timedelta | None] = timedelta(days=30)
    off: ClassVar[str] = ""
    blind_spots: ClassVar[Sequence[str]] = (
        "that a contract is counted once, not for each of its sides, is not stated",
    )

    @property
    def every(self) -> timedelta:
        """How far apart the values are."""
        return timedelta(minutes=_MINUTES[self.period])

    def read(
        self, http: Http, symbol: str, after: int | str, until: int
    ) -> Iterator[tuple[pa.RecordBatch, str]]:
        """Yield (rows, cursor) for stretches that hold no more rows than an answer can."""
        start = int(after) if isinstance(after, str) else after // rest.MS
        last = (until - 1) // rest.MS
        width = _MINUTES[self.period] * 60_000 * _PAGE
        host = rest.Host("usdm", self.rest_url)
        while start <= last:
            end = min(start + width - 1, last)
            query = {"symbol": symbol, "period": self.period, "limit": str(_PAGE)}
            query |= {"startTime": str(start), "endTime": str(end)}
            request = host.request(_PATH, 1, query, rest.STATISTICS)
            rows: list[_Row] = rest.ask(http, request, list[_Row])
            if rows:
                rows.sort(key=lambda row: row.timestamp)
                found = epoch([row.timestamp for row in rows], rest.MS, rest.name(request))
                rest.check_within(found, start * rest.MS, (end + 1) * rest.MS, rest.name(request))
                yield self._batch(rows, found, request), str(rows[-1].timestamp + 1)
            start = end + 1

    def _batch(self, rows: list[_Row], found: Times, request: Request) -> pa.RecordBatch:
        symbol, name = request.query["symbol"], rest.name(request)
        for row in rows:
            if row.symbol != symbol:
                raise DataError(f"{name}: a row of {row.symbol} was not asked for")
        value = [row.sumOpenInterestValue for row in rows]
        return batch(
            self.schema,
            exchange=word(self.exchange, len(rows)),
            symbol=word(symbol, len(rows)),
            timestamp=times(found),
            open_interest=decimals([row.base for row in rows], days.SCALES.size, name, "interest"),
            open_interest_notional=decimals(value, days.SCALES.notional, name, "value"),
        )
