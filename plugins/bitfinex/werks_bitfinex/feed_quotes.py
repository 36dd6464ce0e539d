"""The best bids and asks of Bitfinex, as they happen."""

from collections.abc import Sequence
from datetime import timedelta
from typing import ClassVar

import attrs
import msgspec
import numpy as np
import pyarrow as pa

from werks.components import Continuity, Http, RateLimit, option
from werks.heard import Heard, flush
from werks.schema import batch, schema, times, word
from werks.wire import decimals, epoch, texts

from . import feed, rest
from .feed_frames import Listening

_SCHEMA = schema("QUOTE", rest.SCALES)


class _Ticker(msgspec.Struct, array_like=True, gc=False):
    """The best bid and ask; the sizes are the sums of the 25 best of a side."""

    bid: msgspec.Raw
    bid_sum: msgspec.Raw
    ask: msgspec.Raw


_decode = msgspec.json.Decoder(_Ticker).decode


@attrs.frozen
class QuotesFeed:
    """The best bid and ask of Bitfinex, by the channel `ticker` of its websocket, version 2.

    Prices have five significant digits there. The sizes that come with them are the sums of the 25
    best of a side, so sizes are null. The time is that at which the server sent it.
    """

    ws_url: str = option("", help=feed.URL_HELP, identity=False)

    exchange: ClassVar[str] = rest.EXCHANGE
    schema: ClassVar[pa.Schema] = _SCHEMA
    continuity: ClassVar[Continuity] = "none"
    blind_spots: ClassVar[Sequence[str]] = (
        "the size at the best price is not told, and not each quote: how often is not stated",
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
        session = feed.Session(self.url, feed.asks(symbols, channel="ticker", symbol="{}"))
        return Listening(session, _Quotes(session))


@attrs.frozen
class _Quote:
    ticker: _Ticker
    time: int | None


@attrs.define(eq=False)
class _Quotes:
    _session: feed.Session
    _heard: dict[str, Heard] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._heard = {ask.name: Heard(ask.name) for ask in self._session.asks}

    def take(self, name: str, frame: feed.Frame, received: int) -> None:
        """Keep a quote."""
        heard = self._heard[name]
        heard.kept.append(_Quote(self._session.read(_decode, frame.payload), frame.time))
        heard.received.append(received)

    def rows(self, now: int) -> Sequence[pa.RecordBatch]:
        """Return the quotes, one symbol a batch."""
        return flush(self._heard.values(), self._build)

    def _build(
        self, kept: Sequence[_Quote], symbol: str, received: Sequence[int]
    ) -> pa.RecordBatch:
        name = f"{self._session.url} {symbol}"
        # The server's time has been asked for; a recording may be without it.
        pairs = zip(kept, received, strict=True)
        moments = [at // rest.MS if each.time is None else each.time for each, at in pairs]
        return batch(
            _SCHEMA,
            exchange=word(rest.EXCHANGE, len(kept)),
            symbol=word(symbol, len(kept)),
            timestamp=times(epoch(moments, rest.MS, name)),
            received=times(np.array(received, np.int64)),
            bid=decimals(_prices([each.ticker.bid for each in kept]), _PRICE, name, "bid"),
            ask=decimals(_prices([each.ticker.ask for each in kept]), _PRICE, name, "ask"),
        )


_PRICE = rest.SCALES.price


def _prices(tokens: Sequence[msgspec.Raw]) -> list[str | None]:
    """Return prices; None where there is none, or 0: that side is empty."""
    return [None if text == "null" or not text.strip("0.") else text for text in texts(tokens)]
