"""The exchange's own candles, by REST."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import ClassVar, Literal

import attrs
import msgspec
import pyarrow as pa
from attrs.validators import and_, ge, le

from werks.components import Continuity, Http, option
from werks.schema import batch, schema, times, word
from werks.wire import decimals, epoch

from . import rest, wire
from .exchange import Exchange
from .pages import LENGTHS

_SCHEMA = schema("CANDLE", wire.SCALES)
_PRICES = ("open", "high", "low", "close")


class _Candle(msgspec.Struct):
    time: int
    open: str
    high: str
    low: str
    close: str
    volume: str
    turnover: str
    trades: int


class _Page(msgspec.Struct):
    rows: list[_Candle]


@attrs.frozen
class Candles:
    """Candles of the made-up trades, by REST: `GET /candles`, oldest first, labelled by the start.

    Without `rest_url` the pages are made on the spot and nothing is asked for.
    """

    seed: int = option(1, help="another number is another market", validator=ge(0))
    trades_per_day: int = option(
        30_000, help="how many trades a day has, give or take a tenth", validator=ge(1)
    )
    interval: Literal["1m", "5m", "1h"] = option("1m", help="how long a candle is")
    page_size: int = option(
        1000,
        help="how many candles to ask for at once, 1000 at most",
        identity=False,
        validator=and_(ge(1), le(1000)),
    )
    rest_url: str = option(
        "", help="where the REST interface is; left out: it is simulated", identity=False
    )

    exchange: ClassVar[str] = wire.EXCHANGE
    schema: ClassVar[pa.Schema] = _SCHEMA
    continuity: ClassVar[Continuity] = "none"
    blind_spots: ClassVar[Sequence[str]] = ("a missing candle looks like a minute without trades",)
    reach: ClassVar[timedelta | None] = None
    off: ClassVar[str] = ""
    opens: ClassVar[Literal["first", "previous"]] = "first"
    empty: ClassVar[Literal["omit", "carry"]] = "omit"
    settled: ClassVar[timedelta] = timedelta(0)

    def read(
        self, http: Http, symbol: str, after: int | str, until: int
    ) -> Iterator[tuple[pa.RecordBatch, str]]:
        """Yield (candles, cursor) from a time in ns, or after a cursor, those over by `until`."""
        asked = rest.client(http, self.rest_url, Exchange(self.seed, self.trades_per_day))
        fixed = {"symbol": symbol, "interval": self.interval, "limit": str(self.page_size)}
        start = after if isinstance(after, str) else wire.since(after)
        last = until // wire.TIME_UNIT - LENGTHS[self.interval]
        while True:
            request = rest.request(self.rest_url, "candles", **fixed, start=start)
            page = asked.json(request, _Page, rest.refusal).rows
            done = [each for each in page if each.time <= last]
            if done:
                start = str(done[-1].time + 1)
                yield self._rows(done, symbol, request.url), start
            if not page or len(done) < len(page):
                return

    def _rows(self, candles: Sequence[_Candle], symbol: str, url: str) -> pa.RecordBatch:
        prices = {
            name: decimals([getattr(e, name) for e in candles], wire.SCALES.price, url, name)
            for name in _PRICES
        }
        turnovers = [each.turnover for each in candles]
        return batch(
            _SCHEMA,
            exchange=word(wire.EXCHANGE, len(candles)),
            symbol=word(symbol, len(candles)),
            timestamp=times(epoch([each.time for each in candles], wire.TIME_UNIT, url)),
            interval=word(self.interval, len(candles)),
            **prices,
            volume=decimals([e.volume for e in candles], wire.SCALES.size, url, "volume"),
            notional=decimals(turnovers, wire.SCALES.notional, url, "turnover"),
            trades=[each.trades for each in candles],
        )
