"""The history of trades that Kraken publishes as zips, a file of each pair in it."""

import re
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any, BinaryIO, ClassVar
from urllib.parse import quote

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from werks import amounts
from werks.archive import blocks, check, hrefs, stamped
from werks.components import Continuity, File, Http, option
from werks.errors import RejectedError
from werks.schema import batch, nanoseconds, same, schema, word

from .symbols import EXCHANGE, SCALES, pair

_PRICE, _SIZE = pa.decimal128(38, SCALES.price), pa.decimal128(38, SCALES.size)
# Whole seconds in files of 2023, decimals may be there.
_TIME = pa.decimal128(38, 9)
_PLAIN = {"time": _TIME, "price": _PRICE, "volume": _SIZE}
# The quarters of late: six names above seven columns.
_NAMED = {"price": _PRICE, "volume": _SIZE, "time": _TIME, "side": pa.string(), "id": pa.int64()}
_NAMES = ("price", "volume", "time", "side", "type", "misc", "id")
_STAND_IN = b"1,1,1,b,m,,1\n"
_ZIP = re.compile(r"kraken_trading_history(?:_q([1-4])_?(\d{4}))?\.zip", re.IGNORECASE)
_FIRST = date(2013, 9, 10)
_QUARTER = 3


@attrs.frozen
class History:
    """The trades of the zips that Kraken publishes by hand, after you have downloaded them.

    It is no door of `kraken.trades`: most files state neither id nor the taker's side. A trade's
    id is then its time in nanoseconds and its place among the rows of that time, and tick_rule 0.
    Quarters of late are said to state both (unverified): they are then taken.
    """

    archive_url: str = option(
        help="the folder (file:///… or http) with Kraken_Trading_History_Q1_2024.zip and others",
        identity=False,
    )
    complete_until: date | None = option(
        None,
        help="the first day that Kraken_Trading_History.zip does not hold whole: its name does not"
        " say; quarters are read from there on",
        identity=False,
    )

    exchange: ClassVar[str] = EXCHANGE
    # A quarter comes out by hand some weeks after its end.
    lag: ClassVar[timedelta] = timedelta(days=150)
    continuity: ClassVar[Continuity] = "none"
    blind_spots: ClassVar[Sequence[str]] = (
        "rows have no id and no side: nothing shows that one is missing, and equal rows are trades",
        "its ids are not those of kraken.trades: use this one up to a day and the other from it on",
        "times are whole seconds in most files: the order within a second is that of the file",
        "a day after the end of Kraken_Trading_History.zip looks like one without trades:"
        " complete_until must be right",
    )

    def __attrs_post_init__(self) -> None:
        if not self.archive_url.startswith(("file:", "http:", "https:")):
            raise ValueError("archive_url: an address like file:///data/kraken is expected")

    @property
    def schema(self) -> pa.Schema:
        """TRADE with ten digits for prices and for sizes."""
        return schema("TRADE", SCALES)

    def files(self, symbols: Sequence[str], start: date, stop: date, http: Http) -> Iterator[File]:
        """Yield each symbol's file in the zips of the folder; whether it is there shows later."""
        base = f"{self.archive_url.rstrip('/')}/"
        zips = self._zips(hrefs(http.text(base)), start)
        for symbol in symbols:
            for name, begin, end in zips:
                if begin < stop and start < end:
                    yield File(f"{base}{quote(name)}#{pair(symbol)}.csv", begin, end, (symbol,))

    def _zips(self, links: Sequence[str], start: date) -> list[tuple[str, date, date]]:
        """Return (name, first day, last day + 1) of the zips, in order, no day twice."""
        found = [(link, match) for link in links if (match := _ZIP.fullmatch(link))]
        quarters = sorted(
            (*_quarter(int(match[2]), int(match[1])), link) for link, match in found if match[1]
        )
        complete = [link for link, match in found if not match[1]]
        until = self.complete_until if complete else None
        if complete and until is None and (not quarters or start < quarters[0][0]):
            what = "until when it reaches is not in its name; set complete_until"
            raise RejectedError(f"{self.archive_url}: {complete[0]}: {what}")
        zips = [(complete[0], _FIRST, until)] if until else []
        rest = {begin: (link, begin, end) for begin, end, link in quarters}
        return zips + [each for begin, each in rest.items() if until is None or begin >= until]

    def read(
        self, file: File, stream: BinaryIO, symbols: Sequence[str]
    ) -> Iterator[pa.RecordBatch]:
        """Yield the trades of one symbol's file, in the file's order."""
        opened: Any = stream
        named = opened.first_line()[:1].isalpha()
        places = _Places()
        columns, names = (_NAMED, _NAMES) if named else (_PLAIN, tuple(_PLAIN))
        source: Any = _Named(stream) if named else stream
        for row, rows in blocks(source, file.url, columns, names):
            head = int(named and row == 1)
            block, first = rows.slice(head), row + head
            stamps = stamped(amounts.limbs(block["time"]), 1, file.url, first)
            price, size = (amounts.ints(amounts.limbs(block[n])) for n in ("price", "volume"))
            yield batch(
                self.schema,
                exchange=word(EXCHANGE, len(block)),
                symbol=word(file.symbols[0], len(block)),
                timestamp=stamps,
                trade_id=block["id"].cast(pa.string()) if named else places.ids(stamps, first),
                tick_rule=_taker(block, file, first, named),
                price=block["price"],
                size=block["volume"],
                notional=amounts.column(amounts.product(price, size), SCALES.notional),
            )


