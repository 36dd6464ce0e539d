"""The trades that BitMEX publishes day by day, all markets in one file."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import BinaryIO, ClassVar

import attrs
import numpy as np
import pyarrow as pa

from werks.archive import blocks, s3_keys
from werks.components import Continuity, File, Http, option
from werks.schema import same

from .columns import EXCHANGE, SCHEMA, Nameless, trades
from .text import Rows

_TEXTS = ("timestamp", "symbol", "side", "size", "price", "trdMatchID", "grossValue")
_COLUMNS = dict.fromkeys((*_TEXTS, "homeNotional", "foreignNotional"), pa.string())
_NEWER = {"trdType": pa.string()}
_PREFIX = "data/trade/"
_COPY = re.compile(r"(\d{8})\.csv(?:\.gz)?")
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

    exchange: ClassVar[str] = EXCHANGE
    schema: ClassVar[pa.Schema] = SCHEMA
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

    def recognises(self, path: str) -> File | None:
        """Return the file that the path of a copy is of; its name tells no symbols."""
        folder, _, name = path.rpartition("/")
        found = _COPY.fullmatch(name)
        if not found or "/quote/" in f"{folder}/":
            return None
        day = date.fromisoformat(found[1])
        return File(path, day, day + _DAY, ())

    def read(
        self, file: File, stream: BinaryIO, symbols: Sequence[str]
    ) -> Iterator[pa.RecordBatch]:
        """Yield the trades of each symbol asked for, of all if none is, in the file's order."""
        nameless: Nameless = Counter()
        for first, block in blocks(stream, file.url, _COLUMNS, optional=_NEWER):
            for symbol in symbols or sorted(block["symbol"].unique().to_pylist()):
                if symbol.startswith("."):  # an index
                    continue
                rows = _of(symbol, file, first, block)
                if len(rows):
                    yield trades(symbol, rows, rows.moments("timestamp"), nameless)


def _of(symbol: str, file: File, first: int, block: pa.RecordBatch) -> Rows:
    """Return the rows of one symbol without index ticks, which are no trades."""
    wanted = same(block["symbol"], symbol)
    if "trdType" in block.schema.names:
        wanted &= ~same(block["trdType"], "Referential")
    numbers = first + np.flatnonzero(wanted)
    return Rows(file.url, numbers, block.filter(pa.array(wanted)))
