"""BitMEX's own candles."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import ClassVar, Literal

import attrs
import msgspec
import numpy as np
import pyarrow as pa
from attrs.validators import and_, ge, le

from werks.components import Continuity, Http, option
from werks.errors import DataError
from werks.schema import batch, schema, times, word
from werks.wire import Times, decimals

from .columns import EXCHANGE, SCALES
from .rest import HOST, Table, stamp

_MINUTE = 60 * 10**9
_LENGTHS = {"1m": _MINUTE, "5m": 5 * _MINUTE, "1h": 60 * _MINUTE, "1d": 1440 * _MINUTE}
_NOTIONAL = pa.decimal128(38, SCALES.notional)


class Bin(msgspec.Struct):
    """A row of the table `tradeBin`; its timestamp is the END of the bin."""

    timestamp: str
    symbol: str
    open: Decimal | None = None
    high: Decimal | None = None
    low: Decimal | None = None
    close: Decimal | None = None
    trades: int | None = None
    homeNotional: Decimal | None = None  # noqa: N815  (these are BitMEX's names)
    foreignNotional: Decimal | None = None  # noqa: N815


@attrs.frozen
class Candles:
    """BitMEX's own candles, labelled by their start (BitMEX labels them by their end).

    A candle opens at the close of the one before, so its open may lie outside of low to high.
    Volume is in base and notional in quote, both rounded to eight digits: BitMEX states floats.
    """

    interval: Literal["1m", "5m", "1h", "1d"] = option("1m", help="how long a candle is")
    rest_url: str = option(HOST, help="where the REST interface is", identity=False)
    page_size: int = option(
        1000,
        help="how many candles to ask for at once, 1000 at most",
        identity=False,
        validator=and_(ge(1), le(1000)),
    )

    exchange: ClassVar[str] = EXCHANGE
    schema: ClassVar[pa.Schema] = schema("CANDLE", SCALES)
    continuity: ClassVar[Continuity] = "none"
    reach: ClassVar[timedelta | None] = None
    off: ClassVar[str] = ""
    opens: ClassVar[Literal["first", "previous"]] = "previous"
    empty: ClassVar[Literal["omit", "carry"]] = "carry"
    # A candle comes some seconds after its end (unverified): a minute is on the safe side.
    settled: ClassVar[timedelta] = timedelta(minutes=1)
    blind_spots: ClassVar[Sequence[str]] = (
        "a candle's amounts are floats on the wire: they are exact to eight digits",
        "a rare candle states a negative volume: it is passed on as it is stated",
        "since 2026-04-30 candles are those of all pools together",
    )

    def read(
        self, http: Http, symbol: str, after: int | str, until: int
    ) -> Iterator[tuple[pa.RecordBatch, str]]:
        """Yield (candles, cursor) whose ends are not behind `until`; the running one never comes.

        The cursor is the end of the last candle.
        """
        query = {
            "binSize": self.interval,
            "partial": "false",
            "symbol": symbol,
            "count": str(self.page_size),
            "reverse": "false",
        }
        table = Table(self.rest_url, "trade/bucketed", query, list[Bin])
        since = after + self._length if isinstance(after, int) else after
        for rows, ends in table.pages(http, since):
            rows, single = _single(rows, ends, table.url)
            over = int(np.searchsorted(single, until, "right"))
            if over:
                page = self._page(symbol, rows[:over], single[:over], table.url)
                yield page, stamp(int(single[over - 1]))
            if int(ends[-1]) >= until:
                return

    @property
    def _length(self) -> int:
        return _LENGTHS[self.interval]

    def _page(self, symbol: str, rows: Sequence[Bin], ends: Times, url: str) -> pa.RecordBatch:
        odd = np.flatnonzero(ends % self._length)
        if len(odd):
            what = f"{rows[odd[0]].timestamp} is not the end of a candle of {self.interval}"
            raise DataError(f"{url}: row {odd[0] + 1}: {what}")
        prices = {
            name: decimals([getattr(row, name) for row in rows], SCALES.price, url, name)
            for name in ("open", "high", "low", "close")
        }
        volume, notional = (
            decimals([getattr(row, name) for row in rows], SCALES.size, url, name, rounded=True)
            for name in ("homeNotional", "foreignNotional")
        )
        return batch(
            self.schema,
            exchange=word(EXCHANGE, len(rows)),
            symbol=word(symbol, len(rows)),
            timestamp=times(ends - self._length),
            interval=word(self.interval, len(rows)),
            **prices,
            volume=volume,
            notional=notional.cast(_NOTIONAL),
            trades=[row.trades for row in rows],
        )


def _single(rows: list[Bin], ends: Times, url: str) -> tuple[list[Bin], Times]:
    """Return rows without the equal ones that BitMEX rarely repeats; DataError if they differ."""
    again = np.append(False, np.diff(ends) == 0)
    if not again.any():
        return rows, ends
    for row in np.flatnonzero(again):
        if rows[row] != rows[row - 1]:
            what = f"there are two candles of {rows[row].timestamp}, and they differ"
            raise DataError(f"{url}: row {row + 1}: {what}")
    return [row for row, twice in zip(rows, again, strict=True) if not twice], ends[~again]
