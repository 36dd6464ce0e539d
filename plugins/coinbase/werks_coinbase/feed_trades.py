"""The trades of Coinbase Exchange, as they happen."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import ClassVar

import attrs
import msgspec
import pyarrow as pa

from werks.components import Continuity, Event, Http, Missed, RateLimit, option
from werks.heard import Heard, flush
from werks.schema import schema

from . import feed, rest
from .trades import rows

# A heartbeat may overtake the trade that it tells of.
_PATIENCE = 2_000_000_000


@attrs.frozen
class TradesFeed:
    """Every trade of Coinbase Exchange, by the channel `matches` of its websocket.

    Each subscription begins with the trade before it (`last_match`). The exchange may leave trades
    out: ids without a hole and the heartbeat of each product, which names the last id, show it.
    The side that Coinbase states is the maker's; `tick_rule` is the taker's.
    """

    ws_url: str = option("", help=feed.URL_HELP, identity=False)

    exchange: ClassVar[str] = rest.EXCHANGE
    schema: ClassVar[pa.Schema] = schema("TRADE", rest.SCALES)
    continuity: ClassVar[Continuity] = "contiguous"
    blind_spots: ClassVar[Sequence[str]] = (
        "the exchange does not promise that all trades are sent: that some are missing shows by the"
        " next id or, two seconds later, by the heartbeat",
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

    def converse(self, http: Http, symbols: Sequence[str]) -> "Trading":
        """Return what is said on one new connection for these products."""
        return Trading(feed.Session(self.url, tuple(symbols), "matches"))


@attrs.define
class _Watch:
    """The newest id that a heartbeat has told of and no trade had, and since when."""

    trade_id: int = 0
    since: int = 0
    told: int = 0

    def missed(self, newest: int, named: int, received: int) -> bool:
        """Tell once whether an id that a heartbeat named is overdue; `newest` was heard."""
        known = max(newest, self.told)
        if self.trade_id <= known:
            if named > known:
                self.trade_id, self.since = named, received
            return False
        if received - self.since < _PATIENCE:
            return False
        self.told = self.trade_id
        return True


@attrs.define(eq=False)
class Trading:
    """One connection's words about trades."""

    _session: feed.Session
    _heard: dict[str, Heard] = attrs.field(init=False)
    _watched: dict[str, _Watch] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._heard = {symbol: Heard(symbol) for symbol in self._session.symbols}
        self._watched = {symbol: _Watch() for symbol in self._session.symbols}

    def opened(self) -> Iterator[str]:
        """Yield the subscriptions."""
        return self._session.opened()

    def heard(self, message: str | bytes, received: int) -> Sequence[Event]:
        """Take a message; MessageError if it cannot be read."""
        try:
            said = feed.decode(message)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise feed.unreadable(self._session.url, message, error) from error
        if isinstance(said, feed.Match):
            heard = self._heard.get(said.product_id)
            if heard is None:
                raise feed.unreadable(self._session.url, message, "the product was not asked for")
            heard.kept.append(said)
            heard.received.append(received)
            return ()
        if isinstance(said, feed.Heartbeat) and said.product_id in self._heard:
            return self._beat(said, received)
        return self._session.answered(said, message)

    def _beat(self, said: feed.Heartbeat, received: int) -> Sequence[Event]:
        last = self._heard[said.product_id].last
        newest = last.trade_id if last else 0
        watch = self._watched[said.product_id]
        if not watch.missed(newest, said.last_trade_id, received):
            return ()
        why = f"the heartbeat has told of trade {watch.told}, and none came after {newest}"
        return [Missed(said.product_id, why)]

    def rows(self) -> Sequence[pa.RecordBatch]:
        """Return the trades heard since the last call, one product a batch.

        MessageError where a number or a time is none; the others come with the next call.
        """
        return flush(self._heard.values(), self._build)

    def _build(
        self, kept: Sequence[feed.Match], symbol: str, received: Sequence[int]
    ) -> pa.RecordBatch:
        return rows(kept, symbol, f"{self._session.url} {symbol}", received)
