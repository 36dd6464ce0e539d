"""The exchange's own side: its trades, and how they are published as files."""

import gzip
import hashlib
import io
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import attrs
import pyarrow as pa
import pyarrow.csv as pacsv

from werks import amounts
from werks.errors import MissingError

from . import market
from .faults import Fault, mangled, rows, truncated
from .market import MARKETS, START, Draws, Tape

HEADER = b"id,time,side,price,size\n"
_DAY = timedelta(days=1)


@attrs.frozen
class Exchange:
    """A simulated exchange; `faults` befall its `faulty_days`, or every day if none is named.

    Trades of `lost_days` are neither in a file nor to be had by REST; candles tell of them.
    """

    seed: int = 1
    trades_per_day: int = 30_000
    faults: tuple[Fault, ...] = ()
    faulty_days: tuple[date, ...] = ()
    lost_days: tuple[date, ...] = ()

    def days(self, symbol: str, start: date, stop: date) -> Iterator[date]:
        """Yield the days from `start` to before `stop` that have a file."""
        _known(symbol)
        first = max(start, START)
        for number in range((stop - first).days):
            day = first + number * _DAY
            if day not in self.lost_days and "missing_day" not in self.faults_of(day):
                yield day

    def faults_of(self, day: date) -> tuple[str, ...]:
        """Return what is wrong with a day."""
        return self.faults if not self.faulty_days or day in self.faulty_days else ()

    def tape(self, symbol: str, day: date) -> Tape:
        """Return what was traded on a day, without faults; MissingError if there is no market."""
        _known(symbol)
        return market.tape(self.seed, symbol, day, self.trades_per_day)

    def published(self, symbol: str, start: date, stop: date) -> Iterator[tuple[str, bytes]]:
        """Yield (path, body) of the day files and of their checksum files."""
        for day in self.days(symbol, start, stop):
            body = self.file(symbol, day)
            wrong = "checksum" in self.faults_of(day)
            digest = "0" * 64 if wrong else hashlib.sha256(body).hexdigest()
            yield path(symbol, day), body
            yield f"{path(symbol, day)}.CHECKSUM", f"{digest}  {symbol}-{day}.csv.gz\n".encode()

    def file(self, symbol: str, day: date) -> bytes:
        """Return a day file as it is published: gzipped, with a header, faults included."""
        tape, wrong = self.tape(symbol, day), self.faults_of(day)
        order = rows(wrong, Draws(self.seed, symbol, (day - START).days), len(tape))
        text = io.BytesIO()
        text.write(HEADER)
        options = pacsv.WriteOptions(include_header=False, quoting_style="none")
        pacsv.write_csv(table(tape).take(order), text, options)
        body = text.getvalue()
        if "mangled" in wrong:
            body = mangled(body)
        packed = gzip.compress(body, compresslevel=1, mtime=0)
        return truncated(packed) if "truncated" in wrong else packed

    def day_of(self, symbol: str, trade_id: int) -> date:
        """Return the day of a trade."""
        _known(symbol)
        return market.day_of(self.seed, symbol, trade_id, self.trades_per_day)


def path(symbol: str, day: date) -> str:
    """Return where the archive has a day."""
    return f"trades/{symbol}/{symbol}-{day}.csv.gz"


def _known(symbol: str) -> None:
    if symbol not in MARKETS:
        raise MissingError(f"sim has no market {symbol}; it has {', '.join(MARKETS)}")


def table(tape: Tape) -> pa.Table:
    """Return the columns of a day file; amounts have as many digits as their market has."""
    sides = pa.DictionaryArray.from_arrays(pa.array((tape.sides + 1) // 2), ["sell", "buy"])
    prices = amounts.column(amounts.from_ints(tape.prices), tape.market.price_digits)
    sizes = amounts.column(amounts.from_ints(tape.sizes), tape.market.size_digits)
    columns = {"id": tape.ids, "time": tape.times, "side": sides, "price": prices, "size": sizes}
    return pa.table(columns)


def spelt(trades: pa.Table) -> list[dict[str, Any]]:
    """Return trades as REST and websocket spell them: amounts are text."""
    for at, name in ((3, "price"), (4, "size")):
        trades = trades.set_column(at, name, trades[name].cast(pa.string()))
    rows: list[dict[str, Any]] = trades.to_pylist()
    return rows
