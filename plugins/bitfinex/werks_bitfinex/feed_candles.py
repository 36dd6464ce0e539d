"""The candles that Bitfinex makes itself, as they are over.

A candle is told with each of its trades, and that it is closed is not: it is given once its time to
change is over by our clock. Heartbeats come every 15 seconds.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import ClassVar, Literal

import attrs
import msgspec
import pyarrow as pa

from werks.components import Continuity, Http, RateLimit, option
from werks.heard import Heard, flush
from werks.options import duration
from werks.schema import schema

from . import feed, rest
from .candles import Candle, Candles, Interval, name_of, rows
from .feed_frames import Listening

_SETTLED = Candles.settled // timedelta(microseconds=1) * 1000
_one = msgspec.json.Decoder(Candle).decode
_many = msgspec.json.Decoder(list[Candle]).decode


@attrs.frozen
class CandlesFeed:
    """The candles of Bitfinex two minutes after they end, by the channel `candles`.

    Prices and the volume in base, nothing else is stated. A time without trades has no candle.
    """

    interval: Interval = option("1m", help="how long a candle is")
    ws_url: str = option("", help=feed.URL_HELP, identity=False)

    exchange: ClassVar[str] = rest.EXCHANGE
    schema: ClassVar[pa.Schema] = schema("CANDLE", rest.SCALES)
    continuity: ClassVar[Continuity] = "none"
    opens: ClassVar[Literal["first", "previous"]] = Candles.opens
    empty: ClassVar[Literal["omit", "carry"]] = Candles.empty
    settled: ClassVar[timedelta] = Candles.settled
    blind_spots: ClassVar[Sequence[str]] = (
        *Candles.blind_spots[:2],
        "that a candle is closed is not told: it is given two minutes after its end by our clock,"
        " and a change that comes later is an error",
    )
    ping: ClassVar[tuple[str, float] | None] = None
    most_symbols: ClassVar[int] = feed.MOST_SYMBOLS
    stale_after: ClassVar[float] = feed.STALE_AFTER
    connects: ClassVar[RateLimit] = feed.CONNECTS
    connection_lifetime: ClassVar[timedelta | None] = None
    disorder: ClassVar[timedelta] = timedelta(0)

    @property
    def url(self) -> str:
        """Where to connect to."""
        return self.ws_url or feed.URL

    def converse(self, http: Http, symbols: Sequence[str]) -> Listening:
        """Return what is said on one new connection for these symbols."""
        key = name_of(self.interval, "{}")
        session = feed.Session(self.url, feed.asks(symbols, channel="candles", key=key))
        return Listening(session, _Charts(session, self.interval))


@attrs.define(eq=False)
class _Chart:
    """The candles of a symbol that are not given yet, by their beginning in ms, and the last."""

    over: Heard
    open: dict[int, Candle] = attrs.field(factory=dict, init=False)
    last: Candle | None = attrs.field(default=None, init=False)

    def take(self, candle: Candle, late: bool) -> bool:
        """Keep a candle; False if it is too late and changes one."""
        given = self.last.time if self.last else 0
        late = late and bool(self.open or self.last)  # the first one is never too late
        if late or candle.time <= given:
            known = self.last if candle.time == given else self.open.get(candle.time)
            return candle == known
        self.open[candle.time] = candle
        return True

    def close(self, until: int, now: int) -> None:
        """Put by the candles that begin by a time in ms."""
        for time in sorted(each for each in self.open if each <= until):
            self.last = self.open.pop(time)
            self.over.kept.append(self.last)
            self.over.received.append(now)


@attrs.define(eq=False)
class _Charts:
    _session: feed.Session
    _interval: Interval
    _charts: dict[str, _Chart] = attrs.field(init=False)
    _length: int = attrs.field(default=0, init=False)
    _latest: int = attrs.field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self._length = duration(self._interval, "interval")
        self._charts = {ask.name: _Chart(Heard(ask.symbols[0])) for ask in self._session.asks}

    def _until(self, now: int) -> int:
        """Return when the last candle began that is over, in ms."""
        return (now - _SETTLED - self._length) // rest.MS

    def take(self, name: str, frame: feed.Frame, received: int) -> None:
        """Keep one candle, or those that a subscription begins with."""
        self._latest = max(self._latest, received)
        chart, until = self._charts[name], self._until(self._latest)
        if bytes(frame.payload)[:2] in (b"[[", b"[]"):
            for each in self._session.read(_many, frame.payload):
                chart.take(each, False)
            return
        candle: Candle = self._session.read(_one, frame.payload)
        if not chart.take(candle, candle.time <= until):
            why = "a candle has changed when its time was over"
            raise feed.unreadable(self._session.url, frame.payload, why)

    def rows(self, now: int) -> Sequence[pa.RecordBatch]:
        """Return the candles that are over, one symbol a batch."""
        for chart in self._charts.values():
            chart.close(self._until(now), now)
        return flush([chart.over for chart in self._charts.values()], self._build)

    def _build(self, kept: Sequence[Candle], symbol: str, _: Sequence[int]) -> pa.RecordBatch:
        return rows(kept, symbol, self._interval, f"{self._session.url} {symbol}")
