"""The trades that Kraken's REST interface gives, page by page."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import ClassVar

import attrs
import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from werks import amounts
from werks.components import Continuity, Http, option
from werks.errors import DataError, MessageError
from werks.schema import batch, schema, times, word
from werks.wire import decimals, epoch, ticks

from . import rest
from .symbols import EXCHANGE, SCALES, pair

_COUNT = 1000
# A row's time is a float of seconds, up to a quarter of a microsecond off the one that `since` and
# `last` mean: a row of 1762820035.9822779 was the last one of …5982277754 (recorded page).
_NOISE = 1_000
# Nanoseconds since 1970 have 19 digits; the first trade is of 2013.
_DIGITS, _LEAST = 19, 10**18
_TRIES = 3
_SIDES = {"b": True, "s": False}


class _Row(msgspec.Struct, array_like=True, gc=False):
    price: str
    volume: str
    time: Decimal
    side: str
    kind: str
    misc: str
    # Rows had six fields until about 2023.
    trade_id: int | None = None


class _Answer(msgspec.Struct):
    result: dict[str, list[_Row] | str | int]


@attrs.frozen
class _Page:
    rows: list[_Row]
    times: npt.NDArray[np.int64]
    last: int


@attrs.frozen
class Trades:
    """Every trade of a spot market by REST, back to the first one (XBT/EUR: 2013-09-10).

    Symbols are those of websocket v2: BTC/USD, not XBTUSD. A page has a thousand trades and about
    one a second may be asked for: a day of BTC/USD takes a minute or two.
    """

    rest_url: str = option(rest.URL, help=rest.URL_HELP, identity=False)

    exchange: ClassVar[str] = EXCHANGE
    continuity: ClassVar[Continuity] = "contiguous"
    reach: ClassVar[timedelta | None] = None
    off: ClassVar[str] = ""
    blind_spots: ClassVar[Sequence[str]] = (
        "that the oldest ids have no holes is not certain (unverified)",
        "pairs that are not listed any more cannot be asked for",
        "times are floats on the wire: off by up to a quarter of a microsecond",
    )

    @property
    def schema(self) -> pa.Schema:
        """TRADE with ten digits for prices and for sizes."""
        return schema("TRADE", SCALES)

    def read(
        self, http: Http, symbol: str, after: int | str, until: int
    ) -> Iterator[tuple[pa.RecordBatch, str]]:
        """Yield (trades, cursor) page by page; a page begins with the last time of the one before.

        Trades of that time may have been cut off there, and what is asked for excludes its own
        nanosecond; so it lies a microsecond before.
        """
        known = isinstance(after, str)
        since = int(after) if isinstance(after, str) else _since(after)
        while True:
            page, made = self._page(http, symbol, since, known)
            if not page.rows:
                return
            latest = int(page.times.max())
            following, known = latest - _NOISE, True
            yield made, str(following)
            if latest >= until:
                return
            if following <= since:
                if len(page.rows) < _COUNT:
                    return
                # A whole page of one microsecond: what is left of it cannot be asked for.
                following, known = page.last, False
            since = following

    def _page(
        self, http: Http, symbol: str, since: int, known: bool
    ) -> tuple[_Page, pa.RecordBatch]:
        """Return a page, asked for again where another one comes.

        `known` says that there is a trade a microsecond after `since`, so that the page has it.
        MessageError where pages of earlier trades come time and again.
        """
        query = {"pair": pair(symbol), "since": str(since), "count": str(_COUNT)}
        asked = rest.request(self.rest_url, "Trades", **query)
        name = rest.named(asked)
        for _ in range(_TRIES):
            page = _read(rest.ask(http, asked, _Answer), name)
            first = int(page.times.min()) if page.rows else since + 2 * _NOISE
            if first >= since - _NOISE and (first <= since + _NOISE or not known):
                break
        if first < since - _NOISE:
            what = f"{_TRIES} answers hold trades from before what was asked for"
            raise MessageError(f"{name}: cannot be read: {what}; try again later")
        return page, self._batch(page, symbol, name)

    def _batch(self, page: _Page, symbol: str, name: str) -> pa.RecordBatch:
        rows = page.rows
        price = decimals([row.price for row in rows], SCALES.price, name, "price")
        size = decimals([row.volume for row in rows], SCALES.size, name, "volume")
        notional = amounts.product(
            amounts.ints(amounts.limbs(price)), amounts.ints(amounts.limbs(size))
        )
        return batch(
            self.schema,
            exchange=word(EXCHANGE, len(rows)),
            symbol=word(symbol, len(rows)),
            timestamp=times(page.times),
            trade_id=_ids(rows, name),
            tick_rule=ticks(_bought(rows, name)),
            price=price,
            size=size,
            notional=amounts.column(notional, SCALES.notional),
        )


def _since(after: int) -> int:
    """Return what to ask for so that all rows from a time on come; 0 is the very beginning."""
    return after - _NOISE if after - _NOISE >= _LEAST else 0


def _read(answer: _Answer, name: str) -> _Page:
    rows, last = _parts(answer, name)
    exact = decimals([row.time for row in rows], 9, name, "time")
    stamps = epoch(amounts.ints(amounts.limbs(exact)).tolist(), 1, name)
    well = len(last) == _DIGITS and last.isdigit()  # at times it is shorter
    return _Page(rows, stamps, int(last) if well else int(stamps.max(initial=0)))


def _parts(answer: _Answer, name: str) -> tuple[list[_Row], str]:
    """Return the rows, which stand under Kraken's own key for the pair, and `last`."""
    found = [rows for key, rows in answer.result.items() if key != "last"]
    if len(found) != 1 or not isinstance(found[0], list):
        keys = ", ".join(answer.result) or "nothing"
        raise MessageError(f"{name}: cannot be read: {keys} where one pair's trades are expected")
    return found[0], str(answer.result.get("last", ""))


def _ids(rows: list[_Row], name: str) -> list[str]:
    ids = [row.trade_id for row in rows]
    if None in ids:
        what = "the trade has no id, as before 2023: it must be fetched anew"
        raise DataError(f"{name}: row {ids.index(None) + 1}: {what}")
    return [str(each) for each in ids]


def _bought(rows: list[_Row], name: str) -> list[bool | None]:
    try:
        return [_SIDES[row.side] for row in rows]
    except KeyError as error:
        number = next(n for n, row in enumerate(rows, 1) if row.side not in _SIDES)
        what = f"the taker's side cannot be {error}: b or s is expected"
        raise DataError(f"{name}: row {number}: {what}") from error
