import gzip
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import attrs
import pyarrow as pa
import pytest

from werks.archive import ByteStream
from werks.components import File
from werks_bitmex import Trades

Row = Mapping[str, str]

_COLUMNS = (
    "timestamp",
    "symbol",
    "side",
    "size",
    "price",
    "tickDirection",
    "trdMatchID",
    "grossValue",
    "homeNotional",
    "foreignNotional",
)


def _rows(body: str) -> Any:
    """Return what REST or websocket sent, with the text of its numbers."""
    return json.loads(body, parse_float=str, parse_int=str)


@attrs.frozen
class Layout:
    """How a day file was written at some time: its columns after the first ten, its fractions."""

    more: tuple[str, ...] = ()
    digits: int | None = 9

    def text(self, rows: Iterable[Row]) -> str:
        columns = (*_COLUMNS, *self.more)
        lines = [",".join(columns)]
        for row in rows:
            cells = {"trdType": "Regular", "pool": "Primary", **row}
            cells["timestamp"] = self._time(row["timestamp"])
            lines.append(",".join(cells.get(column, "") for column in columns))
        return "".join(f"{line}\n" for line in lines)

    def _time(self, text: str) -> str:
        whole, _, fraction = text.removesuffix("Z").replace("T", "D").partition(".")
        if self.digits is None:  # trailing zeros left out
            fraction = fraction.rstrip("0")
        else:
            fraction = fraction.ljust(9, "0")[: self.digits]
        return f"{whole}.{fraction}" if fraction else whole


@pytest.fixture(scope="session")
def layout() -> type[Layout]:
    """Return the class that writes day files."""
    return Layout


@pytest.fixture(scope="session")
def rows_of() -> Callable[[str], Any]:
    """Return the function that reads JSON and keeps the text of numbers."""
    return _rows


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., pa.Table]:
    """Return a function that reads a day file: (text, symbols, day)."""

    def _read(
        text: str, symbols: Sequence[str] = ("XBTUSD",), day: date = date(2019, 5, 3)
    ) -> pa.Table:
        door: Any = Trades()
        name = f"{day:%Y%m%d}.csv.gz"
        file = File(f"https://archive/{name}", day, day + timedelta(days=1), tuple(symbols))
        path = tmp_path / name
        path.write_bytes(gzip.compress(text.encode(), 1))
        with ByteStream(path, file.url, ahead=False) as stream:
            return pa.Table.from_batches(door.read(file, stream, symbols), door.schema)

    return _read


@pytest.fixture(scope="session")
def xbtusd(captures: Path) -> list[Row]:
    """Return 2928 trades of 2019-05-03, 12:00 to 12:03, out of three pages that overlap."""
    pages = [captures / "bitmex" / f"rest-trade-XBTUSD-20190503-page{n}.json" for n in (1, 2, 3)]
    rows = [row for page in pages for row in _rows(page.read_text())]
    return list({row["trdMatchID"]: row for row in rows}.values())


@pytest.fixture(scope="session")
def reverse(captures: Path) -> list[Row]:
    """Return a page of 1000 trades of 2022-09-25, turned to be oldest first."""
    page = captures / "bitmex" / "rest-trade-XBTUSD-20220925-reverse.json"
    return list(reversed(_rows(page.read_text())))


@pytest.fixture(scope="session")
def markets(captures: Path) -> list[Row]:
    """Return 27 trades of 2021-07-22 in ten markets, inverse, linear and quanto."""
    path = captures / "bitmex" / "ws-trade-quote-bookL2-20210722.jsonl"
    received = [json.loads(line) for line in path.read_text().splitlines()]
    heard = [_rows(line["raw"]) for line in received if '"trade"' in line.get("raw", "")]
    return [row for message in heard for row in message.get("data", [])]


@pytest.fixture(scope="session")
def instruments(captures: Path) -> dict[str, Any]:
    """Return the instruments of 2021-07-22 by symbol."""
    path = captures / "bitmex" / "rest-instrument-active-20210722.jsonl"
    bodies = [json.loads(line)["body"] for line in path.read_text().splitlines()]
    return {item["symbol"]: item for body in bodies for item in json.loads(body)}
