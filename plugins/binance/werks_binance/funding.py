"""The funding rates of USD-M."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import ClassVar, Literal

import attrs
import msgspec
import numpy as np
import pyarrow as pa

from werks.components import Continuity, Http, Request, option
from werks.errors import DataError
from werks.schema import RATE_SCALE, batch, schema, times, word
from werks.wire import Times, decimals, epoch

from . import days, rest

_PATH = "/fapi/v1/fundingRate"
_PAGE = 1000
_MINUTE, _LONGEST = 60_000_000_000, 8 * 3_600_000_000_000


class _Row(msgspec.Struct, gc=False, rename="camel"):
    symbol: str
    funding_rate: str
    funding_time: int
    mark_price: str | None = None


@attrs.frozen
class Funding:
    """The funding rates of USD-M since a contract's listing, with the mark price where stated.

    Times are rounded to the minute: the exchange's are up to 45 ms late. The interval is the time
    since the rate before; null where that is not known or longer than the eight hours of old.
    """

    market: Literal["usdm"] = option("usdm", help="usdm (USD-M futures): spot has none")
    rest_url: str = option("", help=rest.URL_HELP, identity=False)

    exchange: ClassVar[str] = days.EXCHANGES["usdm"]
    schema: ClassVar[pa.Schema] = schema("FUNDING", days.SCALES)
    continuity: ClassVar[Continuity] = "none"
    reach: ClassVar[timedelta | None] = None
    off: ClassVar[str] = ""
    blind_spots: ClassVar[Sequence[str]] = ("mark prices are not stated for old rates",)

    def read(
        self, http: Http, symbol: str, after: int | str, until: int
    ) -> Iterator[tuple[pa.RecordBatch, str]]:
        """Yield (rates, cursor) page by page, the rate before the first one asked for included."""
        known = int(after) if isinstance(after, str) else None
        start = (int(after) - _LONGEST) // rest.MS if known is None else _ms(known)
        end, host = (until - 1) // rest.MS + 1000, rest.Host("usdm", self.rest_url)
        while start <= end:
            query = {"symbol": symbol, "startTime": str(start), "endTime": str(end)}
            request = host.request(_PATH, 1, query | {"limit": str(_PAGE)}, rest.FUNDING)
            rows: list[_Row] = rest.ask(http, request, list[_Row])
            rows.sort(key=lambda row: row.funding_time)
            if not rows:
                return
            name = rest.name(request)
            exact = epoch([row.funding_time for row in rows], rest.MS, name)
            rest.check_within(exact, start * rest.MS, (end + 1) * rest.MS, name)
            made = self._batch(rows, exact, request)
            fresh = made if known is None else made.filter(pa.array(_minutes(exact) > known))
            if not len(fresh):
                return
            known = int(_minutes(exact)[-1])
            yield fresh, str(known)
            start = _ms(known)

    def _batch(self, rows: list[_Row], exact: Times, request: Request) -> pa.RecordBatch:
        symbol, name = request.query["symbol"], rest.name(request)
        for row in rows:
            if row.symbol != symbol:
                raise DataError(f"{name}: a row of {row.symbol} was not asked for")
        minutes = _minutes(exact)
        since = np.diff(minutes, prepend=minutes[0])
        unknown = (since <= 0) | (since > _LONGEST)
        mark = [row.mark_price or None for row in rows]
        return batch(
            self.schema,
            exchange=word(self.exchange, len(rows)),
            symbol=word(symbol, len(rows)),
            timestamp=times(minutes),
            rate=decimals([row.funding_rate for row in rows], RATE_SCALE, name, "rate"),
            interval=pa.array(since // 10**9, pa.int64(), mask=unknown),
            mark_price=decimals(mark, days.SCALES.price, name, "mark price"),
        )


def _minutes(exact: Times) -> Times:
    """Return times to the next minute, up or down."""
    return (exact + _MINUTE // 2) // _MINUTE * _MINUTE


def _ms(minute: int) -> int:
    """Return the ms from which on a rate of this minute is given, however early it is."""
    return (minute - _MINUTE // 2) // rest.MS
