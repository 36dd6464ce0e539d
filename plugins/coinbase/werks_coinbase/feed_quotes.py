"""The best bids and asks of Coinbase Exchange, as they happen."""

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
from werks.wire import decimals, epoch, iso

from . import feed, rest

_SCHEMA = schema("QUOTE", rest.SCALES)


@attrs.frozen
class QuotesFeed:
    """The best bid and ask of Coinbase Exchange after each trade, by the channel `ticker`.

    A quote that changes between two trades is not told; the time is that of the trade.
    """

    ws_url: str = option("", help=feed.URL_HELP, identity=False)

    exchange: ClassVar[str] = rest.EXCHANGE
    schema: ClassVar[pa.Schema] = _SCHEMA
    continuity: ClassVar[Continuity] = "none"
    blind_spots: ClassVar[Sequence[str]] = (
        "a quote that changes between two trades is not told, nor is that one was left out",
    )
    ping: ClassVar[tuple[str, float] | None] = None
    most_symbols: ClassVar[int] = feed.MOST_SYMBOLS
    sends_per_second: ClassVar[float] = feed.SENDS_PER_SECOND
    stale_after: ClassVar[float] = feed.STALE_AFTER
    connects: ClassVar[RateLimit] = feed.CONNECTS
    connection_lifetime: ClassVar[timedelta | None] = None
    disorder: ClassVar[timedelta] = timedelta(0)

    @property
    def url(self) -> str:
        """Where to connect to."""
        return self.ws_url or feed.URL

    def converse(self, http: Http, symbols: Sequence[str]) -> "Quoting":
        """Return what is said on one new connection for these products."""
        return Quoting(feed.Session(self.url, tuple(symbols), "ticker"))


@attrs.define(eq=False)
class Quoting:
    """One connection's words about quotes."""

    _session: feed.Session
    _heard: dict[str, Heard] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._heard = {symbol: Heard(symbol) for symbol in self._session.symbols}

    def opened(self) -> Iterator[str]:
        """Yield the subscriptions."""
        return self._session.opened()

    def heard(self, message: str | bytes, received: int) -> Sequence[Event]:
        """Take a message; MessageError if it cannot be read."""
        try:
            said = feed.decode(message)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise feed.unreadable(self._session.url, message, error) from error
        if isinstance(said, feed.Ticker):
            heard = self._heard.get(said.product_id)
            if heard is None:
                raise feed.unreadable(self._session.url, message, "the product was not asked for")
            heard.kept.append(said)
            heard.received.append(received)
            return ()
        return self._session.answered(said, message)

    def rows(self) -> Sequence[pa.RecordBatch]:
        """Return the quotes heard since the last call, one product a batch.

        MessageError where a number or a time is none; the others come with the next call.
        """
        return flush(self._heard.values(), self._build)

    def _build(
        self, kept: Sequence[feed.Ticker], symbol: str, received: Sequence[int]
    ) -> pa.RecordBatch:
        name, scales = f"{self._session.url} {symbol}", rest.SCALES
        return batch(
            _SCHEMA,
            exchange=word(rest.EXCHANGE, len(kept)),
            symbol=word(symbol, len(kept)),
            timestamp=times(epoch(iso([each.time for each in kept], name).tolist(), 1, name)),
            received=times(np.array(received, np.int64)),
            bid=decimals([each.best_bid for each in kept], scales.price, name, "bid"),
            bid_size=decimals([each.best_bid_size for each in kept], scales.size, name, "bid size"),
            ask=decimals([each.best_ask for each in kept], scales.price, name, "ask"),
            ask_size=decimals([each.best_ask_size for each in kept], scales.size, name, "ask size"),
        )
