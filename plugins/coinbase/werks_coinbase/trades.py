"""The trades of Coinbase Exchange, by REST.

The exchange pages backwards only: `after=N` gives the newest trades whose ids are below N. Since
ids are numbers without holes, pages are asked for forward all the same, each by the id behind it.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, ClassVar, Literal

import attrs
import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from attrs.validators import and_, ge, le

from werks import amounts
from werks.components import Continuity, Http, option
from werks.errors import DataError
from werks.schema import batch, empty, nanoseconds, schema, times, word
from werks.wire import FIRST_TIME, LAST_TIME, decimals, epoch, iso, ticks

from . import rest

_SCHEMA = schema("TRADE", rest.SCALES)


class _Trade(msgspec.Struct, gc=False):
    time: str
    trade_id: int
    price: str
    size: str
    side: Literal["buy", "sell"]


@attrs.frozen
class Trades:
    """Every trade of Coinbase Exchange, by REST, back to a product's listing.

    Where to begin is found by ten to twenty requests; then it goes forward by id. The side
    that Coinbase states is the maker's; `tick_rule` is the taker's.
    """

    page_size: int = option(
        1000,
        help="trades to ask for at once (1000 at most, by the docs); fewer may come",
        identity=False,
        validator=and_(ge(1), le(1000)),
    )
    rest_url: str = option(rest.URL, help=rest.URL_HELP, identity=False)

    exchange: ClassVar[str] = rest.EXCHANGE
    schema: ClassVar[pa.Schema] = _SCHEMA
    continuity: ClassVar[Continuity] = "contiguous"
    reach: ClassVar[timedelta | None] = None
    off: ClassVar[str] = ""
    blind_spots: ClassVar[Sequence[str]] = (
        "a few ids were never given: of BTC-USD one on 2019-04-11 and 45 on 2021-06-09, by users'"
        " reports; such a hole is found as a gap that no repair can fill",
        "of a delisted product it may be that nothing can be had any more (404)",
    )

    def read(
        self, http: Http, symbol: str, after: int | str, until: int
    ) -> Iterator[tuple[pa.RecordBatch, str]]:
        """Yield (trades, cursor) page by page; the first page may begin before `after`.

        The cursor is the id that the next page begins with. DataError where a page is not the one
        that was asked for.
        """
        asking = _Asking(self, http, symbol)
        newest = asking.below(None)
        first = int(after) if isinstance(after, str) else asking.since(after, newest)
        size = self.page_size
        while True:
            if first > newest.last:  # there may be more by now
                newest = asking.below(None)
                if first > newest.last:
                    return
            stop = min(first + size, newest.last + 1)
            page, size = asking.between(first, stop, size)
            first = stop
            if len(page):
                yield page.rows, str(first)
            if len(page) and int(page.times.max()) >= until:
                return


@attrs.frozen(eq=False)
class _Page:
    """Trades in the order of their ids."""

    rows: pa.RecordBatch
    ids: npt.NDArray[np.int64]
    times: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def last(self) -> int:
        """The greatest id; 0 if there is none."""
        return int(self.ids[-1]) if len(self) else 0

    def since(self, first: int) -> "_Page":
        """Return the trades whose ids are not below one."""
        row = int(np.searchsorted(self.ids, first))
        return _Page(self.rows.slice(row), self.ids[row:], self.times[row:])


@attrs.frozen
class _Asking:
    door: Trades
    http: Http
    symbol: str

    def below(self, stop: int | None, limit: int = 0) -> _Page:
        """Return the newest trades whose ids are below `stop`; None: the newest of all.

        DataError where it is another page than that.
        """
        page, name = self._asked(stop, limit or self.door.page_size)
        if stop is not None and page.last != stop - 1:
            # A hole in the ids, unless a shorter request gives another trade.
            again, _ = self._asked(stop, 1)
            if page.last >= stop or page.last != again.last:
                what = f"the newest trade is {page.last}, and not the one below {stop}"
                raise DataError(f"{name}: {what}: try again later")
        return page

    def _asked(self, stop: int | None, limit: int) -> tuple[_Page, str]:
        query = {"limit": limit, "after": stop}
        asked = rest.request(self.door.rest_url, rest.product(self.symbol, "trades"), query)
        found: list[_Trade] = rest.ask(self.http, asked, list[_Trade])
        return _page(found, self.symbol, rest.name(asked)), rest.name(asked)

    def since(self, time: int, newest: _Page) -> int:
        """Return the id of the last trade before a time in ns, or of the first one there is.

        The one before shows to the core where ids go on.
        """
        low, high, middle, page = 1, newest.last + 1, newest.last, newest
        while True:
            before = page.ids[page.times < time]
            if 0 < len(before) < len(page):
                return int(before[-1])
            if len(before) == len(page):
                low = middle + 1
            else:
                high = int(page.ids[0])
            if low >= high:
                return max(high - 1, 1)
            middle = (low + high) // 2
            page = self.below(middle + 1)

    def between(self, first: int, stop: int, size: int) -> tuple[_Page, int]:
        """Return the trades with ids from `first` to before `stop`, and how many a page holds.

        Where the exchange gives less than was asked for, what is left is asked for as well.
        """
        parts = [self.below(stop, size)]
        while len(parts[-1]) and int(parts[-1].ids[0]) > first:
            parts.append(self.below(int(parts[-1].ids[0]), size))
        short = len(parts) > 1 and len(parts[1].since(first)) > 0
        rows = pa.concat_batches([part.since(first).rows for part in reversed(parts)])
        ids = np.concatenate([part.since(first).ids for part in reversed(parts)])
        return _Page(rows, ids, nanoseconds(rows["timestamp"])), len(parts[0]) if short else size


def _page(found: Sequence[_Trade], symbol: str, name: str) -> _Page:
    ids = np.array([each.trade_id for each in found], np.int64)
    if not len(ids):
        return _Page(empty(_SCHEMA), ids, ids)
    if (np.diff(ids) >= 0).any():
        row = int(np.argmax(np.diff(ids) >= 0)) + 2
        what = f"the id {ids[row - 1]} cannot come after {ids[row - 2]}: the newest comes first"
        raise DataError(f"{name}: row {row}: {what}")
    made = rows(found, symbol, name)
    oldest_first = np.arange(len(ids))[::-1]
    return _Page(
        made.take(pa.array(oldest_first)),
        ids[::-1].copy(),
        nanoseconds(made["timestamp"])[::-1].copy(),
    )


def rows(
    found: Sequence[Any], symbol: str, name: str, received: Sequence[int] | None = None
) -> pa.RecordBatch:
    """Return trades of one product as rows, in their order; `received` is when they were heard.

    DataError or MessageError names the row of a number or a time that is none.
    """
    price = decimals([each.price for each in found], rest.SCALES.price, name, "price")
    size = decimals([each.size for each in found], rest.SCALES.size, name, "size")
    value = amounts.product(*(amounts.ints(amounts.limbs(each)) for each in (price, size)))
    moments = iso([each.time for each in found], name)
    if moments.min() < FIRST_TIME or moments.max() >= LAST_TIME:
        # A time such as 0001-01-01 does occur: it is named.
        epoch(moments.tolist(), 1, name)
    return batch(
        _SCHEMA,
        exchange=word(rest.EXCHANGE, len(found)),
        symbol=word(symbol, len(found)),
        timestamp=times(moments),
        received=None if received is None else times(np.array(received, np.int64)),
        trade_id=pa.array([each.trade_id for each in found], pa.int64()).cast(pa.string()),
        # `sell` is the maker's side: the taker bought.
        tick_rule=ticks([each.side == "sell" for each in found]),
        price=price,
        size=size,
        notional=amounts.column(value, rest.SCALES.notional),
    )
