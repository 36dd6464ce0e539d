"""BitMEX's open interest, out of the table of instruments."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar

import attrs
import msgspec
import numpy as np
import pyarrow as pa

from werks.components import Continuity, Http, RateLimit, option
from werks.schema import batch, schema, times, word
from werks.wire import Times, iso

from . import feed
from .columns import EXCHANGE, SCALES
from .feed_contracts import base, quote, whole
from .feed_rows import Build, Number
from .instruments import Instrument


class Value(msgspec.Struct, gc=False):
    """A row of the table `instrument`, of which an update holds only what has changed."""

    symbol: str
    openInterest: Number | None = None  # noqa: N815  (BitMEX's name)
    timestamp: str | None = None


class Values(feed.Table, gc=False, kw_only=True, tag_field="table", tag=feed.INSTRUMENT):
    """A message of the table `instrument`."""

    data: list[Value]


@attrs.frozen
class OpenInterestFeed:
    """BitMEX's open interest at every change; each contract counts once.

    That of linear contracts is in base (`open_interest`), that of inverse ones in quote
    (`open_interest_notional`). What quanto contracts are in either is not stated: both are null.
    """

    ws_url: str = option("", help=feed.URL_HELP, identity=False)

    exchange: ClassVar[str] = EXCHANGE
    schema: ClassVar[pa.Schema] = schema("OPEN_INTEREST", SCALES)
    continuity: ClassVar[Continuity] = "none"
    ping: ClassVar[tuple[str, float]] = feed.PING
    most_symbols: ClassVar[int] = feed.MOST
    sends_per_second: ClassVar[float] = feed.SENDS
    stale_after: ClassVar[float] = feed.STALE
    connects: ClassVar[RateLimit] = feed.CONNECTS
    connection_lifetime: ClassVar[timedelta | None] = None
    disorder: ClassVar[timedelta] = timedelta(0)
    blind_spots: ClassVar[Sequence[str]] = (
        "BitMEX keeps no history of open interest: what was not heard is nowhere",
        "where BitMEX states no time with a change, timestamp is when it was received",
        "what a quanto contract is in base changes with the price of XBT, and is not stated",
    )

    @property
    def url(self) -> str:
        """Where to connect to."""
        return feed.address(self.ws_url)

    def converse(self, http: Http, symbols: Sequence[str]) -> feed.Conversation:
        """Return what is said on one new connection for these symbols."""
        channel = feed.Channel(
            self.url, feed.INSTRUMENT, Values, _take, self._build, contracts=True
        )
        return feed.Conversation(tuple(symbols), channel)

    def _build(self, contracts: dict[str, Instrument]) -> Build:
        def build(symbol: str, rows: Sequence[Any], received: Times, url: str) -> pa.RecordBatch:
            contract = contracts[symbol]
            counts = whole([row.openInterest for row in rows], url, "openInterest")
            inverse = contract.isInverse
            return batch(
                self.schema,
                exchange=word(EXCHANGE, len(rows)),
                symbol=word(symbol, len(rows)),
                timestamp=times(_moments(rows, received, url)),
                received=times(received),
                open_interest=None if inverse else base(contract, counts, counts),
                open_interest_notional=quote(contract, counts, counts) if inverse else None,
            )

        return build


def _take(message: Values) -> Sequence[Any]:
    """Return the rows that tell the open interest."""
    return [row for row in message.data if row.openInterest is not None]


def _moments(rows: Sequence[Any], received: Times, url: str) -> Times:
    """Return the times that are stated; where none is, that of the receipt."""
    known = iter(iso([row.timestamp for row in rows if row.timestamp], url).tolist())
    pairs = zip(rows, received.tolist(), strict=True)
    return np.array([next(known) if row.timestamp else time for row, time in pairs], np.int64)
