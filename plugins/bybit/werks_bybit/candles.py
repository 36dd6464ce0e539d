"""Bybit's own candles."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, ClassVar, Literal

import attrs
import numpy as np
import pyarrow as pa
from attrs.validators import and_, ge, le

from werks.components import Continuity, Http, option
from werks.errors import DataError
from werks.schema import batch, schema, times, word
from werks.wire import Times, decimals

from .rest import HOST, MARKET_HELP, MS, URL_HELP, Answer, Face, begin, milliseconds, within
from .trades import SCALES

_MINUTE = 60 * 10**9
# Our words, Bybit's, and how many minutes a candle has.
_INTERVALS = {
    "1m": ("1", 1),
    "3m": ("3", 3),
    "5m": ("5", 5),
    "15m": ("15", 15),
    "30m": ("30", 30),
    "1h": ("60", 60),
    "2h": ("120", 120),
    "4h": ("240", 240),
    "6h": ("360", 360),
    "12h": ("720", 720),
    "1d": ("D", 1440),
}
# Open time in ms, open, high, low, close, volume, turnover.
Candle = tuple[str, str, str, str, str, str, str]
_PATH = "kline"


@attrs.frozen
class Candles:
    """Bybit's own candles, labelled by their start; how many trades they hold is not stated.

    `volume` is in base and `notional` in quote in every market; Bybit states those of inverse
    contracts the other way round.
    """

    market: Literal["spot", "linear", "inverse"] = option("linear", help=MARKET_HELP)
    interval: Literal["1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "12h", "1d"] = option(
        "1m", help="how long a candle is"
    )
    rest_url: str = option(HOST, help=URL_HELP, identity=False)
    page_size: int = option(
        1000,
        help="how many candles to ask for at once, 1000 at most",
        identity=False,
        validator=and_(ge(1), le(1000)),
    )

    schema: ClassVar[pa.Schema] = schema("CANDLE", SCALES)
    continuity: ClassVar[Continuity] = "none"
    reach: ClassVar[timedelta | None] = None
    off: ClassVar[str] = ""
    empty: ClassVar[Literal["omit", "carry"]] = "carry"
    settled: ClassVar[timedelta] = timedelta(minutes=1)
    blind_spots: ClassVar[Sequence[str]] = (
        "that a minute without trades has a candle at the last close is unverified",
        "that a contract's candle opens at the close before is known of the candles of 2023 only;"
        " that one of a spot market opens with its first trade is unverified",
        "when a candle is final is not stated: a minute after its end is assumed",
    )

    @property
    def exchange(self) -> str:
        """`bybit-spot`, `bybit-linear` or `bybit-inverse`."""
        return f"bybit-{self.market}"

    @property
    def opens(self) -> Literal["first", "previous"]:
        """A contract's candle opens at the close before: 157 of 157 recorded in 2023 do."""
        return "first" if self.market == "spot" else "previous"

    def read(
        self, http: Http, symbol: str, after: int | str, until: int
    ) -> Iterator[tuple[pa.RecordBatch, str]]:
        """Yield (candles, cursor) that end by `until` and by Bybit's clock, in spans of a page.

        The cursor is the start of the next candle in milliseconds.
        """
        face = Face(self.rest_url, self.market)
        start = begin(after, self._length, "bybit.candles")
        while start + self._length <= until:
            # No more than a page holds: which ones come of more is unverified.
            end = min(start + self.page_size * self._length, until - until % self._length)
            answer = face.ask(http, _PATH, self._query(symbol, start, end), Answer[Candle])
            rows = answer.result.rows[::-1]
            opened = self._opened(rows, (start, end), face.url(_PATH))
            over = int(np.searchsorted(opened + self._length, answer.time * MS, "right"))
            if over:
                page = self._page(symbol, rows[:over], opened[:over], face.url(_PATH))
                yield page, str((int(opened[over - 1]) + self._length) // MS)
            if answer.time * MS < end:
                return
            start = end

    @property
    def _length(self) -> int:
        return _INTERVALS[self.interval][1] * _MINUTE

    def _query(self, symbol: str, start: int, end: int) -> dict[str, str]:
        return {
            "symbol": symbol,
            "interval": _INTERVALS[self.interval][0],
            "start": str(start // MS),
            "end": str((end - self._length) // MS),
            "limit": str(self.page_size),
        }

    def _opened(self, rows: Sequence[Candle], span: tuple[int, int], url: str) -> Times:
        opened = milliseconds([row[0] for row in rows], url)
        odd = np.flatnonzero(opened % self._length)
        if len(odd):
            what = f"{rows[odd[0]][0]} is not the start of a candle of {self.interval}"
            raise DataError(f"{url}: {what}")
        within(opened, span[0], span[1] - self._length, url)
        return opened

    def _page(self, symbol: str, rows: Sequence[Candle], opened: Times, url: str) -> pa.RecordBatch:
        names = ("open", "high", "low", "close")
        columns: dict[str, Any] = {
            name: decimals([row[n] for row in rows], SCALES.price, url, name)
            for n, name in enumerate(names, 1)
        }
        volume, notional = (6, 5) if self.market == "inverse" else (5, 6)
        for name, place, scale in (
            ("volume", volume, SCALES.size),
            ("notional", notional, SCALES.notional),
        ):
            texts = [row[place] for row in rows]
            columns[name] = decimals(texts, scale, url, name, rounded=True)
        return batch(
            self.schema,
            exchange=word(self.exchange, len(rows)),
            symbol=word(symbol, len(rows)),
            timestamp=times(opened),
            interval=word(self.interval, len(rows)),
            **columns,
        )