def _quarter(year: int, number: int) -> tuple[date, date]:
    month = _QUARTER * (number - 1) + 1
    begin = date(year, month, 1)
    return begin, (begin + timedelta(days=100)).replace(day=1)


def _taker(block: pa.RecordBatch, file: File, row: int, named: bool) -> npt.NDArray[np.int8]:
    """Return +1 where the taker bought, −1 where the taker sold, 0 where it is not stated."""
    if not named:
        return np.zeros(len(block), np.int8)
    bought, sold = same(block["side"], "b"), same(block["side"], "s")
    check(bought | sold, file.url, row, lambda bad: f"side cannot be {block['side'][bad]!s:.40}")
    signs: npt.NDArray[np.int8] = bought.astype(np.int8) - sold.astype(np.int8)
    return signs


class _Places:
    """Names rows by their time and their place among the rows of it, also over blocks.

    Where a file goes back in time, the place is that in the file, so that no name comes twice.
    """

    def __init__(self) -> None:
        self._time = self._most = -1
        self._next = 0

    def ids(self, stamps: pa.Array, row: int) -> pa.Array:
        """Return the ids of a block's rows, the first of which has a number in the file."""
        time = nanoseconds(stamps)
        if not len(time):
            return pa.array([], pa.string())
        index = np.arange(len(time))
        fresh = np.diff(time, prepend=self._time) != 0
        began = np.maximum.accumulate(np.where(fresh, index, -1))
        latest = np.maximum.accumulate(np.concatenate(([self._most], time)))
        first = np.where(time > latest[:-1], 0, row + index)[began]
        place = np.where(began < 0, self._next + index, first + index - began)
        self._time, self._most, self._next = int(time[-1]), int(latest[-1]), int(place[-1]) + 1
        parts = (pa.array(each, pa.int64()).cast(pa.string()) for each in (time, place))
        return pc.binary_join_element_wise(*parts, pa.scalar("-", pa.string()))


class _Named:
    """A stream in which a row that holds nothing stands in for the header."""

    def __init__(self, stream: Any) -> None:
        self._stream = _replaced(stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def reopen(self) -> Any:
        """Return a second stream, with the row that stands in."""
        return _replaced(self._stream.reopen())


def _replaced(stream: Any) -> Any:
    stream.skip_line()
    stream.unread(_STAND_IN)
    return stream
