"""What the tests of the whole share: a small made-up Bybit archive, a pipeline file, a reader."""

import gzip
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from werks.pipeline import Report, load, run
from werks.testing import LoopbackSocket
from werks_sim import Words

HEADER = (
    "timestamp,symbol,side,size,price,tickDirection,trdMatchID,grossValue,homeNotional,"
    "foreignNotional\n"
)
FIRST = date(2024, 3, 1)

PIPELINE = """
[pipeline]
name = "test"
state = "{root}/werks.db"
{settings}

[sources.trades]
type = "bybit.trades"
symbols = {symbols}
start = {start}
stop = {stop}
archive_url = "{url}"

[transforms.ticks]
type = "aggregate"

[transforms.big]
type = "filter"
min_notional = 1000

[transforms.minutes]
type = "bars"
inputs = ["ticks"]
by = "time"
every = "1m"

[transforms.dollars]
type = "bars"
inputs = ["ticks"]
by = "notional"
every = {every}

[sinks.files]
type = "feather"
inputs = ["trades", "ticks", "big", "minutes", "dollars"]
path = "{root}/data"
"""


def day_rows(symbol: str, day: date, rows: int = 3000) -> list[str]:
    """Return a day of trades in Bybit's linear layout, oldest first, the same at each call."""
    seed = [ord(letter) for letter in symbol] + [day.toordinal()]
    draw = np.random.Generator(np.random.PCG64(seed))
    second = np.sort(draw.integers(0, 86_400 * 10_000, rows))
    second[1::5] = second[0::5][: len(second[1::5])]
    price = 60_000_00 + np.cumsum(draw.integers(-300, 301, rows))
    size = draw.integers(1, 2000, rows)
    side = np.where(draw.integers(0, 2, rows), "Buy", "Sell")
    side[1::5] = side[0::5][: len(side[1::5])]
    midnight = (day - date(1970, 1, 1)).days * 86_400
    ids = [f"{day.toordinal():08x}-{abs(hash_of(symbol)):04x}-{n:08x}" for n in range(rows)]
    return [
        f"{midnight + s // 10_000}.{s % 10_000:04d},{symbol},{w},{q / 1000:.3f},{p / 100:.2f},"
        f"PlusTick,{i},0,0,0\n"
        for s, w, q, p, i in zip(second, side, size, price, ids, strict=True)
    ]


def hash_of(text: str) -> int:
    """Return a small number that is the same in each process."""
    return sum(ord(letter) * 31**place for place, letter in enumerate(text)) % 65_536


def csv_gz(lines: list[str], header: str = HEADER) -> bytes:
    """Return lines as a published file."""
    return gzip.compress((header + "".join(lines)).encode(), 1)


def path_of(symbol: str, day: date) -> str:
    """Return where Bybit publishes a day."""
    return f"/trading/{symbol}/{symbol}{day}.csv.gz"


class Market:
    """A published archive, and pipelines that read it."""

    def __init__(self, loopback, root: Path) -> None:
        self.server = loopback
        self.root = root
        self.now = None

    def publish(self, symbol: str = "BTCUSDT", days: int = 3, rows: int = 3000) -> None:
        for number in range(days):
            day = FIRST + timedelta(days=number)
            self.server.put(path_of(symbol, day), csv_gz(day_rows(symbol, day, rows)))

    def file(self, name: str = "p.toml", text: str = PIPELINE, **given) -> Path:
        given.setdefault("start", FIRST)
        given.setdefault("stop", FIRST + timedelta(days=3))
        given.setdefault("symbols", '["BTCUSDT"]')
        given.setdefault("every", 20_000_000)
        given.setdefault("settings", "tries = 1")
        given.setdefault("root", self.root)
        path = self.root / name
        path.write_text(text.format(url=self.server.url, **given), encoding="utf-8")
        return path

    def run(self, file: Path | None = None, **given) -> Report:
        return run(load(file or self.file(**given)))

    def table(self, node: str, symbol: str = "BTCUSDT", folder: str = "data") -> pa.Table:
        """Return all rows of a node, days in order, the open remainder last."""
        return read(self.root / folder / node / "bybit-linear" / symbol)

    def tree(self, folder: str = "data", receipts: bool = False) -> dict[str, bytes]:
        """Return the bytes of all files, receipts left out if they are not asked for."""
        root = self.root / folder
        return {
            str(path.relative_to(root)): path.read_bytes()
            for path in sorted(root.rglob("*"))
            if path.is_file() and (receipts or path.parent.name != "_receipts")
        }


def read(folder: Path) -> pa.Table:
    """Return the Arrow files of a folder as one table."""
    paths = sorted(folder.glob("*.feather"))
    return pa.concat_tables([pa.ipc.open_file(pa.OSFile(str(p))).read_all() for p in paths])


def exact(table: pa.Table, column: str) -> Decimal:
    """Return the sum of a decimal column as a plain number."""
    return sum(table[column].drop_null().to_pylist(), Decimal(0))


@pytest.fixture
def server() -> Iterator[LoopbackSocket]:
    """The websocket of a simulated exchange."""
    with LoopbackSocket(partial(Words, snapshot=20), heartbeat=0.2) as running:
        yield running


@pytest.fixture
def market(loopback, tmp_path) -> Iterator[Market]:
    return Market(loopback, tmp_path)


@pytest.fixture
def total() -> Callable[[pa.Table, str], Decimal]:
    return exact
