"""BitMEX's trades, as they happen."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from itertools import chain
from typing import Any, ClassVar

import attrs
import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from werks.components import Continuity, Http, RateLimit, option
from werks.errors import DataError
from werks.schema import times
from werks.wire import Times, iso, literals

from . import feed
from .columns import EXCHANGE, NO_IDS, SCHEMA, Nameless, trades
from .text import Rows

_INDEX, _REGULAR = "Referential", "Regular"
_NONE = msgspec.Raw(b"null")


class Trade(msgspec.Struct, gc=False):
    """A row of the table `trade`, its numbers as they are written.

    An index tick has no id, a settlement no side.
    """

    timestamp: str
    symbol: str
    size: msgspec.Raw
    price: msgspec.Raw = _NONE
    side: str | None = None
    trdMatchID: str | None = None  # noqa: N815  (these are BitMEX's names)
    grossValue: msgspec.Raw = _NONE  # noqa: N815
    homeNotional: msgspec.Raw = _NONE  # noqa: N815
    foreignNotional: msgspec.Raw = _NONE  # noqa: N815
    trdType: str | None = None  # noqa: N815


class Trades(feed.Table, gc=False, kw_only=True, tag_field="table", tag="trade"):
    """A message of the table `trade`: all fills of an order, oldest first."""

    data: list[Trade]


@attrs.frozen
class TradesFeed:
    """BitMEX's trades as they happen, of all pools.

    Index ticks, which come in the same table, are left out. Times are in milliseconds, those of
    the archive in nanoseconds.
    """

    ws_url: str = option("", help=feed.URL_HELP, identity=False)

    exchange: ClassVar[str] = EXCHANGE
    schema: ClassVar[pa.Schema] = SCHEMA
    continuity: ClassVar[Continuity] = "unique"
    ping: ClassVar[tuple[str, float]] = feed.PING
    most_symbols: ClassVar[int] = feed.MOST
    sends_per_second: ClassVar[float] = feed.SENDS
    stale_after: ClassVar[float] = feed.STALE
    connects: ClassVar[RateLimit] = feed.CONNECTS
    connection_lifetime: ClassVar[timedelta | None] = None
    disorder: ClassVar[timedelta] = timedelta(0)
    blind_spots: ClassVar[Sequence[str]] = (
        feed.LOST,
        feed.SILENCE,
        "since 2026-04-30 the trades of all pools come, and which pool one is of is not kept",
    )

    @property
    def url(self) -> str:
        """Where to connect to."""
        return feed.address(self.ws_url)

    def converse(self, http: Http, symbols: Sequence[str]) -> feed.Conversation:
        """Return what is said on one new connection for these symbols."""
        nameless: Nameless = Counter()

        def build(symbol: str, rows: Sequence[Any], received: Times, url: str) -> pa.RecordBatch:
            if not symbol and not {row.trdMatchID for row in rows}.isdisjoint((None, *NO_IDS)):
                raise DataError(f"{url}: a row without an id is named by its symbol and time")
            made = trades(symbol, _rows(rows, url), _moments(rows, url), nameless)
            place = SCHEMA.names.index("received")
            return made.set_column(place, SCHEMA.field(place), times(received))

        channel = feed.Channel(self.url, "trade", Trades, _take, lambda _: build, together=True)
        return feed.Conversation(tuple(symbols), channel)


def _take(message: Trades) -> Sequence[Any] | None:
    """Return what was inserted, without index ticks."""
    if message.action != "insert":
        return feed.inserted(message)
    rows = message.data
    if len(rows) == 1 and rows[0].trdType != _INDEX:  # as most messages are
        return rows
    return [row for row in rows if row.trdType != _INDEX]


def _moments(rows: Sequence[Any], url: str) -> pa.Array:
    return times(iso([row.timestamp for row in rows], url))


def _rows(rows: Sequence[Any], url: str) -> Rows:
    """Return rows as the columns of text that the other doors have."""
    columns = _numbers(rows)
    columns["side"] = _known([row.side for row in rows], "")
    columns["trdMatchID"] = _known([row.trdMatchID for row in rows], "")
    kinds = [row.trdType for row in rows]
    if set(kinds) - {None, _REGULAR}:
        columns["trdType"] = _known(kinds, _REGULAR)
    return Rows(url, np.arange(1, len(rows) + 1), pa.record_batch(columns))


def _known(values: Sequence[str | None], missing: str) -> pa.Array:
    found = pa.array(values, pa.string())
    return found.fill_null(missing) if found.null_count else found


def _numbers(rows: Sequence[Any]) -> dict[str, pa.Array]:
    """Return the numbers as they are written, empty where there is none."""
    # One column is cut into five: for a few rows, as live ones are, a column costs a call.
    given = {
        "size": [row.size for row in rows],
        "price": [row.price for row in rows],
        "grossValue": [row.grossValue for row in rows],
        "homeNotional": [row.homeNotional for row in rows],
        "foreignNotional": [row.foreignNotional for row in rows],
    }
    found = literals(list(chain.from_iterable(given.values())))
    if b"null" in found.buffers()[2].to_pybytes():
        nothing = pc.equal(found, pa.scalar("null", pa.string()))
        found = pc.if_else(nothing, pa.scalar("", pa.string()), found)
    return {name: found.slice(at * len(rows), len(rows)) for at, name in enumerate(given)}
