"""The liquidations of Bitfinex, as they happen."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Context, Decimal
from typing import ClassVar, Literal

import attrs
import msgspec
import numpy as np
import pyarrow as pa

from werks.components import Continuity, Http, RateLimit, option
from werks.heard import Heard, flush
from werks.schema import batch, schema, times, word
from werks.wire import decimals, epoch, ticks

from . import feed, rest
from .feed_frames import Listening

_SCHEMA = schema("LIQUIDATION", rest.SCALES)
_KEY = "liq:global"
_EXACT = Context(prec=76)


class _Position(msgspec.Struct, array_like=True, gc=False):
    """A position that is liquidated; its amount is above 0 where it was long."""

    kind: Literal["pos"]
    _id: int
    time: Decimal
    _3: msgspec.Raw
    symbol: str
    amount: Decimal
    _base_price: msgspec.Raw
    _7: msgspec.Raw
    is_match: int
    _is_market_sold: msgspec.Raw
    _10: msgspec.Raw
    price: Decimal | None = None


_decode = msgspec.json.Decoder(list[_Position]).decode


@attrs.frozen
class LiquidationsFeed:
    """Positions that Bitfinex liquidates, by the channel `status` with the key `liq:global`.

    `tick_rule` is the side of the order: a long position is sold. Each is told once more when it
    meets the market, which is left out. The price is that at which it was triggered, null where it
    is not stated.
    """

    ws_url: str = option("", help=feed.URL_HELP, identity=False)

    exchange: ClassVar[str] = rest.EXCHANGE
    schema: ClassVar[pa.Schema] = _SCHEMA
    continuity: ClassVar[Continuity] = "none"
    blind_spots: ClassVar[Sequence[str]] = (
        "one subscription is of all symbols, so a symbol that is spelt wrong is never told of",
        "a message that is lost shows by the number of the next one; what it told does not come"
        " again",
    )
    ping: ClassVar[tuple[str, float] | None] = None
    # One subscription is of all.
    most_symbols: ClassVar[int] = 1000
    stale_after: ClassVar[float] = feed.STALE_AFTER
    connects: ClassVar[RateLimit] = feed.CONNECTS
    connection_lifetime: ClassVar[timedelta | None] = None
    # Positions of one message need not be in the order of their times.
    disorder: ClassVar[timedelta] = timedelta(seconds=1)

    @property
    def url(self) -> str:
        """Where to connect to."""
        return self.ws_url or feed.URL

    def converse(self, http: Http, symbols: Sequence[str]) -> Listening:
        """Return what is said on one new connection for these symbols."""
        params = {"channel": "status", "key": _KEY}
        session = feed.Session(self.url, (feed.Ask(_KEY, params, tuple(symbols)),))
        return Listening(session, _Liquidations(session))


@attrs.define(eq=False)
class _Liquidations:
    _session: feed.Session
    _heard: dict[str, Heard] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._heard = {each: Heard(each) for ask in self._session.asks for each in ask.symbols}

    def take(self, name: str, frame: feed.Frame, received: int) -> None:
        """Keep the positions of the symbols that were asked for."""
        for each in self._session.read(_decode, frame.payload):
            if not all(map(Decimal.is_finite, (each.time, each.amount, each.price or each.amount))):
                raise feed.unreadable(self._session.url, frame.payload, "a number is none")
            heard = self._heard.get(each.symbol)
            if heard is not None and not each.is_match:
                heard.kept.append(each)
                heard.received.append(received)

    def rows(self, now: int) -> Sequence[pa.RecordBatch]:
        """Return the liquidations, one symbol a batch."""
        return flush(self._heard.values(), self._build)

    def _build(
        self, kept: Sequence[_Position], symbol: str, received: Sequence[int]
    ) -> pa.RecordBatch:
        name, scales, count = f"{self._session.url} {symbol}", rest.SCALES, len(kept)
        sizes = [each.amount.copy_abs() for each in kept]
        pairs = zip(kept, sizes, strict=True)
        values = [each.price and _EXACT.multiply(each.price, size) for each, size in pairs]
        return batch(
            _SCHEMA,
            exchange=word(rest.EXCHANGE, count),
            symbol=word(symbol, count),
            # A time may have a fraction of a millisecond.
            timestamp=times(epoch([int(each.time * rest.MS) for each in kept], 1, name)),
            received=times(np.array(received, np.int64)),
            tick_rule=ticks([each.amount < 0 for each in kept]),
            price=decimals([each.price for each in kept], scales.price, name, "price"),
            size=decimals(sizes, scales.size, name, "amount"),
            notional=decimals(values, scales.notional, name, "notional"),
        )
