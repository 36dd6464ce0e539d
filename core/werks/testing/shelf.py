"""An archive door and what lies published behind it: to be listed, read, damaged and refused."""

import gzip
import io
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import unquote, urlsplit

import attrs
import pyarrow as pa
import pytest

from ..archive import ByteStream, fetched
from ..components import Archive, File
from ..errors import DataError, MessageError
from ..http import Http
from .loopback import Loopback

Cells = list[str]
UNREADABLE = (MessageError, DataError)


@attrs.frozen
class Totals:
    """What a symbol's rows come to, exactly; amounts may be given as text."""

    rows: int
    size: Decimal = attrs.field(converter=Decimal)
    notional: Decimal = attrs.field(converter=Decimal)


@attrs.frozen
class Published:
    """What `publish` put on the server for the days from `start` to `stop`, `stop` exclusive.

    `days` are those that have a file; left out, all have. Files of the day before `start` or of the
    day `stop` may lie there too, to show that they are not read.
    """

    start: date
    stop: date
    totals: Mapping[str, Totals]
    days: Sequence[date] | None = None

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols, in the order of their totals."""
        return tuple(self.totals)

    @property
    def files(self) -> Sequence[date]:
        """The days that have a file."""
        count = (self.stop - self.start).days
        every = [self.start + timedelta(days=n) for n in range(count)]
        return every if self.days is None else self.days


@attrs.frozen
class Shelf:
    """A door, what is published, and the files that the door lists for it."""

    component: Archive
    published: Published
    loopback: Loopback
    http: Http
    header: int
    """The number of header lines, 0 or 1."""

    def files(self, *symbols: str) -> list[File]:
        """Return what the door lists for the days published; without symbols, for all of them."""
        days = self.published
        wanted = symbols or days.symbols
        return list(self.component.files(wanted, days.start, days.stop, self.http))

    def read(self, file: File, *symbols: str) -> list[pa.RecordBatch]:
        """Fetch and read a file; without symbols, for all that it was listed for."""
        wanted = symbols or file.symbols
        with (
            fetched(file, self.http) as path,
            ByteStream(path, file.url, ahead=False) as stream,
        ):
            # A ByteStream has the part of a binary file that reading needs.
            batches = self.component.read(file, stream, wanted)  # type: ignore[arg-type]
            return [batch for batch in batches if batch.num_rows]

    def batches(self, *symbols: str) -> list[pa.RecordBatch]:
        """Return all rows of the days published."""
        return [batch for file in self.files(*symbols) for batch in self.read(file)]

    def body(self, file: File) -> bytes:
        """Return the bytes of a published file."""
        return self.loopback.body(_path(file))

    def publish(self, file: File, body: bytes) -> File:
        """Put other bytes in a file's place; return it without the checksum of the old ones."""
        self.loopback.put(_path(file), body)
        return attrs.evolve(file, checksum="")

    def lines(self, file: File) -> list[str]:
        """Return the lines of a published file, unpacked."""
        return _unpacked(self.body(file), file.name).decode().splitlines()

    def rewrite(self, file: File, lines: Sequence[str]) -> File:
        """Put a file with other lines in a file's place."""
        text = "".join(f"{line}\n" for line in lines)
        return self.publish(file, _packed(text.encode(), file.name))

    def change_row(self, file: File, change: Callable[[Cells, Decimal], Cells]) -> tuple[File, int]:
        """Change the cells of one row, found by its price; return the file and the row's number."""
        price = self.read(file)[0]["price"][0].as_py()
        lines = self.lines(file)
        at = next(n for n in range(self.header, len(lines)) if _has(lines[n].split(","), price))
        lines[at] = ",".join(change(lines[at].split(","), price))
        return self.rewrite(file, lines), at + 1

    def refused(self, file: File, row: int = 0, error: Any = UNREADABLE) -> None:
        """Read a file and expect an error, one line that names the file, and the row if given."""
        with pytest.raises(error) as caught:
            self.read(file)
        message = str(caught.value)
        assert file.name in message
        assert "\n" not in message
        assert not row or re.search(rf"\brow {row}\b", message), message


def replaced(text: str) -> Callable[[Cells, Decimal], Cells]:
    """Return a change that puts text in place of the price."""
    return lambda cells, price: [text if _number(cell) == price else cell for cell in cells]


def _has(cells: Cells, price: Decimal) -> bool:
    return any(_number(cell) == price for cell in cells)


def _number(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def _path(file: File) -> str:
    return unquote(urlsplit(file.url).path)


def _unpacked(body: bytes, name: str) -> bytes:
    if name.endswith(".zip"):
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            return archive.read(archive.namelist()[0])
    return gzip.decompress(body) if name.endswith(".gz") else body


def _packed(text: bytes, name: str) -> bytes:
    if name.endswith(".gz"):
        return gzip.compress(text)
    if not name.endswith(".zip"):
        return text
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{name.removesuffix('.zip')}.csv", text)
    return packed.getvalue()
