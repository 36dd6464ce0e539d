"""What a source that is heard live has to offer: words for one connection, no connection."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Protocol

import attrs
import pyarrow as pa

from .sources import Source
from .web import Http


@attrs.frozen
class Acked:
    """The exchange has taken the subscription of a symbol; rows are proven by the first row."""

    symbol: str


@attrs.frozen
class Refused:
    """The exchange does not serve a symbol, and why; the others go on. Without one: none of all."""

    symbol: str
    why: str


@attrs.frozen
class Send:
    """A text to be sent back, such as the answer to the exchange's own ping."""

    text: str


@attrs.frozen
class Restart:
    """The exchange ends this connection, or what comes on it cannot be relied upon: a new one."""

    why: str


@attrs.frozen
class Missed:
    """Rows of a symbol were left out; what `rows` returns next came before them."""

    symbol: str
    why: str


Event = Acked | Refused | Send | Restart | Missed


class Conversation(Protocol):
    """What is said on one connection: texts out, texts in, rows. No clock and no connection.

    A new connection begins a new conversation, which knows nothing of the one before.
    """

    def opened(self) -> Iterable[str]:
        """Yield the texts that are sent once the connection is open."""
        ...

    def heard(self, message: str | bytes, received: int) -> Sequence[Event]:
        """Take a message that came at a time (ns since 1970); keep its rows, return its events.

        Heartbeats give neither. MessageError if it cannot be read: it is kept aside, and the
        conversation goes on.
        """
        ...

    def rows(self) -> Sequence[pa.RecordBatch]:
        """Return the rows that were heard since the last call, in order, one symbol a batch.

        They are built here, not for each message; `symbol` is spelt as it was asked for.
        """
        ...


class Feed(Source, Protocol):
    """A door that listens to a websocket. All are facts of the exchange, stated as attributes."""

    @property
    def url(self) -> str:
        """Where to connect to."""
        ...

    @property
    def ping(self) -> tuple[str, float] | None:
        """The text to send every so many seconds; None: the websocket's own pings will do."""
        ...

    @property
    def most_symbols(self) -> int:
        """How many symbols one connection may serve."""
        ...

    @property
    def stale_after(self) -> float:
        """After how many seconds without any message a connection is taken for dead."""
        ...

    @property
    def connection_lifetime(self) -> timedelta | None:
        """When the exchange cuts a connection; it is replaced before that."""
        ...

    @property
    def disorder(self) -> timedelta:
        """By how much rows may come out of the order of their times."""
        ...

    def converse(self, http: Http, symbols: Sequence[str]) -> Conversation:
        """Return what is said on one new connection for these symbols."""
        ...

    # Optional, used where it is there:
    #   off: str                  why the door cannot be used as it is configured
    #   sends_per_second: float   how many texts may be sent in a second
    #   connects: RateLimit       how many connections may be made from one address
