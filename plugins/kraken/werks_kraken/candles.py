"""The candles that Kraken makes itself."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import ClassVar, Literal, get_args

import attrs
import msgspec
import pyarrow as pa

from werks.components import Continuity, Http, option
from werks.errors import MessageError
from werks.schema import batch, schema, times, word
from werks.wire import decimals, epoch

from . import rest
from .symbols import EXCHANGE, SCALES, pair

Interval = Literal["1m", "5m", "15m", "30m", "1h", "4h", "1d", "1w", "15d"]
MINUTES: Mapping[str, int] = dict(
    zip(get_args(Interval), (1, 5, 15, 30, 60, 240, 1440, 10080, 21600), strict=True)
)
MOST = 720
_SECOND = 10**9


class _Row(msgspec.Struct, array_like=True, gc=False):
    """A candle of /OHLC; its vwap is cut to the price step, and 0 where nothing was traded."""

    start: int
    open: str
    high: str
    low: str
    close: str
    vwap: str
    volume: str
    count: int


class _Answer(msgspec.Struct):
    result: dict[str, list[_Row] | int | str]


@attrs.frozen
class Candles:
    """Kraken's own candles, the last 720 of them: volume in base, with the number of trades.

    A time without trades has a candle at the last close with volume 0. Kraken states no turnover,
    so notional is null. The candle that is still running is left out.
    """

    interval: Interval = option("1m", help="how long a candle is")
    rest_url: str = option(rest.URL, help=rest.URL_HELP, identity=False)

    exchange: ClassVar[str] = EXCHANGE
    continuity: ClassVar[Continuity] = "none"
    off: ClassVar[str] = ""
    opens: ClassVar[Literal["first", "previous"]] = "first"
    empty: ClassVar[Literal["omit", "carry"]] = "carry"
    # A trade may come late; how late is not stated.
    settled: ClassVar[timedelta] = timedelta(seconds=60)
    blind_spots: ClassVar[Sequence[str]] = (
        "only the last 720 candles can be had, whatever is asked for",
        "how long a candle may change after its end is not stated: a minute is waited (unverified)",
    )

    @property
    def schema(self) -> pa.Schema:
        """CANDLE with ten digits for prices and for sizes."""
        return schema("CANDLE", SCALES)

    @property
    def reach(self) -> timedelta | None:
        """720 candles."""
        return timedelta(minutes=MINUTES[self.interval] * MOST)

    def read(
        self, http: Http, symbol: str, after: int | str, until: int
    ) -> Iterator[tuple[pa.RecordBatch, str]]:
        """Yield the candles that end before `until`; there is one page, of all that can be had."""
        minutes = MINUTES[self.interval]
        query = {"pair": pair(symbol), "interval": str(minutes)}
        asked = rest.request(self.rest_url, "OHLC", **query)
        answer: _Answer = rest.ask(http, asked, _Answer)
        rows, last = _parts(answer, rest.named(asked))
        start = int(after) + 1 if isinstance(after, str) else after
        # `last` is the start of the last candle that is closed; one more row is running.
        end = min(last, until // _SECOND - minutes * 60)
        closed = [row for row in rows if row.start <= end and row.start * _SECOND >= start]
        if closed:
            made = self._batch(closed, symbol, rest.named(asked))
            yield made, str(closed[-1].start * _SECOND)

    def _batch(self, rows: list[_Row], symbol: str, name: str) -> pa.RecordBatch:
        prices = {
            column: decimals([getattr(row, column) for row in rows], SCALES.price, name, column)
            for column in ("open", "high", "low", "close")
        }
        return batch(
            self.schema,
            exchange=word(EXCHANGE, len(rows)),
            symbol=word(symbol, len(rows)),
            timestamp=times(epoch([row.start for row in rows], _SECOND, name)),
            interval=word(self.interval, len(rows)),
            **prices,
            volume=decimals([row.volume for row in rows], SCALES.size, name, "volume"),
            trades=[row.count for row in rows],
        )


def _parts(answer: _Answer, name: str) -> tuple[list[_Row], int]:
    found = [rows for key, rows in answer.result.items() if key != "last"]
    last = str(answer.result.get("last", ""))
    if len(found) != 1 or not isinstance(found[0], list) or not last.isdigit():
        keys = ", ".join(answer.result) or "nothing"
        raise MessageError(f"{name}: cannot be read: {keys} where candles and `last` are expected")
    return sorted(found[0], key=lambda row: row.start), int(last)
