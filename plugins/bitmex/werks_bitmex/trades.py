"""The trades that BitMEX publishes day by day, all markets in one file."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, BinaryIO, ClassVar

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from werks import amounts
from werks.archive import blocks, s3_keys
from werks.components import Continuity, File, Http, option
from werks.hookspecs import hookimpl
from werks.schema import Scales, batch, nanoseconds, same, schema, word

from .text import Rows

# TRXU21 has ten digits (capture of 2021-07-22: 0.0000016425); a satoshi is the eighth of size.
SCALES = Scales(price=10, size=8)
_TEXTS = ("timestamp", "symbol", "side", "size", "price", "trdMatchID", "grossValue")
_COLUMNS = dict.fromkeys((*_TEXTS, "homeNotional", "foreignNotional"), pa.string())
_NEWER = {"trdType": pa.string()}
_WHOLE = pa.decimal128(38, 0)
_PRICE = pa.decimal128(38, SCALES.price)
# A float's noise, and far less than a tick of any price.
_SAME = 1e-9
_NO_ID = pa.array(["", "00000000-0000-0000-0000-000000000000"])
_PREFIX = "data/trade/"
_DAY = timedelta(days=1)
_NEVER = "BitMEX never published this day"


@attrs.frozen
class Trades:
    """Every trade of BitMEX's public archive: all markets, one file a day for all of them.

    Files come out one to two days late, without checksums. A trade's size and notional are the base
    and the quote amount that BitMEX states, whatever the contract. XBTUSD before 2016-05-13 was
    another contract: start there.
    """

    archive_url: str = option(
        "https://public.bitmex.com", help="where the archive or a mirror of it is", identity=False
    )
    listing_url: str = option(
        "https://s3-eu-west-1.amazonaws.com/public.bitmex.com",
        help="where the archive's S3 bucket lists its keys; empty for a mirror that cannot list:"
        " each day is then asked for by its name",
        identity=False,
    )

    exchange: ClassVar[str] = "bitmex"
    schema: ClassVar[pa.Schema] = schema("TRADE", SCALES)
    lag: ClassVar[timedelta] = timedelta(days=3)
    continuity: ClassVar[Continuity] = "unique"
    blind_spots: ClassVar[Sequence[str]] = (
        "no id is contiguous: that a day is whole cannot be proven from ids",
        "XBTUSD before 2016-05-13 is another contract of the same name",
        "from 2026-04-16 on there are two pools: which one a trade is of, and whether both are in"
        " the file, cannot be told from it",
        "for linear and quanto contracts the base and the quote amount are those of the row: they"
        " cannot be recomputed from contracts",
    )
    known_missing: ClassVar[Mapping[date, str]] = {
        date(2025, 3, 26): _NEVER,
        date(2025, 4, 11): _NEVER,
        date(2025, 4, 12): _NEVER,
        date(2026, 6, 10): _NEVER,
    }

    def files(self, symbols: Sequence[str], start: date, stop: date, http: Http) -> Iterator[File]:
        """Yield the day files that the bucket lists, or all days if there is no listing."""
        found = self._listed(start, stop, http) if self.listing_url else self._dated(start, stop)
        for day in found:
            url = f"{self.archive_url.rstrip('/')}/{_PREFIX}{day:%Y%m%d}.csv.gz"
            yield File(url, day, day + _DAY, tuple(symbols))

    def _listed(self, start: date, stop: date, http: Http) -> Iterator[date]:
        for year in range(start.year, (stop - _DAY).year + 1):
            for key in s3_keys(http, self.listing_url, f"{_PREFIX}{year}"):
                found = re.fullmatch(r"(\d{8})\.csv\.gz", key.removeprefix(_PREFIX))
                if found and start <= (day := date.fromisoformat(found[1])) < stop:
                    yield day

    def _dated(self, start: date, stop: date) -> Iterator[date]:
        for number in range((stop - start).days):
            if (day := start + number * _DAY) not in self.known_missing:
                yield day

    def read(
        self, file: File, stream: BinaryIO, symbols: Sequence[str]
    ) -> Iterator[pa.RecordBatch]:
        """Yield the trades of each symbol asked for, in the file's order."""
        nameless: Counter[tuple[str, int]] = Counter()
        markets = [symbol for symbol in symbols if not symbol.startswith(".")]  # not an index
        for first, block in blocks(stream, file.url, _COLUMNS, optional=_NEWER):
            for symbol in markets:
                rows = _of(symbol, file, first, block)
                if len(rows):
                    yield self._trades(symbol, rows, nameless)

    def _trades(
        self, symbol: str, rows: Rows, nameless: Counter[tuple[str, int]]
    ) -> pa.RecordBatch:
        size, notional = _amounts(rows)
        moments = rows.moments("timestamp")
        settled = _settled(rows)
        return batch(
            self.schema,
            exchange=word(self.exchange, len(rows)),
            symbol=word(symbol, len(rows)),
            timestamp=moments,
            trade_id=_ids(rows["trdMatchID"], symbol, nanoseconds(moments), nameless),
            tick_rule=_taker(rows, settled),
            price=rows.typed("price", _PRICE),
            size=size,
            notional=notional,
            flag=_flags(rows, settled),
        )


