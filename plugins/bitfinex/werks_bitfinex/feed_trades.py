"""The trades of Bitfinex, as they happen.

Each trade is told twice: as `te` when it is executed, in order, and some 30 to 50 ms later as `tu`,
which is the one that is promised, and a little out of order. The first of the two that comes makes
the row: nothing waits, and nothing is lost where one of them is.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import ClassVar

import attrs
import msgspec
import numpy as np
import pyarrow as pa

from werks import amounts
from werks.components import Continuity, Event, Http, RateLimit, option
from werks.errors import MessageError
from werks.heard import Heard, flush
from werks.schema import batch, schema, times, word
from werks.wire import decimals, epoch, literals

from . import feed, rest

_SCHEMA = schema("TRADE", rest.SCALES)
_TWICE = ("te", "tu")
# Of messages that come before it is said what their channel is.
_MOST_EARLY = 1000


class _Trade(msgspec.Struct, array_like=True, gc=False):
    """A trade: above 0 the taker bought."""

    id: int
    time: int
    amount: msgspec.Raw
    price: msgspec.Raw


class _Frame(msgspec.Struct, array_like=True, gc=False):
    """A word with a trade, a heartbeat, or the last trades; then the number, then the time."""

    channel: int
    what: str | list[_Trade]
    third: _Trade | int | None = None
    fourth: int | None = None


_decode = msgspec.json.Decoder(_Frame).decode


@attrs.frozen
class TradesFeed:
    """Every trade of Bitfinex, by the channel `trades` of its websocket, version 2.

    A subscription begins with the last 30 trades. Ids have holes, but the exchange numbers the
    messages of a connection: one that is missing shows.
    """

    ws_url: str = option("", help=feed.URL_HELP, identity=False)

    exchange: ClassVar[str] = rest.EXCHANGE
    schema: ClassVar[pa.Schema] = _SCHEMA
    continuity: ClassVar[Continuity] = "increasing"
    blind_spots: ClassVar[Sequence[str]] = (
        "ids count the trades of all symbols: that nothing is missing between two connections shows"
        " only if the last 30 trades reach back",
        "the number of a message that is missing does not tell whose it was: all symbols of the"
        " connection are asked for again",
    )
    ping: ClassVar[tuple[str, float] | None] = None
    most_symbols: ClassVar[int] = feed.MOST_SYMBOLS
    stale_after: ClassVar[float] = feed.STALE_AFTER
    connects: ClassVar[RateLimit] = feed.CONNECTS
    connection_lifetime: ClassVar[timedelta | None] = None
    # A `te` that is lost comes as `tu`.
    disorder: ClassVar[timedelta] = timedelta(milliseconds=100)

    @property
    def url(self) -> str:
        """Where to connect to."""
        return self.ws_url or feed.URL

    def converse(self, http: Http, symbols: Sequence[str]) -> "Trading":
        """Return what is said on one new connection for these symbols."""
        asked = feed.asks(symbols, channel="trades", symbol="{}")
        return Trading(feed.Session(self.url, asked))


@attrs.define(eq=False)
class _Channel:
    """The trades of a symbol, and the ids that came since the heartbeat before the last one."""

    heard: Heard
    ids: set[int] = attrs.field(factory=set, init=False)
    older: set[int] = attrs.field(factory=set, init=False)

    def take(self, trade: _Trade, received: int) -> None:
        """Keep a trade unless it is known."""
        number, ids = trade.id, self.ids
        if number in ids or number in self.older:
            return
        ids.add(number)
        heard = self.heard
        heard.kept.append(trade)
        heard.received.append(received)

    def forget(self) -> None:
        """Forget the ids of what no row could be made of: it may be told again."""
        self.ids.difference_update(each.id for each in self.heard.wrong)

    def turn(self) -> None:
        """Forget the older ids: the heartbeats are 15 seconds apart."""
        self.older, self.ids = self.ids, set()


@attrs.define(eq=False)
class Trading:
    """One connection's words about trades."""

    _session: feed.Session
    _symbols: dict[str, _Channel] = attrs.field(init=False)
    _channels: dict[int, _Channel] = attrs.field(factory=dict, init=False)
    _early: list[tuple[str | bytes, int]] = attrs.field(factory=list, init=False)
    _behind: list[tuple[_Channel, _Trade, int]] = attrs.field(factory=list, init=False)

    def __attrs_post_init__(self) -> None:
        self._symbols = {ask.name: _Channel(Heard(ask.name)) for ask in self._session.asks}

    def opened(self) -> Iterator[str]:
        """Yield the subscriptions."""
        return self._session.opened()

    def heard(self, message: str | bytes, received: int) -> Sequence[Event]:
        """Take a message; MessageError if it cannot be read."""
        if self._behind:
            self._come()
        try:
            frame: _Frame = _decode(message)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            return self._foreign(message, error)
        channel, trade = self._channels.get(frame.channel), frame.third
        if isinstance(trade, _Trade):
            number, session = frame.fourth, self._session
            if channel is not None and frame.what in _TWICE:
                if number == session.following:  # as nearly always
                    session.following += 1
                elif missed := session.counted(number):
                    self._behind.append((channel, trade, received))
                    # Of its symbol first: the next rows hold the trade, which stands behind that.
                    return sorted(missed, key=lambda each: each.symbol != channel.heard.symbol)
                if trade.id not in channel.ids:  # half of them are there
                    channel.take(trade, received)
                return ()
        else:
            number = trade
        if channel is None:
            self._wait(frame, message, received)
        elif not _taken(channel, frame, received):
            # Its number is not counted, so that the next one shows that something is missing.
            raise feed.unreadable(self._session.url, message, "it was not expected")
        return self._session.counted(number)

    def _come(self) -> None:
        """Take the trade that showed that messages are missing before it."""
        behind, self._behind = self._behind, []
        for channel, trade, received in behind:
            channel.take(trade, received)

    def _foreign(self, message: str | bytes, error: Exception) -> Sequence[Event]:
        """Take a message that is none of trades; MessageError if its channel should have them."""
        if message[:1] in feed.TOLD:
            told = self._session.told(message)
            self._named()
            return told
        frame = self._session.frame(message)
        if frame.channel in self._channels:
            raise feed.unreadable(self._session.url, message, error) from error
        return self._session.counted(frame.number)

    def _wait(self, frame: _Frame, message: str | bytes, received: int) -> None:
        """Put a message off until its channel has a name; it may be that of another channel."""
        if frame.channel in self._session.names:
            return
        if len(self._early) == _MOST_EARLY:
            raise feed.unreadable(self._session.url, message, "its channel is not known")
        self._early.append((message, received))

    def _named(self) -> None:
        """Take note of the channels that have names by now, and of what came before."""
        for number, name in self._session.names.items():
            if name is not None:
                self._channels[number] = self._symbols[name]
        early, self._early = self._early, []
        for message, received in early:
            self.heard(message, received)

    def rows(self) -> Sequence[pa.RecordBatch]:
        """Return the trades heard since the last call, one symbol a batch.

        MessageError where a number or a time is none; the others come with the next call.
        """
        try:
            return flush((each.heard for each in self._symbols.values()), self._build)
        except MessageError:
            for each in self._symbols.values():
                each.forget()
            raise
        finally:
            self._come()

    def _build(
        self, kept: Sequence[_Trade], symbol: str, received: Sequence[int]
    ) -> pa.RecordBatch:
        name, scales = f"{self._session.url} {symbol}", rest.SCALES
        # One column is cut into two: for a few rows, as live ones are, a column costs a call.
        written = literals([each.price for each in kept] + [each.amount for each in kept])
        price = decimals(written.slice(0, len(kept)), scales.price, name, "price")
        amount = decimals(written.slice(len(kept)), scales.size, name, "amount")
        paid, signed = (amounts.ints(amounts.limbs(each)) for each in (price, amount))
        size = np.abs(signed)
        return batch(
            _SCHEMA,
            exchange=word(rest.EXCHANGE, len(kept)),
            symbol=word(symbol, len(kept)),
            timestamp=times(epoch([each.time for each in kept], rest.MS, name)),
            received=times(np.array(received, np.int64)),
            trade_id=pa.array([each.id for each in kept], pa.int64()).cast(pa.string()),
            tick_rule=np.where(signed < 0, np.int8(-1), np.int8(1)),
            price=price,
            size=amounts.column(amounts.from_ints(size), scales.size),
            notional=amounts.column(amounts.product(paid, size), scales.notional),
        )


def _taken(channel: _Channel, frame: _Frame, received: int) -> bool:
    """Take what is no single trade; False if it is nothing that there should be."""
    if isinstance(frame.what, list):
        for each in sorted(frame.what, key=lambda each: (each.time, each.id)):
            channel.take(each, received)
        return True
    if frame.what == "hb":
        channel.turn()
        return True
    return frame.what in ("fte", "ftu")  # funding, which is no trade of a pair
