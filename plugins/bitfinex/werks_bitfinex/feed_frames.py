"""One connection of Bitfinex whose messages are few: payloads in, rows out."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import attrs
import pyarrow as pa

from werks.components import Event

from . import feed

_MOST_EARLY = 1000


class Keeper(Protocol):
    """Keeps what payloads say until it is made into rows."""

    def take(self, name: str, frame: feed.Frame, received: int) -> None:
        """Keep the payload of a subscription; MessageError if it cannot be read."""
        ...

    def rows(self, now: int) -> Sequence[pa.RecordBatch]:
        """Return rows, one symbol a batch; `now` is when the last message came."""
        ...


@attrs.define(eq=False)
class Listening:
    """One connection's words about anything but trades."""

    _session: feed.Session
    _keeper: Keeper
    _now: int = attrs.field(default=0, init=False)
    _early: list[tuple[str | bytes, int]] = attrs.field(factory=list, init=False)

    def opened(self) -> Iterator[str]:
        """Yield the subscriptions."""
        return self._session.opened()

    def heard(self, message: str | bytes, received: int) -> Sequence[Event]:
        """Take a message; MessageError if it cannot be read."""
        self._now = max(self._now, received)
        if message[:1] in feed.TOLD:
            told = self._session.told(message)
            early, self._early = self._early, []
            for one, at in early:
                self.heard(one, at)
            return told
        frame = self._session.frame(message)
        if frame.channel not in self._session.names:
            if len(self._early) == _MOST_EARLY:
                raise feed.unreadable(self._session.url, message, "its channel is not known")
            self._early.append((message, received))
            return self._session.counted(frame.number)
        name = self._session.names[frame.channel]
        if name is not None and bytes(frame.payload) != feed.HEARTBEAT:
            self._keeper.take(name, frame, received)
        return self._session.counted(frame.number)

    def rows(self) -> Sequence[pa.RecordBatch]:
        """Return what was heard since the last call as rows, one symbol a batch.

        MessageError where a number or a time is none; the others come with the next call.
        """
        return self._keeper.rows(self._now)
