"""A plugin of one file for the tests of the core: an archive of plain files and a sink of lines."""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar, Literal

import attrs
import pyarrow as pa

from werks import amounts
from werks.archive import blocks, stamped
from werks.components import File, Window, option
from werks.hookspecs import hookimpl
from werks.schema import Scales, batch, kind, schema, word

SCALES = Scales(price=2, size=4)
COLUMNS = {
    "id": pa.string(),
    "time": pa.int64(),
    "price": pa.decimal128(38, SCALES.price),
    "size": pa.decimal128(38, SCALES.size),
}
HEADER = "id,time,price,size\n"
_FILE = re.compile(r"(?P<symbol>.+)-(?P<day>\d{4}-\d\d-\d\d)\.csv")


def day_file(folder: Path, symbol: str, day: date, rows: int = 10) -> Path:
    """Publish a day of trades, the same at each call; return the file."""
    midnight = (day - date(1970, 1, 1)).days * 86_400_000
    lines = [f"{n},{midnight + n * 30_000},{100 + n % 7}.5,0.{n % 9 + 1}\n" for n in range(rows)]
    path = folder / f"{symbol}-{day}.csv"
    path.write_text(HEADER + "".join(lines))
    return path


@attrs.frozen
class Trades:
    """The trades of a shop around the corner."""

    folder: Path = option(help="where the day files lie", identity=False)
    market: Literal["spot", "linear"] = option("spot", help="spot or linear")
    least: Decimal = option(Decimal(0), help="an amount")
    deep: bool = option(False, help="yes or no")
    token: str = option("", help="a password", secret=True)

    exchange: ClassVar[str] = "shop"
    schema: ClassVar[pa.Schema] = schema("TRADE", SCALES)
    continuity: ClassVar[str] = "contiguous"
    blind_spots: ClassVar[Sequence[str]] = ("what is sold at night",)
    lag: ClassVar[timedelta] = timedelta(days=1)

    def files(self, symbols: Sequence[str], start: date, stop: date, http: Any) -> Iterator[File]:
        """Yield the files of the folder."""
        for path in sorted(self.folder.iterdir()):
            found = _FILE.fullmatch(path.name)
            if found and found["symbol"] in symbols:
                day = date.fromisoformat(found["day"])
                if start <= day < stop:
                    url = path.resolve().as_uri()
                    yield File(url, day, day + timedelta(days=1), (found["symbol"],))

    def read(self, file: File, stream: Any, symbols: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a file; one that is named after death ends the process."""
        if file.symbols[0] == "DEATH":
            os._exit(7)
        for row, block in blocks(stream, file.url, COLUMNS):
            price, size = (amounts.ints(amounts.limbs(block[name])) for name in ("price", "size"))
            yield batch(
                self.schema,
                exchange=word(self.exchange, block.num_rows),
                symbol=word(file.symbols[0], block.num_rows),
                timestamp=stamped(block["time"], 10**6, file.url, row),
                trade_id=block["id"],
                tick_rule=pa.array([1] * block.num_rows, pa.int8()),
                price=block["price"],
                size=block["size"],
                notional=amounts.column(amounts.product(price, size), SCALES.notional),
            )


@attrs.frozen
class Ticker:
    """The same trades as they happen."""

    folder: Path = option(help="where the day files lie", identity=False)
    speed: int = option(1, help="how often a second")

    exchange: ClassVar[str] = "shop"
    schema: ClassVar[pa.Schema] = schema("TRADE", SCALES)
    continuity: ClassVar[str] = "contiguous"
    blind_spots: ClassVar[Sequence[str]] = ()
    url: ClassVar[str] = "wss://shop.example"
    ping: ClassVar[None] = None
    most_symbols: ClassVar[int] = 1
    stale_after: ClassVar[float] = 10.0
    connection_lifetime: ClassVar[None] = None
    disorder: ClassVar[timedelta] = timedelta(0)

    def converse(self, http: Any, symbols: Sequence[str]) -> Any:
        """Nobody listens to it."""
        raise NotImplementedError


@attrs.frozen
class Other(Trades):
    """The trades of another market with more digits."""

    exchange: ClassVar[str] = "shop-other"
    schema: ClassVar[pa.Schema] = schema("TRADE", Scales(price=3, size=4))


@attrs.frozen
class Night(Trades):
    """The same shop's trades by another name."""


@attrs.frozen
class Lines:
    """Keeps rows as lines of JSON, a file a node and window."""

    replaces: ClassVar[bool] = True

    path: Path = option(help="the folder that the files go to")
    token: str = option("", help="a password", secret=True)

    def open(self, schemas: Mapping[str, pa.Schema]) -> "_Writer":
        """Return a writer."""
        return _Writer(self.path)

    def holds(self, window: Window, node: str, receipt: Mapping[str, Any]) -> bool:
        """Tell whether the file is there."""
        return not receipt[node] or _target(self.path, window, node).exists()


class _Writer:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: dict[tuple[Window, str], list[str]] = {}

    def write(self, window: Window, node: str, rows: pa.RecordBatch) -> None:
        lines = self._rows.setdefault((window, node), [])
        for row in rows.to_pylist():
            key = "trade_id" if kind(rows.schema) in ("TRADE", "TICK") else "timestamp"
            lines.append(json.dumps({"key": str(row[key]), "notional": str(row["notional"])}))

    def commit(self, window: Window, nodes: Sequence[str]) -> dict[str, Any]:
        receipt = {}
        for node in nodes:
            lines = self._rows.pop((window, node), [])
            receipt[node] = len(lines)
            target = _target(self._path, window, node)
            target.unlink(missing_ok=True)
            if lines:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text("".join(f"{line}\n" for line in lines))
        return receipt

    def abort(self) -> None:
        self._rows.clear()

    def close(self) -> None:
        pass


def _target(path: Path, window: Window, node: str) -> Path:
    return path / node / window.symbol / f"{window.name}.txt"


@hookimpl
def werks_archives() -> Mapping[str, type]:
    """Offer sources."""
    return {"trades": Trades, "other": Other, "night": Night}


@hookimpl
def werks_feeds() -> Mapping[str, type]:
    """Offer a second door of `shop.trades`."""
    return {"trades": Ticker}


@hookimpl
def werks_sinks() -> Mapping[str, type]:
    """Offer `shop`, without a dot."""
    return {"shop": Lines}