def _of(symbol: str, file: File, first: int, block: pa.RecordBatch) -> Rows:
    """Return the rows of one symbol without index ticks, which are no trades."""
    wanted = same(block["symbol"], symbol)
    if "trdType" in block.schema.names:
        wanted &= ~same(block["trdType"], "Referential")
    numbers = first + np.flatnonzero(wanted)
    return Rows(file.url, numbers, block.filter(pa.array(wanted)))


def _amounts(rows: Rows) -> tuple[pa.Array, pa.Array]:
    """Return base and quote amount: an inverse contract's from whole numbers, else the row's own.

    An inverse contract is one unit of quote, so foreignNotional is size, and homeNotional is
    grossValue in XBT. Where another contract's row happens to fulfil both, the amounts are equal.
    """
    contracts, gross = (
        amounts.ints(amounts.limbs(rows.typed(name, _WHOLE))) for name in ("size", "grossValue")
    )
    home, foreign = (
        rows.typed(name, pa.float64()).to_numpy() for name in ("homeNotional", "foreignNotional")
    )
    inverse = _close(foreign, contracts) & _close(home * 10**SCALES.size, gross)
    base, quote = gross, amounts.ints(amounts.rescaled(contracts, SCALES.size))
    if not inverse.all():
        base = np.where(inverse, base, _own(rows, "homeNotional"))
        quote = np.where(inverse, quote, _own(rows, "foreignNotional"))
    return (
        amounts.column(amounts.from_ints(base), SCALES.size),
        amounts.column(amounts.rescaled(quote, SCALES.notional - SCALES.size), SCALES.notional),
    )


def _own(rows: Rows, column: str) -> npt.NDArray[Any]:
    return amounts.ints(amounts.limbs(rows.rounded(column, SCALES.size)))


def _close(stated: npt.NDArray[np.float64], whole: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    close: npt.NDArray[np.bool_] = np.isclose(stated, whole.astype(np.float64), _SAME, 0.0)
    return close


def _settled(rows: Rows) -> npt.NDArray[np.bool_]:
    """Tell which rows are settlements at expiry: without a side, and in newer files marked so."""
    settled = same(rows["side"], "")
    if "trdType" in rows.block.schema.names:
        settled |= same(rows["trdType"], "Settlement")
    return settled


def _taker(rows: Rows, settled: npt.NDArray[np.bool_]) -> npt.NDArray[np.int8]:
    """Return +1 where the taker bought, −1 where the taker sold, 0 for settlements."""
    bought, sold = (same(rows["side"], side) for side in ("Buy", "Sell"))
    rows.check(
        bought | sold | settled, lambda bad: f"side cannot be {rows['side'][bad].as_py()!r:.40}"
    )
    signs: npt.NDArray[np.int8] = bought.astype(np.int8) - sold.astype(np.int8)
    signs[settled] = 0
    return signs


def _flags(rows: Rows, settled: npt.NDArray[np.bool_]) -> pa.Array:
    """Return `off_book` for settlements, `block` for block trades, null for all others."""
    flags = pa.nulls(len(rows), pa.string())
    if "trdType" in rows.block.schema.names:
        block = pc.match_substring(rows["trdType"], "block", ignore_case=True)
        flags = pc.if_else(block, pa.scalar("block", pa.string()), flags)
    return pc.if_else(pa.array(settled), pa.scalar("off_book", pa.string()), flags)


def _ids(
    given: pa.Array,
    symbol: str,
    moments: npt.NDArray[np.int64],
    nameless: Counter[tuple[str, int]],
) -> pa.Array:
    """Return the ids; a row without one is named by its time and its place among such rows."""
    without = pc.is_in(given, _NO_ID).to_numpy(zero_copy_only=False)
    if not without.any():
        return given
    ids = given.to_numpy(zero_copy_only=False)
    for row in np.flatnonzero(without):  # a few rows of a day, if any
        moment = int(moments[row])
        ids[row] = f"{moment}-{nameless[symbol, moment]}"
        nameless[symbol, moment] += 1
    return pa.array(ids, pa.string())


@hookimpl
def werks_archives() -> Mapping[str, type]:
    """Offer `bitmex.trades`."""
    return {"trades": Trades}
