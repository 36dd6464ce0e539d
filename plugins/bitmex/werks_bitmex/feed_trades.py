"""BitMEX's trades, as they happen."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar

import attrs
import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from werks import amounts
from werks.components import Continuity, Http, RateLimit, option
from werks.errors import DataError
from werks.schema import batch, times, word
from werks.wire import Times, decimals, iso, literals, ticks

from . import feed
from .columns import EXCHANGE, NO_IDS, SCALES, SCHEMA, Nameless, chosen, trades
from .text import Rows

_INDEX, _REGULAR = "Referential", "Regular"
_NONE = msgspec.Raw(b"null")
# What most rows have of words, and an id that is none.
_SIDES, _PLAIN = frozenset(("Buy", "Sell")), frozenset((None, _REGULAR))
_NAMELESS = frozenset((None, *NO_IDS))


class Trade(msgspec.Struct, gc=False):
    """A row of the table `trade`; numbers that may have a point are as they are written.

    An index tick has no id, a settlement no side.
    """

    timestamp: str
    symbol: str
    size: int | float
    price: msgspec.Raw = _NONE
    side: str | None = None
    trdMatchID: str | None = None  # noqa: N815  (these are BitMEX's names)
    grossValue: int | float | None = None  # noqa: N815
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
            if not symbol and not _NAMELESS.isdisjoint([row.trdMatchID for row in rows]):
                raise DataError(f"{url}: a row without an id is named by its symbol and time")
            made = _usual(symbol, rows, url)
            if made is None:
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


def _usual(symbol: str, rows: Sequence[Any], url: str) -> pa.RecordBatch | None:
    """Return trades faster that are as most are; None if one of them needs a closer look."""
    sides, ids = [row.side for row in rows], [row.trdMatchID for row in rows]
    whole = [[row.size for row in rows], [row.grossValue for row in rows]]
    if (
        not _SIDES.issuperset(sides)
        or not _PLAIN.issuperset([row.trdType for row in rows])
        or not _NAMELESS.isdisjoint(ids)
        or any(set(map(type, each)) != {int} for each in whole)
    ):
        return None
    # One column is cut into three: for a few rows, as live ones are, a column costs a call.
    written = [row.price for row in rows] + [row.homeNotional for row in rows]
    found = literals(written + [row.foreignNotional for row in rows])
    prices, homes, foreigns = (found.slice(at * len(rows), len(rows)) for at in range(3))
    try:
        contracts, gross = (np.array(each, np.int64) for each in whole)
        price = decimals(prices, SCALES.price, url, "price")
        own = [decimals(each, SCALES.size, url, "") for each in (homes, foreigns)]
    except (OverflowError, DataError):
        return None
    home, foreign = (amounts.ints(amounts.limbs(each)) for each in own)
    size, notional = chosen((contracts, gross), (home, foreign))
    return batch(
        SCHEMA,
        exchange=word(EXCHANGE, len(rows)),
        symbol=word(symbol, len(rows)),
        timestamp=_moments(rows, url),
        trade_id=pa.array(ids, pa.string()),
        tick_rule=ticks([side == "Buy" for side in sides]),
        price=price,
        size=size,
        notional=notional,
        flag=pa.nulls(len(rows), pa.string()),
    )


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
    found = {
        "size": pa.array([str(row.size) for row in rows], pa.string()),
        "price": literals([row.price for row in rows]),
        "grossValue": pa.array([_text(row.grossValue) for row in rows], pa.string()),
        "homeNotional": literals([row.homeNotional for row in rows]),
        "foreignNotional": literals([row.foreignNotional for row in rows]),
    }
    nothing, empty = pa.scalar("null", pa.string()), pa.scalar("", pa.string())
    return {
        name: pc.if_else(pc.equal(column, nothing), empty, column) for name, column in found.items()
    }


def _text(number: float | None) -> str:
    return "" if number is None else str(number)
