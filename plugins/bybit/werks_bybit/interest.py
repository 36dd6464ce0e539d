"""Bybit's open interest."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import ClassVar, Literal
from urllib.parse import unquote

import attrs
import msgspec
import pyarrow as pa
from attrs.validators import and_, ge, le

from werks.components import Continuity, Http, option
from werks.schema import batch, schema, times, word
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
    within,
)
from .trades import SCALES

_MINUTE = 60 * 10**9
_INTERVALS = {
    "5m": ("5min", 5),
    "15m": ("15min", 15),
    "30m": ("30min", 30),
    "1h": ("1h", 60),
    "4h": ("4h", 240),
    "1d": ("1d", 1440),
}
_PATH = "open-interest"


class Interest(msgspec.Struct):
    """A row of open-interest, the sum of both sides."""

    openInterest: str  # noqa: N815  (Bybit's name)
    timestamp: str


@attrs.frozen
class OpenInterest:
    """The open interest of Bybit's contracts, both sides added up, every five minutes or so.

    That of linear contracts is in base (`open_interest`), that of inverse ones in US dollars
    (`open_interest_notional`); the other amount is not stated.
    """

    market: Contract = option("linear", help=CONTRACT_HELP)
    interval: Literal["5m", "15m", "30m", "1h", "4h", "1d"] = option(
        "5m", help="how far apart the values are"
    )
    rest_url: str = option(HOST, help=URL_HELP, identity=False)
    page_size: int = option(
        200,
        help="how many values to ask for at once, 200 at most",
        identity=False,
        validator=and_(ge(2), le(200)),
    )

    schema: ClassVar[pa.Schema] = schema("OPEN_INTEREST", SCALES)
    continuity: ClassVar[Continuity] = "none"
    reach: ClassVar[timedelta | None] = None
    off: ClassVar[str] = ""
    blind_spots: ClassVar[Sequence[str]] = (
        "Bybit adds up both sides: halve it to compare it with an exchange that counts one",
    )

    @property
    def exchange(self) -> str:
        """`bybit-linear` or `bybit-inverse`."""
        return f"bybit-{self.market}"

    def read(
        self, http: Http, symbol: str, after: int | str, until: int
    ) -> Iterator[tuple[pa.RecordBatch, str]]:
        """Yield (values, cursor) in spans of a page; the cursor is a time in milliseconds."""
        face = Face(self.rest_url, self.market)
        length = _INTERVALS[self.interval][1] * _MINUTE
        start = begin(after, MS, "bybit.open_interest")
        while start < until:
            # One less than a page holds, so that a page is never full.
            end = min(start + (self.page_size - 1) * length, until)
            rows, now = self._span(http, face, symbol, (start, end))
            if rows:
                yield self._page(symbol, rows, (start, end), face.url(_PATH)), str(end // MS)
            if now < end:
                return
            start = end

    def _span(
        self, http: Http, face: Face, symbol: str, span: tuple[int, int]
    ) -> tuple[list[Interest], int]:
        """Return all values of a span, oldest first, and Bybit's clock."""
        query = {
            "symbol": symbol,
            "intervalTime": _INTERVALS[self.interval][0],
            "startTime": str(span[0] // MS),
            "endTime": str((span[1] - 1) // MS),
            "limit": str(self.page_size),
        }
        found: list[Interest] = []
        while True:
            answer = face.ask(http, _PATH, query, Answer[Interest])
            found += answer.result.rows
            full = len(answer.result.rows) >= self.page_size
            if not (full and answer.result.nextPageCursor):
                return found[::-1], answer.time * MS
            # It comes percent-encoded, and is encoded once more where the query is.
            query = {**query, "cursor": unquote(answer.result.nextPageCursor)}

    def _page(
        self, symbol: str, rows: Sequence[Interest], span: tuple[int, int], url: str
    ) -> pa.RecordBatch:
        moments = milliseconds([row.timestamp for row in rows], url)
        within(moments, span[0], span[1] - 1, url)
        base = self.market == "linear"
        values = decimals(
            [row.openInterest for row in rows],
            SCALES.size if base else SCALES.notional,
            url,
            "openInterest",
        )
        return batch(
            self.schema,
            exchange=word(self.exchange, len(rows)),
            symbol=word(symbol, len(rows)),
            timestamp=times(moments),
            **{"open_interest" if base else "open_interest_notional": values},
        )
