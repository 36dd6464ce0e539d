"""Open interest and funding of Bitfinex's derivatives, as their status is told."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import ClassVar

import attrs
import msgspec
import pyarrow as pa

from werks.components import Continuity, Http, RateLimit, option
from werks.errors import DataError, MessageError
from werks.heard import Heard, flush
from werks.schema import schema

from . import feed, funding, open_interest, rest
from .feed_frames import Listening
from .status import Status

_decode = msgspec.json.Decoder(Status).decode
_KEY = "deriv:{}"
_SILENT = "of a symbol that it does not know Bitfinex says nothing: only the first row proves one"


@attrs.frozen
class OpenInterestFeed:
    """Open interest of derivatives such as tBTCF0:USTF0 in base, by the channel `status`.

    What it is worth in quote is not stated.
    """

    ws_url: str = option("", help=feed.URL_HELP, identity=False)

    exchange: ClassVar[str] = rest.EXCHANGE
    schema: ClassVar[pa.Schema] = schema("OPEN_INTEREST", rest.SCALES)
    continuity: ClassVar[Continuity] = "none"
    blind_spots: ClassVar[Sequence[str]] = (*open_interest.OpenInterest.blind_spots, _SILENT)
    ping: ClassVar[tuple[str, float] | None] = None
    most_symbols: ClassVar[int] = feed.MOST_SYMBOLS
    stale_after: ClassVar[float] = feed.STALE_AFTER
    connects: ClassVar[RateLimit] = feed.CONNECTS
    connection_lifetime: ClassVar[timedelta | None] = None
    disorder: ClassVar[timedelta] = timedelta(0)

    @property
    def url(self) -> str:
        """Where to connect to."""
        return self.ws_url or feed.URL

    def converse(self, http: Http, symbols: Sequence[str]) -> Listening:
        """Return what is said on one new connection for these symbols."""
        session = feed.Session(self.url, feed.asks(symbols, channel="status", key=_KEY))
        return Listening(session, _Statuses(session, _interests, open_interest.rows))


@attrs.frozen
class FundingFeed:
    """The funding of derivatives such as tBTCF0:USTF0, at the turn of each eight hours.

    It is read off the status that the channel `status` tells: the first one behind each turn.
    """

    ws_url: str = option("", help=feed.URL_HELP, identity=False)

    exchange: ClassVar[str] = rest.EXCHANGE
    schema: ClassVar[pa.Schema] = schema("FUNDING", rest.SCALES)
    continuity: ClassVar[Continuity] = "none"
    blind_spots: ClassVar[Sequence[str]] = (*funding.Funding.blind_spots, _SILENT)
    ping: ClassVar[tuple[str, float] | None] = None
    most_symbols: ClassVar[int] = feed.MOST_SYMBOLS
    stale_after: ClassVar[float] = feed.STALE_AFTER
    connects: ClassVar[RateLimit] = feed.CONNECTS
    connection_lifetime: ClassVar[timedelta | None] = None
    disorder: ClassVar[timedelta] = timedelta(0)

    @property
    def url(self) -> str:
        """Where to connect to."""
        return self.ws_url or feed.URL

    def converse(self, http: Http, symbols: Sequence[str]) -> Listening:
        """Return what is said on one new connection for these symbols."""
        session = feed.Session(self.url, feed.asks(symbols, channel="status", key=_KEY))
        return Listening(session, _Statuses(session, _turns, _rates))


# What of a status is kept, by the last that was kept: itself, or nothing.
_Chosen = Callable[[Status, Status | None, str], bool]
_Rows = Callable[[Sequence[Status], str, str, Sequence[int]], pa.RecordBatch]


def _interests(status: Status, last: Status | None, name: str) -> bool:
    return status.open_interest is not None


def _turns(status: Status, last: Status | None, name: str) -> bool:
    known = max(funding.turns([last], 0, name)) if last else 0
    return bool(funding.turns([status], known, name))


def _rates(
    found: Sequence[Status], symbol: str, name: str, received: Sequence[int]
) -> pa.RecordBatch:
    turns = [(turn, each) for each in found for turn in funding.turns([each], 0, name)]
    return funding.rows(turns, symbol, name, received)


@attrs.define(eq=False)
class _Statuses:
    _session: feed.Session
    _chosen: _Chosen
    _rows: _Rows
    _heard: dict[str, Heard] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._heard = {ask.name: Heard(ask.symbols[0]) for ask in self._session.asks}

    def take(self, name: str, frame: feed.Frame, received: int) -> None:
        """Keep a status that makes a row."""
        heard, status = self._heard[name], self._session.read(_decode, frame.payload)
        try:
            chosen = self._chosen(status, heard.last, f"{self._session.url} {heard.symbol}")
        except DataError as error:
            raise MessageError(str(error)) from error
        if chosen:
            heard.kept.append(status)
            heard.received.append(received)

    def rows(self, now: int) -> Sequence[pa.RecordBatch]:
        """Return the rows, one symbol a batch."""
        return flush(self._heard.values(), self._build)

    def _build(
        self, kept: Sequence[Status], symbol: str, received: Sequence[int]
    ) -> pa.RecordBatch:
        return self._rows(kept, symbol, f"{self._session.url} {symbol}", received)
