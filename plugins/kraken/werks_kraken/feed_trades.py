"""The trades of Kraken's spot market, as they happen."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import ClassVar, Literal

import attrs
import msgspec
import numpy as np
import pyarrow as pa

from werks import amounts
from werks.components import Continuity, Event, Http, RateLimit, option
from werks.heard import Heard, flush
from werks.schema import batch, schema, times, word
from werks.wire import FIRST_TIME, LAST_TIME, decimals, epoch, iso, literals, ticks

from . import feed
from .symbols import EXCHANGE, SCALES

_SCHEMA = schema("TRADE", SCALES)


class _Trade(msgspec.Struct, gc=False):
    """A trade; `side` is the taker's, and numbers are bare, with all their zeros."""

    symbol: str
    side: Literal["buy", "sell"]
    price: msgspec.Raw
    qty: msgspec.Raw
    trade_id: int
    timestamp: str


class _Message(msgspec.Struct, gc=False, tag_field="channel", tag="trade"):
    type: Literal["snapshot", "update"]
    data: list[_Trade]


_decode = msgspec.json.Decoder(_Message).decode


@attrs.frozen
class TradesFeed:
    """Every trade of Kraken's spot market, by the channel `trade` of its websocket, version 2.

    A subscription begins with the last 50 trades. Ids have no holes, so one that is missing shows.
    """

    ws_url: str = option("", help=feed.URL_HELP, identity=False)

    exchange: ClassVar[str] = EXCHANGE
    schema: ClassVar[pa.Schema] = _SCHEMA
    continuity: ClassVar[Continuity] = "contiguous"
    blind_spots: ClassVar[Sequence[str]] = (
        "times are whole microseconds, those of REST floats of seconds: a trade may have another"
        " time there, by less than a microsecond",
        "that the last trades before a silence are missing shows by the next one only",
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

    def converse(self, http: Http, symbols: Sequence[str]) -> "Trading":
        """Return what is said on one new connection for these symbols."""
        return Trading(feed.Session(self.url, tuple(symbols), "trade", {"snapshot": True}))


@attrs.define(eq=False)
class Trading:
    """One connection's words about trades."""

    _session: feed.Session
    _heard: dict[str, Heard] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._heard = {symbol: Heard(symbol) for symbol in self._session.symbols}

    def opened(self) -> Iterator[str]:
        """Yield the subscription."""
        return self._session.opened()

    def heard(self, message: str | bytes, received: int) -> Sequence[Event]:
        """Take a message; MessageError if it cannot be read."""
        try:
            said = _decode(message)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            told = self._session.answered(message)
            if told is None:
                raise feed.unreadable(self._session.url, message, error) from error
            return told
        if said.type == "snapshot":
            said.data.sort(key=lambda each: each.trade_id)
        for each in said.data:
            heard = self._heard.get(each.symbol)
            if heard is None:
                raise feed.unreadable(self._session.url, message, "the symbol was not asked for")
            heard.kept.append(each)
            heard.received.append(received)
        return ()

    def rows(self) -> Sequence[pa.RecordBatch]:
        """Return the trades heard since the last call, one symbol a batch.

        MessageError where a number or a time is none; the others come with the next call.
        """
        return flush(self._heard.values(), self._build)

    def _build(
        self, kept: Sequence[_Trade], symbol: str, received: Sequence[int]
    ) -> pa.RecordBatch:
        name = f"{self._session.url} {symbol}"
        price = decimals(literals([each.price for each in kept]), SCALES.price, name, "price")
        size = decimals(literals([each.qty for each in kept]), SCALES.size, name, "qty")
        value = amounts.product(*(amounts.ints(amounts.limbs(each)) for each in (price, size)))
        moments = iso([each.timestamp for each in kept], name)
        if moments.min() < FIRST_TIME or moments.max() >= LAST_TIME:
            epoch(moments.tolist(), 1, name)  # which names the row
        return batch(
            _SCHEMA,
            exchange=word(EXCHANGE, len(kept)),
            symbol=word(symbol, len(kept)),
            timestamp=times(moments),
            received=times(np.array(received, np.int64)),
            trade_id=pa.array([each.trade_id for each in kept], pa.int64()).cast(pa.string()),
            tick_rule=ticks([each.side == "buy" for each in kept]),
            price=price,
            size=size,
            notional=amounts.column(value, SCALES.notional),
        )
