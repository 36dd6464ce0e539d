"""The candles that Kraken makes itself, as they are over.

Kraken tells of a candle with each trade, never of one without trades, and not that one is closed.
A candle is given once its time to change is over by our clock; heartbeats come every second.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, ClassVar, Literal

import attrs
import msgspec
import pyarrow as pa

from werks.components import Continuity, Event, Http, RateLimit, option
from werks.heard import Heard, flush
from werks.schema import batch, schema, times, word
from werks.wire import decimals, epoch, iso, texts

from . import feed
from .candles import MINUTES, MOST, Candles, Interval
from .symbols import EXCHANGE, SCALES

_HEADS = feed.heads("ohlc")
_HEAD = len('{"channel":"ohlc"')
_SCHEMA = schema("CANDLE", SCALES)
_MINUTE = 60 * 10**9
_SETTLED = Candles.settled // timedelta(microseconds=1) * 1000
_ZERO = msgspec.Raw(b"0")


class _Candle(msgspec.Struct, gc=False):
    symbol: str
    interval: int
    interval_begin: str
    open: msgspec.Raw
    high: msgspec.Raw
    low: msgspec.Raw
    close: msgspec.Raw
    volume: msgspec.Raw
    trades: int


class _Message(msgspec.Struct, gc=False):
    type: Literal["snapshot", "update"]
    data: list[_Candle]


_decode = msgspec.json.Decoder(_Message).decode


@attrs.frozen
class CandlesFeed:
    """Kraken's own candles a minute after they end, by the channel `ohlc` of its websocket.

    A time without trades has a candle at the last close with volume 0, as by REST, though the
    websocket has none. Kraken states no turnover, so notional is null.
    """

    interval: Interval = option("1m", help="how long a candle is")
    ws_url: str = option("", help=feed.URL_HELP, identity=False)

    exchange: ClassVar[str] = EXCHANGE
    schema: ClassVar[pa.Schema] = _SCHEMA
    continuity: ClassVar[Continuity] = "none"
    opens: ClassVar[Literal["first", "previous"]] = Candles.opens
    empty: ClassVar[Literal["omit", "carry"]] = Candles.empty
    settled: ClassVar[timedelta] = Candles.settled
    blind_spots: ClassVar[Sequence[str]] = (
        "that a candle is closed is not told: it is given a minute after its end by our clock, and"
        " a change that comes later is an error",
        "a minute whose trades are not told looks like one without trades",
    )
    ping: ClassVar[tuple[str, float] | None] = feed.PING
    most_symbols: ClassVar[int] = feed.MOST_SYMBOLS
    stale_after: ClassVar[float] = feed.STALE_AFTER
    connects: ClassVar[RateLimit] = feed.CONNECTS
    connection_lifetime: ClassVar[timedelta | None] = None
    disorder: ClassVar[timedelta] = timedelta(0)

    @property
    def url(self) -> str:
        """Where to connect to."""
        return self.ws_url or feed.URL

    def converse(self, http: Http, symbols: Sequence[str]) -> "Charting":
        """Return what is said on one new connection for these symbols."""
        options = {"interval": MINUTES[self.interval], "snapshot": True}
        return Charting(feed.Session(self.url, tuple(symbols), "ohlc", options), self.interval)


@attrs.define(eq=False)
class _Chart:
    """The candles of a symbol that are not given yet, by their beginning in ns, and the last."""

    length: int
    open: dict[int, _Candle] = attrs.field(factory=dict, init=False)
    start: int = attrs.field(default=0, init=False)
    last: _Candle | None = attrs.field(default=None, init=False)

    def take(self, candle: _Candle, start: int, late: bool) -> bool:
        """Keep a candle; False if it is too late and changes one."""
        known = self.open.get(start) or (self.last if start == self.start else None)
        late = late and bool(self.open or self.last)  # the first one is never too late
        if start <= self.start or late:
            return known == candle
        self.open[start] = candle
        return True

    def closed(self, until: int) -> Iterator[tuple[int, _Candle]]:
        """Yield the candles that end by `until`, those of times without trades included.

        The last 720 of them, as REST has them.
        """
        first = until - MOST * self.length
        for start in sorted(each for each in self.open if each + self.length <= until):
            candle = self.open.pop(start)
            yield from self._flat(first, start)
            self.start, self.last = start, candle
            if start >= first:
                yield start, candle
        yield from self._flat(first, until - self.length + 1)

    def _flat(self, first: int, stop: int) -> Iterator[tuple[int, _Candle]]:
        """Yield candles at the last close, from behind the last one to before `stop`."""
        if self.last is None:
            return
        flat = self.last
        if self.start + self.length < stop:
            close = flat.close
            flat = msgspec.structs.replace(
                flat, open=close, high=close, low=close, volume=_ZERO, trades=0
            )
        begin = self.start + self.length
        begin += max(0, -(-(first - begin) // self.length)) * self.length
        for start in range(begin, stop, self.length):
            self.start, self.last = start, flat
            yield start, flat


@attrs.define(eq=False)
class Charting:
    """One connection's words about candles."""

    _session: feed.Session
    _interval: str
    _now: int = attrs.field(default=0, init=False)
    _charts: dict[str, _Chart] = attrs.field(init=False)
    _over: dict[str, Heard] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._over = {symbol: Heard(symbol) for symbol in self._session.symbols}
        self._charts = {symbol: _Chart(self._length) for symbol in self._session.symbols}

    @property
    def _length(self) -> int:
        return MINUTES[self._interval] * _MINUTE

    def opened(self) -> Iterator[str]:
        """Yield the subscription."""
        return self._session.opened()

    def heard(self, message: str | bytes, received: int) -> Sequence[Event]:
        """Take a message; MessageError if it cannot be read or changes what is over."""
        self._now = max(self._now, received)
        if message[:_HEAD] not in _HEADS and (told := self._session.answered(message)) is not None:
            return told
        said: _Message = self._session.read(_decode, message)
        url = self._session.url
        starts = iso([each.interval_begin for each in said.data], url) if said.data else ()
        for each, start in zip(said.data, map(int, starts), strict=True):
            chart = self._charts.get(each.symbol)
            if chart is None or each.interval != MINUTES[self._interval]:
                raise feed.unreadable(url, message, "the candle was not asked for")
            over = start + self._length + _SETTLED <= self._now
            if not chart.take(each, start, over and said.type == "update"):
                why = f"the candle of {each.interval_begin} has changed when its time was over"
                raise feed.unreadable(url, message, why)
        return ()

    def rows(self) -> Sequence[pa.RecordBatch]:
        """Return the candles that were over when the last message came, one symbol a batch.

        MessageError where a number is none; the others come with the next call.
        """
        for symbol, chart in self._charts.items():
            over = list(chart.closed(self._now - _SETTLED))
            self._over[symbol].kept += over
            self._over[symbol].received += [self._now] * len(over)
        return flush(self._over.values(), self._batch)

    def _batch(
        self, found: Sequence[tuple[int, _Candle]], symbol: str, _: Sequence[int]
    ) -> pa.RecordBatch:
        name, rows = f"{self._session.url} {symbol}", [each for _, each in found]

        def column(of: str, scale: int) -> Any:
            return decimals(texts([getattr(each, of) for each in rows]), scale, name, of)

        return batch(
            _SCHEMA,
            exchange=word(EXCHANGE, len(rows)),
            symbol=word(symbol, len(rows)),
            timestamp=times(epoch([start for start, _ in found], 1, name)),
            interval=word(self._interval, len(rows)),
            open=column("open", SCALES.price),
            high=column("high", SCALES.price),
            low=column("low", SCALES.price),
            close=column("close", SCALES.price),
            volume=column("volume", SCALES.size),
            trades=[each.trades for each in rows],
        )
