"""The archive's day files: where they are and how their rows are read, trades or aggregates."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, BinaryIO, Literal

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from werks.archive import blocks, check, s3_keys
from werks.components import File, Http
from werks.schema import Scales, same

Market = Literal["spot", "usdm"]

EXCHANGES: Mapping[Market, str] = {"spot": "binance", "usdm": "binance-usdm"}
SCALES = Scales(price=8, size=8)
PRICE, SIZE = pa.decimal128(38, SCALES.price), pa.decimal128(38, SCALES.size)
# The next day as a rule, at no fixed hour.
LAG = timedelta(days=2)
ARCHIVE_URL = "https://data.binance.vision"
# The bucket's other address, data.binance.vision.s3.amazonaws.com, has one dot more than the
# certificate of *.s3.amazonaws.com covers.
LISTING_URL = "https://s3-ap-northeast-1.amazonaws.com/data.binance.vision"
ARCHIVE_HELP = "where the archive or a mirror of it is"
LISTING_HELP = (
    "where the archive's S3 bucket lists its keys; empty for a mirror that cannot list: each day"
    " is then asked for by its name"
)
# spot files are in milliseconds until 2024-12-31 and in microseconds since, USD-M files always in
# milliseconds: told apart by magnitude, one unit for a file.
_LEAST_US, _US, _MS = 10**14, 1_000, 1_000_000
_FOLDERS: Mapping[Market, str] = {"spot": "spot", "usdm": "futures/um"}
_COPY = re.compile(
    r"(?P<symbol>[^/-]+)-(?P<kind>trades|aggTrades)-(?P<month>\d{4}-\d\d)(?P<day>-\d\d)?\.(zip|csv)"
)
_DAY = timedelta(days=1)


@attrs.frozen
class Place:
    """One kind of day files (`trades` or `aggTrades`) of one market, and the URLs to reach it."""

    market: Market
    kind: str
    archive_url: str
    listing_url: str

    def files(self, symbols: Sequence[str], start: date, stop: date, http: Http) -> Iterator[File]:
        """Yield the listed days of each symbol; where nothing is listed, every day asked for."""
        for symbol in symbols:
            listed = self._listed(symbol, start, stop, http) if self.listing_url else None
            for day in _all(start, stop) if listed is None else listed:
                url = f"{self.archive_url.rstrip('/')}/{self._stem(symbol)}-{day}.zip"
                yield File(url, day, day + _DAY, (symbol,), f"{url}.CHECKSUM")

    def recognised(self, path: str) -> File | None:
        """Return the file that the path of a copy is of, a day or a month; the folder may tell."""
        folder, _, name = path.rpartition("/")
        found = _COPY.fullmatch(name)
        others = {"/spot/", "/futures/"} - {f"/{_FOLDERS[self.market].partition('/')[0]}/"}
        foreign = any(other in f"{folder}/" for other in (*others, "/futures/cm/"))
        if not found or found["kind"] != self.kind or foreign:
            return None
        start = date.fromisoformat(found["month"] + (found["day"] or "-01"))
        stop = start + _DAY if found["day"] else (start + 31 * _DAY).replace(day=1)
        return File(path, start, stop, (found["symbol"],))

    def _stem(self, symbol: str) -> str:
        folder = f"data/{_FOLDERS[self.market]}/daily/{self.kind}/{symbol}"
        return f"{folder}/{symbol}-{self.kind}"

    def _listed(self, symbol: str, start: date, stop: date, http: Http) -> Iterator[date]:
        stem = self._stem(symbol)
        for year in range(start.year, (stop - _DAY).year + 1):
            for key in s3_keys(http, self.listing_url, f"{stem}-{year}"):
                found = re.fullmatch(r"-(\d{4}-\d\d-\d\d)\.zip", key.removeprefix(stem))
                if found and start <= (day := date.fromisoformat(found[1])) < stop:
                    yield day


def rows(
    stream: BinaryIO, file: File, columns: Mapping[str, pa.DataType], names: Sequence[str]
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Yield (number of the block's first row, block); `names` are those of a file without header.

    Spot files have no header, USD-M files one since 2022-08-11, so the first cell decides.
    """
    opened: Any = stream
    line: bytes = opened.first_line()
    if not line:  # a day without trades, where files have no header
        return
    headless = line.split(b",", 1)[0].removeprefix(b"-").isdigit()
    yield from blocks(stream, file.url, columns, names if headless else None)


def unit(times: pa.Array) -> int:
    """Return how many nanoseconds the file's unit of time has, judged by its first time."""
    return _US if times[0].as_py() >= _LEAST_US else _MS


def taker(buyer_made: pa.Array, file: File, row: int) -> npt.NDArray[np.int8]:
    """Return −1 where the buyer was the maker, so the taker sold; +1 where the taker bought."""
    lower = pc.utf8_lower(buyer_made)  # spot writes True and False, USD-M true and false
    sold, bought = same(lower, "true"), same(lower, "false")
    check(
        bought | sold,
        file.url,
        row,
        lambda bad: f"is_buyer_maker cannot be {buyer_made[bad]!s:.40}: true or false is expected",
    )
    signs: npt.NDArray[np.int8] = bought.astype(np.int8) - sold.astype(np.int8)
    return signs


def _all(start: date, stop: date) -> Iterator[date]:
    for days in range((stop - start).days):
        yield start + days * _DAY
