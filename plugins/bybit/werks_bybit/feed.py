"""What is said on a websocket of Bybit (v5): topics, messages, and rows made of them."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import attrs
import msgspec
import pyarrow as pa

from werks.components import Acked, Event, RateLimit, Refused
from werks.errors import MessageError
from werks.heard import Columns, batches

URL = "wss://stream.bybit.com"
URL_HELP = "another address of the websocket, such as of a country; empty for Bybit's own"
PING = ('{"op":"ping"}', 20.0)
STALE = 60.0
# New connections from one address within five minutes.
CONNECTS = RateLimit(500, 300)
# All topics of a connection may have 21,000 characters.
MOST = 200
SENDS = 50.0
LOST = "no id is contiguous: a message that was lost cannot be seen from ids"
# Topics that are never asked for here: heard, they mean nothing.
_OTHERS = frozenset(
    {
        *("publicTrade", "orderbook", "tickers", "kline", "allLiquidation", "liquidation"),
        *("system", "insurance", "priceLimit", "adlAlert"),
    }
)
_ALREADY = "already subscribed"
_SHOWN = 200


class _Topics(msgspec.Struct):
    failTopics: list[str] = []  # noqa: N815  (these are Bybit's names)
    successTopics: list[str] = []  # noqa: N815


class _Said(msgspec.Struct):
    """An answer, or a message of a topic that was not asked for."""

    topic: str = ""
    op: str = ""
    ret_msg: str = ""
    req_id: str = ""
    success: bool | None = None
    type: str = ""
    data: msgspec.Raw = msgspec.Raw()


@attrs.frozen
class Channel:
    """A kind of topics: what they are called, what their messages hold, how those become rows.

    `message` is a struct with a `topic`; `take` returns what of it becomes rows, each with a
    `symbol`, and raises ValueError where it cannot be relied upon.
    """

    url: str
    name: str
    message: Any
    take: Callable[[Any], Sequence[Any]]
    exchange: str
    schema: pa.Schema
    columns: Columns


def address(market: str, ws_url: str) -> str:
    """Return where a market's public topics are."""
    return f"{(ws_url or URL).rstrip('/')}/v5/public/{market}"


@attrs.define(eq=False)
class Conversation:
    """One connection's words. What becomes rows is kept as it came, until the flush."""

    symbols: tuple[str, ...]
    channel: Channel
    _decode: Callable[[str | bytes], Any] = attrs.field(init=False)
    _take: Callable[[Any], Sequence[Any]] = attrs.field(init=False)
    _topics: dict[str, str] = attrs.field(init=False)
    _spelt: dict[str, str] = attrs.field(init=False)
    _heard: list[Any] = attrs.field(factory=list, init=False)
    _received: list[int] = attrs.field(factory=list, init=False)
    _made: list[pa.RecordBatch] = attrs.field(factory=list, init=False)

    def __attrs_post_init__(self) -> None:
        self._decode = msgspec.json.Decoder(self.channel.message).decode
        self._take = self.channel.take
        self._topics = {f"{self.channel.name}.{symbol}": symbol for symbol in self.symbols}
        self._spelt = {symbol: symbol for symbol in self.symbols}

    def opened(self) -> Iterator[str]:
        """Yield the subscriptions, each for itself: one that is refused takes no other with it."""
        for topic, symbol in self._topics.items():
            asked = {"req_id": symbol, "op": "subscribe", "args": [topic]}
            yield msgspec.json.encode(asked).decode()

    def heard(self, message: str | bytes, received: int) -> Sequence[Event]:
        """Keep what a message of our topics holds; return what an answer says."""
        try:
            told = self._decode(message)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            return self._answered(message, str(error))
        if told.topic not in self._topics:
            return self._answered(message, f"{told.topic!r:.80} was not asked for")
        try:
            taken = self._take(told)
        except ValueError as error:
            raise self._unread(message, str(error)) from error
        for each in taken:
            if each.symbol not in self._spelt:
                raise self._unread(message, f"{each.symbol!r:.40} is not what the topic names")
        if len(taken) == 1:  # as most have
            self._heard.append(taken[0])
            self._received.append(received)
        else:
            self._heard += taken
            self._received += [received] * len(taken)
        return ()

    def rows(self) -> Sequence[pa.RecordBatch]:
        """Return what was heard as rows, one symbol a batch.

        MessageError names what cannot be a row: it is let go, and the others come with the next
        call.
        """
        heard, received = self._heard, self._received
        self._heard, self._received = [], []
        made, error = batches(heard, received, self._spelt, self.channel)
        if error is not None:
            self._made += made
            raise error
        made, self._made = [*self._made, *made], []
        return made

    def _answered(self, message: str | bytes, why: str) -> Sequence[Event]:
        """Return what a text says that is no message of our topics; MessageError if nothing."""
        try:
            said = msgspec.json.decode(message, type=_Said)
            if said.topic:
                word = said.topic.partition(".")[0]
                if said.topic not in self._topics and word in _OTHERS:
                    return ()
            elif said.type == "COMMAND_RESP":
                return self._parted(msgspec.json.decode(said.data, type=_Topics))
            elif said.op == "pong" or said.ret_msg == "pong":
                return ()
            elif said.op == "subscribe" and said.success is not None:
                return self._subscribed(said, said.success)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise self._unread(message, str(error)) from error
        raise self._unread(message, why)

    def _subscribed(self, said: _Said, success: bool) -> Sequence[Event]:
        """Return the answer to one subscription, which its number or the topic in it names."""
        symbol = said.req_id if said.req_id in self._spelt else ""
        for topic, asked in self._topics.items():
            if not symbol and said.ret_msg.endswith(topic):
                symbol = asked
        if success or _ALREADY in said.ret_msg:
            return [Acked(symbol)] if symbol else ()
        return [Refused(symbol, f"Bybit says {said.ret_msg!r}")]

    def _parted(self, topics: _Topics) -> Sequence[Event]:
        """Return the answer to several subscriptions, as the market of options gives it."""
        known = self._topics
        return [
            *(Acked(known[topic]) for topic in topics.successTopics if topic in known),
            *(Refused(known[topic], "refused") for topic in topics.failTopics if topic in known),
        ]

    def _unread(self, message: str | bytes, why: str) -> MessageError:
        return MessageError(f"{self.channel.url}: cannot be read: {why}: {message[:_SHOWN]!r}")
