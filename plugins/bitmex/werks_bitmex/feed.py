"""What is said on a websocket of BitMEX: tables asked for, their rows, and batches made of them."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import attrs
import msgspec
import pyarrow as pa

from werks.components import Acked, Event, RateLimit, Refused, Restart, Send
from werks.errors import MessageError, RateLimitError

from .feed_rows import Build, batches
from .instruments import Instrument

URL = "wss://ws.bitmex.com"
URL_HELP = "another address of the websocket, such as of the test net; empty for BitMEX's own"
PING = ("ping", 5.0)
STALE = 15.0
# Connections an hour: the welcome of 2025 told of 719 that were left.
CONNECTS = RateLimit(720, 3600)
# No number is stated; connections are counted by the hour, so that there should be few.
MOST = 100
SENDS = 5.0
SILENCE = "a symbol that BitMEX does not know is acknowledged all the same, and then stays silent"
LOST = "no id is contiguous: a message that was lost cannot be seen from ids"
INSTRUMENT = "instrument"
# Tables that are never asked for here: heard, they mean nothing.
_OTHERS = frozenset(
    {
        *("trade", "quote", "liquidation", "funding", "instrument", "settlement", "insurance"),
        *("orderBookL2", "orderBookL2_25", "orderBookL2_100", "orderBook10", "announcement"),
        *("tradeBin1m", "tradeBin5m", "tradeBin1h", "tradeBin1d"),
        *("quoteBin1m", "quoteBin5m", "quoteBin1h", "quoteBin1d"),
    }
)
_ASKED_AT_ONCE = 20
_TOO_MANY, _SERVER = 429, 500
_SHOWN = 200

Action = Literal["partial", "insert", "update", "delete"]


class _Filter(msgspec.Struct):
    symbol: str = ""


class _Facts(msgspec.Struct, tag_field="table", tag=INSTRUMENT):
    action: Action
    data: list[msgspec.Raw]
    filter: _Filter = msgspec.field(default_factory=_Filter)


class _Meta(msgspec.Struct):
    retryAfter: float = 1.0  # noqa: N815  (BitMEX's name)


class _Request(msgspec.Struct):
    args: str | list[str] = ""


class _Said(msgspec.Struct):
    """A text that is no message of the table asked for."""

    table: str = ""
    info: str = ""
    subscribe: str = ""
    unsubscribe: str = ""
    success: bool = False
    status: int = 0
    error: str = ""
    meta: _Meta = msgspec.field(default_factory=_Meta)
    request: _Request = msgspec.field(default_factory=_Request)


@attrs.frozen
class Channel:
    """A table: its name, what its messages hold, which of their rows count, what becomes of them.

    `message` is a struct with `action`, `data` and `filter`. `take` returns the rows that count,
    each with a `symbol`; None means that this action may not come. With `contracts`, rows wait
    until it is known what a contract of their symbol is. With `together`, `build` takes rows of
    several symbols, too.
    """

    url: str
    table: str
    message: Any
    take: Callable[[Any], Sequence[Any] | None]
    build: Callable[[dict[str, Instrument]], Build]
    contracts: bool = False
    together: bool = False


class Table(msgspec.Struct, gc=False):
    """What the messages of all tables have; `filter` names the symbol of a partial."""

    action: Action
    filter: _Filter | None = None


def inserted(message: Any) -> Sequence[Any] | None:
    """Return the rows of a table that only grows; those of a partial are past."""
    if message.action == "insert":
        rows: Sequence[Any] = message.data
        return rows
    return () if message.action == "partial" else None


def address(ws_url: str) -> str:
    """Return where the tables are."""
    return f"{(ws_url or URL).rstrip('/')}/realtime"


@attrs.define(eq=False)
class Conversation:
    """One connection's words. Rows are kept as they came, until the flush."""

    symbols: tuple[str, ...]
    channel: Channel
    _decode: Callable[[str | bytes], Any] = attrs.field(init=False)
    _take: Callable[[Any], Sequence[Any] | None] = attrs.field(init=False)
    _asked: frozenset[str] = attrs.field(init=False)
    _begun: set[str] = attrs.field(factory=set, init=False)
    _unlearned: set[str] = attrs.field(init=False)
    _contracts: dict[str, Instrument] = attrs.field(factory=dict, init=False)
    _heard: list[Any] = attrs.field(factory=list, init=False)
    _received: list[int] = attrs.field(factory=list, init=False)
    _made: list[pa.RecordBatch] = attrs.field(factory=list, init=False)

    def __attrs_post_init__(self) -> None:
        self._decode = msgspec.json.Decoder(self.channel.message).decode
        self._take = self.channel.take
        self._asked = frozenset(self.symbols)
        self._unlearned = set(self.symbols)

    def opened(self) -> Iterator[str]:
        """Yield the subscriptions, some tables at once."""
        tables = dict.fromkeys((self.channel.table, *self._needed))
        args = [f"{table}:{symbol}" for symbol in self.symbols for table in tables]
        for start in range(0, len(args), _ASKED_AT_ONCE):
            yield _text({"op": "subscribe", "args": args[start : start + _ASKED_AT_ONCE]})

    @property
    def _needed(self) -> Sequence[str]:
        return (INSTRUMENT,) if self.channel.contracts else ()

    def heard(self, message: str | bytes, received: int) -> Sequence[Event]:
        """Keep the rows of our table; return what an answer says.

        Rows that come before their symbol's partial are in it, or past.
        """
        try:
            told = self._decode(message)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            return self._answered(message, str(error))
        taken = self._take(told)
        if taken is None:
            raise self._unread(message, f"nothing is known of {told.action} in this table")
        if told.action == "partial":
            symbol = told.filter.symbol if told.filter else ""
            named = {symbol} if symbol else self._asked
            self._begun |= named & self._asked
            if self.channel.table == INSTRUMENT:
                self._learn(message)
        begun, count = self._begun, len(taken)
        if count == 1 and taken[0].symbol in begun:  # as most messages are
            self._heard.append(taken[0])
            self._received.append(received)
        elif count:
            found = self._of_begun(taken, message)
            self._heard += found
            self._received += [received] * len(found)
        return ()

    def _of_begun(self, rows: Sequence[Any], message: str | bytes) -> Sequence[Any]:
        found = [row for row in rows if row.symbol in self._begun]
        if len(found) < len(rows):
            for row in rows:
                if row.symbol not in self._asked:
                    raise self._unread(message, f"{row.symbol!r:.40} was not asked for")
        return found

    def rows(self) -> Sequence[pa.RecordBatch]:
        """Return what was heard as rows, one symbol a batch.

        MessageError names a row that cannot be one: it is let go, and the others come with the next
        call.
        """
        heard, received = self._ready()
        build = self.channel.build(self._contracts)
        made, error = batches(heard, received, build, self.channel.url, self.channel.together)
        if error is not None:
            self._made += made
            raise error
        made, self._made = [*self._made, *made], []
        return made

    def _ready(self) -> tuple[list[Any], list[int]]:
        """Take what can become rows: what waits for its contract stays."""
        heard, received = self._heard, self._received
        self._heard, self._received = [], []
        if not self.channel.contracts or self._contracts.keys() >= self._asked:
            return heard, received
        ready: tuple[list[Any], list[int]] = ([], [])
        for row, time in zip(heard, received, strict=True):
            rows, times = ready if row.symbol in self._contracts else (self._heard, self._received)
            rows.append(row)
            times.append(time)
        return ready

    def _answered(self, message: str | bytes, why: str) -> Sequence[Event]:
        """Return what a text says that is no message of our table; MessageError if nothing."""
        if message in (b"pong", "pong"):
            return ()
        try:
            said = msgspec.json.decode(message, type=_Said)
            if said.table in self._needed and said.table != self.channel.table:
                return self._learned(message)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise self._unread(message, str(error)) from error
        if said.status or said.error:
            return self._refused(said)
        if said.success and said.subscribe:
            return self._acked(*said.subscribe.partition(":")[::2])
        other = said.table in _OTHERS and said.table != self.channel.table
        if other or said.info or (said.success and said.unsubscribe):
            return ()
        raise self._unread(message, why)

    def _acked(self, table: str, symbol: str) -> Sequence[Event]:
        if table != self.channel.table or symbol not in self._asked:
            return ()
        if symbol.startswith("."):
            return [Refused(symbol, "it is an index, which has nothing of its own to tell")]
        return [Acked(symbol)]

    def _learn(self, message: str | bytes) -> _Facts:
        """Take note of what the contracts of a partial are: that does not change."""
        facts = msgspec.json.decode(message, type=_Facts)
        if facts.action == "partial":
            found = [msgspec.json.decode(row, type=Instrument) for row in facts.data]
            self._contracts.update({each.symbol: each for each in found})
        return facts

    def _learned(self, message: str | bytes) -> Sequence[Event]:
        """Learn what contracts are; once that is known of all, ask to hear no more of them."""
        facts = self._learn(message)
        symbol = facts.filter.symbol
        if facts.action != "partial" or not self._unlearned:
            return ()
        self._unlearned -= {symbol} if symbol else self._asked
        events: list[Event] = []
        if not facts.data and symbol in self._asked:
            events.append(Refused(symbol, "BitMEX has no such instrument"))
        if not self._unlearned and self._contracts:
            args = [f"{INSTRUMENT}:{each}" for each in self._contracts]
            events.append(Send(_text({"op": "unsubscribe", "args": args})))
        return events

    def _refused(self, said: _Said) -> Sequence[Event]:
        why = f"BitMEX says {said.error!r} (status {said.status})"
        if said.status == _TOO_MANY:
            raise RateLimitError(f"{self.channel.url}: {why}", said.meta.retryAfter)
        if said.status >= _SERVER:
            return [Restart(why)]
        args = [said.request.args] if isinstance(said.request.args, str) else said.request.args
        named = {arg.partition(":")[2] for arg in args} & self._asked
        return [Refused(symbol, why) for symbol in sorted(named) or [""]]

    def _unread(self, message: str | bytes, why: str) -> MessageError:
        return MessageError(f"{self.channel.url}: cannot be read: {why}: {message[:_SHOWN]!r}")


def _text(said: Any) -> str:
    return msgspec.json.encode(said).decode()
