"""The archive door: a file a day and market, listed as a folder of an HTTP server."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import BinaryIO, ClassVar

import attrs
import pyarrow as pa
from attrs.validators import ge

from werks.archive import blocks, check, hrefs, stamped
from werks.components import Continuity, File, Http, option
from werks.hookspecs import hookimpl
from werks.schema import batch, word

from . import wire
from .exchange import Exchange, path
from .faults import Fault

# The columns that are read, by name and type; text is never turned into a float.
_COLUMNS = {
    "id": pa.string(),
    "time": pa.int64(),
    "side": pa.string(),
    "price": wire.PRICE,
    "size": wire.SIZE,
}
_FILE = re.compile(r"(?P<symbol>\w+)-(?P<day>\d{4}-\d\d-\d\d)\.csv\.gz")
_DAY = timedelta(days=1)


@attrs.frozen
class Trades:
    """Made-up trades of BTCUSD, ETHUSD and DOGEUSD from 2024-01-01 on, the same on every machine.

    Without `archive_url` the files are made on the spot and nothing is downloaded.
    """

    seed: int = option(1, help="another number is another market", validator=ge(0))
    trades_per_day: int = option(
        30_000, help="how many trades a day has, give or take a tenth", validator=ge(1)
    )
    faults: tuple[Fault, ...] = option((), help="what is wrong with the files of faulty days")
    faulty_days: tuple[date, ...] = option((), help="the days with faults; left out: every day")
    lost_days: tuple[date, ...] = option((), help="the days whose trades nobody has any more")
    archive_url: str = option(
        "", help="where published files are; left out: they are made on the spot", identity=False
    )

    # Facts, not options: what the core may rely on. A fact that depends on an option is a property.
    exchange: ClassVar[str] = wire.EXCHANGE
    schema: ClassVar[pa.Schema] = wire.SCHEMA
    lag: ClassVar[timedelta] = timedelta(0)
    continuity: ClassVar[Continuity] = "contiguous"
    blind_spots: ClassVar[Sequence[str]] = ()

    def files(self, symbols: Sequence[str], start: date, stop: date, http: Http) -> Iterator[File]:
        """Yield the day files of each symbol; a checksum file lies beside each published one."""
        for symbol in symbols:
            if self.archive_url:
                listed = self._listed(symbol, http)
                yield from (file for file in listed if start <= file.start < stop)
            else:
                yield from self._made(symbol, start, stop)

    def _listed(self, symbol: str, http: Http) -> Iterator[File]:
        folder = f"{self.archive_url.rstrip('/')}/trades/{symbol}/"
        names = set(hrefs(http.text(folder)))
        for name in sorted(names):
            found = _FILE.fullmatch(name)
            if found and found["symbol"] == symbol:
                day = date.fromisoformat(found["day"])
                checksum = f"{name}.CHECKSUM"
                beside = folder + checksum if checksum in names else ""
                yield File(folder + name, day, day + _DAY, (symbol,), beside)

    def _made(self, symbol: str, start: date, stop: date) -> Iterator[File]:
        exchange = self._exchange()
        for day in exchange.days(symbol, start, stop):
            wrong = "sha256:" + "0" * 64 if "checksum" in exchange.faults_of(day) else ""
            yield File(f"sim:///{path(symbol, day)}", day, day + _DAY, (symbol,), wrong)

    def content(self, file: File) -> Iterable[bytes]:
        """Yield the bytes of a file that is made on the spot; a real exchange needs no such."""
        yield self._exchange().file(file.symbols[0], file.start)

    def _exchange(self) -> Exchange:
        faulty = (self.faults, self.faulty_days, self.lost_days)
        return Exchange(self.seed, self.trades_per_day, *faulty)

    def read(
        self, file: File, stream: BinaryIO, symbols: Sequence[str]
    ) -> Iterator[pa.RecordBatch]:
        """Yield the trades of a file in its order, some ten thousand at a time."""
        for row, block in blocks(stream, file.url, _COLUMNS):
            yield _trades(block, file, row)


def _trades(block: pa.RecordBatch, file: File, row: int) -> pa.RecordBatch:
    """Return rows of TRADE out of rows of a file, of which the first is number `row`."""
    taker, side = wire.signs(block["side"]), block["side"]
    check(taker != 0, file.url, row, lambda bad: f"side cannot be {side[bad].as_py()!r:.40}")
    return batch(
        wire.SCHEMA,
        exchange=word(wire.EXCHANGE, block.num_rows),
        symbol=word(file.symbols[0], block.num_rows),
        timestamp=stamped(block["time"], wire.TIME_UNIT, file.url, row),
        trade_id=block["id"],
        tick_rule=taker,
        price=block["price"],
        size=block["size"],
        notional=wire.notionals(block["price"], block["size"]),
    )


@hookimpl
def werks_archives() -> Mapping[str, type]:
    """Offer `sim.trades`."""
    return {"trades": Trades}
