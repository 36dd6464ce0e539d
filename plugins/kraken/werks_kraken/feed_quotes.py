"""The best bids and asks of Kraken's spot market, as they happen."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import ClassVar

import attrs
import msgspec
import numpy as np
import pyarrow as pa

from werks.components import Continuity, Event, Http, RateLimit, option
from werks.heard import Heard, flush
from werks.schema import batch, schema, times, word
from werks.wire import Times, decimals, epoch, iso, texts

from . import feed
from .symbols import EXCHANGE, SCALES

_HEADS = feed.heads("ticker")
_HEAD = len('{"channel":"ticker"')
_SCHEMA = schema("QUOTE", SCALES)


class _Ticker(msgspec.Struct, gc=False):
    """The best bid and ask; 0 where that side is empty. The time is stated of late."""

    symbol: str
    bid: msgspec.Raw
    bid_qty: msgspec.Raw
    ask: msgspec.Raw
    ask_qty: msgspec.Raw
    timestamp: str | None = None


class _Message(msgspec.Struct, gc=False):
    data: list[_Ticker]


_decode = msgspec.json.Decoder(_Message).decode


@attrs.frozen
class QuotesFeed:
    """The best bid and ask of Kraken's spot market whenever they change, by the channel `ticker`.

    A side without orders is null. Where Kraken states no time it is that of our clock.
    """

    ws_url: str = option("", help=feed.URL_HELP, identity=False)

    exchange: ClassVar[str] = EXCHANGE
    schema: ClassVar[pa.Schema] = _SCHEMA
    continuity: ClassVar[Continuity] = "none"
    blind_spots: ClassVar[Sequence[str]] = ("that a quote was left out cannot be seen",)
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

    def converse(self, http: Http, symbols: Sequence[str]) -> "Quoting":
        """Return what is said on one new connection for these symbols."""
        options = {"event_trigger": "bbo", "snapshot": True}
        return Quoting(feed.Session(self.url, tuple(symbols), "ticker", options))


@attrs.define(eq=False)
class Quoting:
    """One connection's words about quotes."""

    _session: feed.Session
    _heard: dict[str, Heard] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._heard = {symbol: Heard(symbol) for symbol in self._session.symbols}

    def opened(self) -> Iterator[str]:
        """Yield the subscription."""
        return self._session.opened()

    def heard(self, message: str | bytes, received: int) -> Sequence[Event]:
        """Take a message; MessageError if it cannot be read."""
        if message[:_HEAD] not in _HEADS and (told := self._session.answered(message)) is not None:
            return told
        said: _Message = self._session.read(_decode, message)
        for each in said.data:
            heard = self._heard.get(each.symbol)
            if heard is None:
                raise feed.unreadable(self._session.url, message, "the symbol was not asked for")
            heard.kept.append(each)
            heard.received.append(received)
        return ()

    def rows(self) -> Sequence[pa.RecordBatch]:
        """Return the quotes heard since the last call, one symbol a batch.

        MessageError where a number or a time is none; the others come with the next call.
        """
        return flush(self._heard.values(), self._build)

    def _build(
        self, kept: Sequence[_Ticker], symbol: str, received: Sequence[int]
    ) -> pa.RecordBatch:
        name = f"{self._session.url} {symbol}"
        bids, asks = texts([each.bid for each in kept]), texts([each.ask for each in kept])
        bid_sizes = _where(bids, texts([each.bid_qty for each in kept]))
        ask_sizes = _where(asks, texts([each.ask_qty for each in kept]))
        return batch(
            _SCHEMA,
            exchange=word(EXCHANGE, len(kept)),
            symbol=word(symbol, len(kept)),
            timestamp=times(_moments(kept, received, name)),
            received=times(np.array(received, np.int64)),
            bid=decimals(_where(bids, bids), SCALES.price, name, "bid"),
            bid_size=decimals(bid_sizes, SCALES.size, name, "bid_qty"),
            ask=decimals(_where(asks, asks), SCALES.price, name, "ask"),
            ask_size=decimals(ask_sizes, SCALES.size, name, "ask_qty"),
        )


def _where(prices: Sequence[str], values: Sequence[str]) -> list[str | None]:
    """Return values; None where the price is 0: that side is empty."""
    pairs = zip(prices, values, strict=True)
    return [value if price.strip("0.") else None for price, value in pairs]


def _moments(kept: Sequence[_Ticker], received: Sequence[int], name: str) -> Times:
    stated = [each.timestamp for each in kept]
    known = [each for each in stated if each is not None]
    found = iter(epoch(iso(known, name).tolist(), 1, name).tolist()) if known else iter(())
    pairs = zip(stated, received, strict=True)
    return np.array([at if text is None else next(found) for text, at in pairs], np.int64)
