"""The trades that Bybit publishes day by day."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, BinaryIO, ClassVar, Literal

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from werks import amounts
from werks.archive import blocks, check, hrefs, stamped
from werks.components import Continuity, File, Http, option
from werks.hookspecs import hookimpl
from werks.schema import WORD, Scales, batch, schema, word

SCALES = Scales(price=10, size=10)
# Bybit cuts an inverse trade's base amount to 8 digits: 93,598 of 93,598 rows of the 2019 capture.
_INVERSE_DIGITS = 8
_PRICE, _SIZE = pa.decimal128(38, SCALES.price), pa.decimal128(38, SCALES.size)
_DERIVATIVES = {
    # Seconds with 0 to 6 decimals, trailing zeros dropped (captures: 2019 up to 6, 2023 up to 4).
    "timestamp": pa.decimal128(38, 9),
    "symbol": WORD,
    "side": WORD,
    "size": _SIZE,
    "price": _PRICE,
    "trdMatchID": pa.string(),
}
_SPOT = {
    "id": pa.string(),
    "timestamp": pa.int64(),
    "price": _PRICE,
    "volume": _SIZE,
    "side": WORD,
}
_RPI = {"RPI": WORD, "rpi": WORD}
_SIDES, _SPOT_SIDES = {"Buy": 1, "Sell": -1}, {"buy": 1, "sell": -1}
_FILE = re.compile(r"(?P<stem>.+?)[_-]?(?P<month>\d{4}-\d\d)(?P<day>-\d\d)?\.csv\.gz")
# The name of a copy: what stands before the symbol in small letters is let go.
_COPY = re.compile(
    r"(?<![A-Z0-9])(?P<stem>[A-Z0-9]+(?:-[A-Z0-9]+)?)(?P<mark>[_-]?)"
    r"(?P<month>\d{4}-\d\d)(?P<day>-\d\d)?\.csv(?:\.gz)?$"
)
_INVERSE = re.compile(r"[A-Z0-9]+USD(?:[FGHJKMNQUVXZ]\d\d)?")
_MARKED = ("1", "true")
_DAY = timedelta(days=1)
_MS = 1_000_000


@attrs.frozen
class Trades:
    """Every trade of Bybit's public archive: linear, inverse and spot markets, a file a day.

    Files come out the day after, at about 01:15 UTC, without checksums. Derivatives go back to
    2019-10, spot to 2022-11.
    """

    market: Literal["spot", "linear", "inverse"] = option(
        "linear", help="spot, linear (USDT and USDC contracts) or inverse (coin-margined)"
    )
    archive_url: str = option(
        "https://public.bybit.com", help="where the archive or a mirror of it is", identity=False
    )

    lag: ClassVar[timedelta] = timedelta(days=2)
    continuity: ClassVar[Continuity] = "unique"
    blind_spots: ClassVar[Sequence[str]] = (
        "no id is contiguous: that the archive itself is whole cannot be proven from ids",
        "spot ids restart at 1 in each file and match neither REST nor websocket ids",
    )

    @property
    def exchange(self) -> str:
        """`bybit-spot`, `bybit-linear` or `bybit-inverse`."""
        return f"bybit-{self.market}"

    @property
    def schema(self) -> pa.Schema:
        """TRADE with ten digits for prices and for sizes."""
        return schema("TRADE", SCALES)

    def files(self, symbols: Sequence[str], start: date, stop: date, http: Http) -> Iterator[File]:
        """Yield the files that the folder page of each symbol lists, no day twice."""
        folder = "spot" if self.market == "spot" else "trading"
        for symbol in symbols:
            base = f"{self.archive_url.rstrip('/')}/{folder}/{symbol}/"
            listed = [_dated(base, link, symbol) for link in hrefs(http.text(base))]
            wanted = [file for file in listed if file and file.start < stop and start < file.stop]
            yield from _disjoint(wanted, start, stop)

    def recognises(self, path: str) -> File | None:
        """Return the file that a path is of; only names of spot files part symbol and day."""
        folder, _, name = path.rpartition("/")
        found = _COPY.search(name)
        spot = self.market == "spot"
        if not found or f"/{'trading' if spot else 'spot'}/" in f"{folder}/":
            return None
        inverse = bool(_INVERSE.fullmatch(found["stem"]))
        fits = bool(found["mark"]) if spot else inverse == (self.market == "inverse")
        return _covered(found, path, found["stem"]) if fits else None

    def read(
        self, file: File, stream: BinaryIO, symbols: Sequence[str]
    ) -> Iterator[pa.RecordBatch]:
        """Yield the trades of one symbol's file, in the file's order."""
        columns = _SPOT if self.market == "spot" else _DERIVATIVES
        for row, block in blocks(stream, file.url, columns, optional=_RPI):
            yield self._trades(block, file, row)

    def _trades(self, block: pa.RecordBatch, file: File, row: int) -> pa.RecordBatch:
        spot, symbol = self.market == "spot", file.symbols[0]
        if not spot:
            _same_symbol(block["symbol"], symbol, file, row)
        ids = block["id" if spot else "trdMatchID"]
        check(_some(ids), file.url, row, lambda _: "the trade has no id")
        price = amounts.ints(amounts.limbs(block["price"]))
        size, notional = self._amounts(price, block["volume" if spot else "size"])
        stamps = block["timestamp"] if spot else amounts.limbs(block["timestamp"])
        return batch(
            self.schema,
            exchange=word(self.exchange, block.num_rows),
            symbol=word(symbol, block.num_rows),
            timestamp=stamped(stamps, _MS if spot else 1, file.url, row),
            trade_id=ids,
            tick_rule=_taker(block["side"], _SPOT_SIDES if spot else _SIDES, file, row),
            price=block["price"],
            size=amounts.column(size, SCALES.size),
            notional=amounts.column(notional, SCALES.notional),
            flag=_flags(block),
        )

    def _amounts(
        self, price: npt.NDArray[Any], published: pa.Array
    ) -> tuple[amounts.Limbs, amounts.Limbs]:
        """Return size and notional; an inverse contract is one USD, its base amount is cut."""
        whole = amounts.ints(amounts.limbs(published))
        if self.market != "inverse":
            return amounts.limbs(published), amounts.product(price, whole)
        priced = np.where(price > 0, price, 1)  # the core refuses a price of 0, with its trade's id
        # contracts are scaled by 10**size and prices by 10**price: what is over is 8 digits.
        over = 10 ** (_INVERSE_DIGITS + SCALES.price - SCALES.size)
        base = amounts.ints(amounts.quotient(whole, over, priced))
        return (
            amounts.rescaled(base, SCALES.size - _INVERSE_DIGITS),
            amounts.rescaled(whole, SCALES.notional - SCALES.size),
        )


def _dated(base: str, link: str, symbol: str) -> File | None:
    """Return the file of a link: SYMBOL2019-10-01, SYMBOL_2024-01-01 or SYMBOL-2022-11."""
    found = _FILE.fullmatch(link)
    return _covered(found, base + link, symbol) if found and found["stem"] == symbol else None


def _covered(found: re.Match[str], url: str, symbol: str) -> File:
    """Return a file of a day or of a month."""
    start = date.fromisoformat(found["month"] + (found["day"] or "-01"))
    stop = start + _DAY if found["day"] else (start + 31 * _DAY).replace(day=1)
    return File(url, start, stop, (symbol,))


def _disjoint(files: Sequence[File], start: date, stop: date) -> list[File]:
    """Return files of which no two share a day; a month gives way where all its days are listed."""
    singles = {file.start: file for file in files if file.stop - file.start == _DAY}
    months = [file for file in files if file.stop - file.start > _DAY]
    needed = [
        month
        for month in months
        if not singles.keys() >= _days(max(month.start, start), min(month.stop, stop))
    ]
    for month in needed:
        for day in _days(month.start, month.stop):
            singles.pop(day, None)
    return sorted([*needed, *singles.values()], key=lambda file: file.start)


def _days(start: date, stop: date) -> set[date]:
    return {start + n * _DAY for n in range((stop - start).days)}


def _same_symbol(column: pa.Array, symbol: str, file: File, row: int) -> None:
    good = _meanings(column, lambda word: word == symbol)
    check(good, file.url, row, lambda bad: f"is of {column[bad]}, not of {symbol}")


def _taker(side: pa.Array, signs: Mapping[str, int], file: File, row: int) -> npt.NDArray[np.int8]:
    """Return +1 where the taker bought, −1 where the taker sold."""
    taker = _meanings(side, lambda word: signs.get(word, 0)).astype(np.int8)
    check(taker != 0, file.url, row, lambda bad: f"side cannot be {side[bad].as_py()!r:.40}")
    return taker


def _meanings(column: pa.DictionaryArray, meaning: Callable[[str], Any]) -> npt.NDArray[Any]:
    """Return what the word of each row means; each word is looked at once."""
    meanings = np.array([meaning(word) for word in column.dictionary.to_pylist()])
    found: npt.NDArray[Any] = meanings[column.indices.to_numpy()]
    return found


def _some(ids: pa.Array) -> npt.NDArray[np.bool_]:
    """Return which ids are not empty."""
    found: npt.NDArray[np.bool_] = pc.binary_length(ids).to_numpy() > 0
    return found


def _flags(block: pa.RecordBatch) -> pa.Array | None:
    """Return `rpi` for trades against retail price improvement orders, null for the others."""
    for name in _RPI:
        if name in block.schema.names:
            words = block[name].dictionary.to_pylist()
            flags = ["rpi" if word.lower() in _MARKED else None for word in words]
            return pa.array(flags, pa.string()).take(block[name].indices) if any(flags) else None
    return None


@hookimpl
def werks_archives() -> Mapping[str, type]:
    """Offer `bybit.trades`."""
    return {"trades": Trades}
