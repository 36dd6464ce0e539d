"""BitMEX's trades by REST."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from operator import attrgetter
from typing import ClassVar

import attrs
import msgspec
import numpy as np
import pyarrow as pa
from attrs.validators import and_, ge, le

from werks.components import Continuity, Http, option
from werks.errors import MessageError, RejectedError
from werks.schema import times as stamps
from werks.wire import Times

from .columns import EXCHANGE, SCHEMA, Nameless, trades
from .rest import HOST, Table, moment, stamp, whole
from .text import Rows

_TEXTS = ("side", "size", "price", "trdMatchID", "grossValue", "homeNotional", "foreignNotional")
_INDEX = "Referential"


class Trade(msgspec.Struct):
    """A row of the table `trade`; an index tick has no id, a settlement no side."""

    timestamp: str
    symbol: str
    size: Decimal
    price: Decimal | None = None
    side: str | None = None
    trdMatchID: str | None = None  # noqa: N815  (these are BitMEX's names)
    grossValue: Decimal | None = None  # noqa: N815
    homeNotional: Decimal | None = None  # noqa: N815
    foreignNotional: Decimal | None = None  # noqa: N815
    trdType: str | None = None  # noqa: N815


@attrs.frozen
class Place:
    """Where a page begins: a time, and how many rows at it are passed over."""

    time: int
    passed: int = 0

    @property
    def cursor(self) -> str:
        """The place as text, for example `2019-05-03T12:00:09.576Z 0`."""
        return f"{stamp(self.time)} {self.passed}"

    @classmethod
    def of(cls, after: int | str) -> "Place":
        """Return the place of a time or of a cursor."""
        if isinstance(after, int):
            return cls(whole(after))
        time, _, passed = after.rpartition(" ")
        if not passed.isdecimal():
            raise MessageError(f"{after[:80]!r} is no cursor of bitmex.trades")
        return cls(moment(time), int(passed))

    def after(self, times: Times, url: str) -> "Place":
        """Return the place of the next page.

        The next page begins with the rows at this one's last time, since more may follow at it.
        MessageError if the page is one that has come before.
        """
        last = int(times[-1])
        count = int(np.count_nonzero(times == last))
        if last > self.time:
            return Place(last)
        if last < self.time or count < len(times):
            what = f"the page from {self.cursor!r} on ends at {stamp(last)}"
            raise MessageError(f"{url}: {what}: the exchange repeats itself")
        return Place(self.time, self.passed + count)


@attrs.frozen
class TradesRest:
    """BitMEX's trades by REST: 1,000 rows a request, 30 requests a minute.

    A busy day of a million rows takes over half an hour, so the archive is the better door where it
    has the day already. Times are in milliseconds, those of the archive in nanoseconds.
    """

    rest_url: str = option(HOST, help="where the REST interface is", identity=False)
    page_size: int = option(
        1000,
        help="how many trades to ask for at once, 1000 at most",
        identity=False,
        validator=and_(ge(1), le(1000)),
    )

    exchange: ClassVar[str] = EXCHANGE
    schema: ClassVar[pa.Schema] = SCHEMA
    continuity: ClassVar[Continuity] = "unique"
    reach: ClassVar[timedelta | None] = None
    off: ClassVar[str] = ""
    blind_spots: ClassVar[Sequence[str]] = (
        "no id is contiguous: a trade that BitMEX left out of a page cannot be seen from ids",
        "the latest rows may come a moment late after a burst (unverified): a span that ends now"
        " is complete only some seconds later",
        "XBTUSD before 2016-05-13 is another contract of the same name",
        "since 2026-04-30 the trades of all pools come, and which pool one is of is not kept",
        "more than about 100,000 rows at one millisecond cannot be read (BitMEX caps `start`)",
    )

    def read(
        self, http: Http, symbol: str, after: int | str, until: int
    ) -> Iterator[tuple[pa.RecordBatch, str]]:
        """Yield (trades, cursor); each page begins with the rows at the last one's last time."""
        if symbol.startswith("."):
            raise RejectedError(f"{symbol} is an index, which has no trades")
        query = {"symbol": symbol, "count": str(self.page_size), "reverse": "false"}
        table = Table(self.rest_url, "trade", query, list[Trade])
        place, first = Place.of(after), isinstance(after, int)
        while True:
            rows, times = table.rows(http, place.time, start=str(place.passed))
            if not rows:
                if first:
                    table.demand(http)
                return
            following, first = place.after(times, table.url), False
            if page := _page(symbol, rows, times, (table.url, place)):
                yield page, following.cursor
            if int(times[-1]) >= until:
                return
            place = following


def _page(
    symbol: str, rows: Sequence[Trade], times: Times, of: tuple[str, Place]
) -> pa.RecordBatch | None:
    """Return the trades among rows; None if there are none."""
    kept = np.array([row.trdType != _INDEX for row in rows])
    if not kept.any():
        return None
    url, place = of
    made = [row for row, keep in zip(rows, kept, strict=True) if keep]
    columns = {name: _texts(made, name) for name in _TEXTS}
    if any(row.trdType for row in made):
        columns["trdType"] = [row.trdType or "Regular" for row in made]
    block = pa.record_batch({name: pa.array(texts, pa.string()) for name, texts in columns.items()})
    # Where the page begins amid the rows of one time, those before it are counted as well.
    nameless: Nameless = Counter({(symbol, place.time): place.passed})
    return trades(symbol, Rows(url, np.flatnonzero(kept) + 1, block), stamps(times[kept]), nameless)


def _texts(rows: Sequence[Trade], name: str) -> list[str]:
    values = map(attrgetter(name), rows)
    return ["" if value is None else str(value) for value in values]
