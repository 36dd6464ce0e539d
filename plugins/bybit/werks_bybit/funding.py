"""Bybit's funding rates."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import ClassVar

import attrs
import msgspec
import pyarrow as pa
from attrs.validators import and_, ge, le

from werks.components import Continuity, Http, option
from werks.schema import RATE_SCALE, batch, schema, times, word
from werks.wire import decimals

from .rest import (
    CONTRACT_HELP,
    HOST,
    MS,
    URL_HELP,
    Answer,
    Contract,
    Face,
    begin,
    milliseconds,
    only,
    within,
)
from .trades import SCALES

# The usual time between two payments; where they come more often a span takes several pages.
_USUAL = 8 * 3600 * 10**9
_PATH = "funding/history"


class Rate(msgspec.Struct):
    """A row of funding/history."""

    symbol: str
    fundingRate: str  # noqa: N815  (these are Bybit's names)
    fundingRateTimestamp: str  # noqa: N815


@attrs.frozen
class Funding:
    """The funding rates of Bybit's perpetual contracts, at the times when they were paid.

    Neither `interval` nor `mark_price` is stated.
    """

    market: Contract = option("linear", help=CONTRACT_HELP)
    rest_url: str = option(HOST, help=URL_HELP, identity=False)
    page_size: int = option(
        200,
        help="how many rates to ask for at once, 200 at most",
        identity=False,
        validator=and_(ge(2), le(200)),
    )

    schema: ClassVar[pa.Schema] = schema("FUNDING", SCALES)
    continuity: ClassVar[Continuity] = "none"
    reach: ClassVar[timedelta | None] = None
    off: ClassVar[str] = ""
    blind_spots: ClassVar[Sequence[str]] = (
        "how far apart payments are changes and is not stated: one left out cannot be seen",
    )

    @property
    def exchange(self) -> str:
        """`bybit-linear` or `bybit-inverse`."""
        return f"bybit-{self.market}"

    def read(
        self, http: Http, symbol: str, after: int | str, until: int
    ) -> Iterator[tuple[pa.RecordBatch, str]]:
        """Yield (rates, cursor) in spans of a page; the cursor is a time in milliseconds."""
        face = Face(self.rest_url, self.market)
        start = begin(after, MS, "bybit.funding")
        while start < until:
            end = min(start + (self.page_size - 1) * _USUAL, until)
            rows, now = self._span(http, face, symbol, (start, end))
            if rows:
                yield self._page(symbol, rows, (start, end), face.url(_PATH)), str(end // MS)
            if now < end:
                return
            start = end

    def _span(
        self, http: Http, face: Face, symbol: str, span: tuple[int, int]
    ) -> tuple[list[Rate], int]:
        """Return all rates of a span, oldest first, and Bybit's clock; the newest come first."""
        found: list[Rate] = []
        last = (span[1] - 1) // MS
        while True:
            query = {
                "symbol": symbol,
                "startTime": str(span[0] // MS),
                "endTime": str(last),
                "limit": str(self.page_size),
            }
            answer = face.ask(http, _PATH, query, Answer[Rate])
            page, url = answer.result.rows, face.url(_PATH)
            moments = milliseconds([row.fundingRateTimestamp for row in page[::-1]], url)
            within(moments, span[0], last * MS, url)
            found += page
            if len(page) < self.page_size or moments[0] == span[0]:
                return found[::-1], answer.time * MS
            last = int(moments[0]) // MS - 1

    def _page(
        self, symbol: str, rows: Sequence[Rate], span: tuple[int, int], url: str
    ) -> pa.RecordBatch:
        only([row.symbol for row in rows], symbol, url)
        moments = milliseconds([row.fundingRateTimestamp for row in rows], url)
        within(moments, span[0], span[1] - 1, url)
        return batch(
            self.schema,
            exchange=word(self.exchange, len(rows)),
            symbol=word(symbol, len(rows)),
            timestamp=times(moments),
            rate=decimals([row.fundingRate for row in rows], RATE_SCALE, url, "fundingRate"),
        )
