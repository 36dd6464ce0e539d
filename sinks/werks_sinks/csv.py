"""The sink `csv`: text that everything reads."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Literal

import attrs
import pyarrow as pa

from werks.components import Proof, Receipt, Window, Writer, option
from werks.hookspecs import hookimpl

from .files import FileWriter, Folder, Format, read
from .formats import Encoder
from .growing import Manner
from .grown import Grown
from .lines import Spelling
from .packing import PACKINGS, Packing, opened, packed
from .parsing import parsed, require_whole
from .rotating import RotatingWriter
from .rotation import place, rotation

_ROWS = 1 << 14
_TIMES = ("iso", "ns", "us", "ms")
_WRONG_IN_A_WORD = frozenset('/,"\r\n')


def _check_columns(_: Any, __: Any, given: tuple[str, ...]) -> None:
    if len(set(given)) < len(given):
        raise ValueError("columns: each column once is expected")


def _check_booleans(_: Any, __: Any, given: str) -> None:
    words = given.split("/")
    good = len(words) == len(set(words)) == 2 and all(words)
    if not good or any(_WRONG_IN_A_WORD & set(word) for word in words):
        raise ValueError(f'booleans: a pair like "true/false" is expected, not {given!r}')


def _check_rotate(_: Any, __: Any, given: str) -> None:
    rotation(given, "UTC")


def _check_zone(_: Any, __: Any, given: str) -> None:
    place(given)


@attrs.frozen
class Csv:
    """Writes CSV files, one a day, symbol and node, or such as grow until they are full.

    The files of days lie at `<path>/<node>/<exchange>/<symbol>/<YYYY-MM-DD>.csv`, those that
    `rotate` makes at `…/<symbol>/<symbol>_<time of the first row>.csv`; what is still open at the
    end, such as an unfinished bar, is in `open.csv` beside them. Amounts are exact, without
    exponents and trailing zeros; what is unknown is empty.
    """

    path: Path = option(help="The folder that the files go to; it is made if it is not there.")
    header: bool = option(True, help="Whether a file begins with the names of its columns.")
    columns: tuple[str, ...] = option(
        (),
        help="The columns to be written, in their order; none for all of them.",
        validator=_check_columns,
    )
    booleans: str = option(
        "true/false",
        help="How yes and no are written: `true/false`, `True/False`, `1/0` or any two words.",
        validator=_check_booleans,
    )
    timestamps: Literal["iso", "ns", "us", "ms"] = option(
        "iso",
        help="How times are written: `iso`, 2019-10-01T00:00:20.901823000Z, or a number since 1970"
        " in `ns`, `us` or `ms`; a time that has more digits than that is refused.",
        validator=attrs.validators.in_(_TIMES),
    )
    compression: Packing = option(
        "",
        help="How a file is compressed when it is closed: `gz`, `zst` or `zip`; empty for not.",
        validator=attrs.validators.in_(PACKINGS),
    )
    rotate: str = option(
        "",
        help="When a new file begins: at a size (`1 GB`, `10 MiB`), every so long (`1h`), at a"
        " time of day (`00:00`) or on a weekday (`monday`); empty for a file a day.",
        validator=_check_rotate,
    )
    zone: str = option(
        "UTC",
        help="The time zone of a time of day or weekday in `rotate`, for example `Europe/Berlin`.",
        validator=_check_zone,
    )
    close_at_end: bool = option(
        False,
        help="Whether the file that still grows is published, too, when the writing ends.",
        identity=False,
    )

    @property
    def replaces(self) -> bool:
        """Whether a window that is written again replaces the first: not in files that grow."""
        return not self.rotate

    def open(self, schemas: Mapping[str, pa.Schema]) -> Writer:
        """Return a writer for these nodes."""
        for node, schema in schemas.items():
            self._spelling.require(node, schema)
        files = FileWriter(self._folder, schemas, self._form)
        manner = self._manner
        if manner is None:
            return files
        return RotatingWriter(self.path, schemas, manner, files, self.close_at_end)

    def holds(self, window: Window, node: str, receipt: Receipt) -> bool:
        """Tell whether a window's rows are still there, in all files that they are in."""
        if self._grows(window):
            return Grown(self.path).holds(window, node, receipt)
        return self._folder.holds(window, node, receipt)

    def proofs(self, node: str) -> Iterable[tuple[Window, Proof | None]]:
        """Yield all windows of a node that are there, with the proofs that lie beside them."""
        days = Grown(self.path).proofs(node) if self.rotate else iter(())
        return chain(days, self._folder.proofs(node))

    def read(self, window: Window, node: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a window by the schema that they were written with."""
        manner = self._manner
        if manner is not None and self._grows(window):
            return Grown(self.path).read(window, node, schema, manner)
        return read(self._folder, self._form, window, node, schema)

    def _grows(self, window: Window) -> bool:
        return bool(self.rotate) and window.day is not None

    @property
    def _manner(self) -> Manner | None:
        found = rotation(self.rotate, self.zone)
        return Manner(self._spelling, found, self.compression) if found else None

    @property
    def _spelling(self) -> Spelling:
        yes, no = self.booleans.split("/")
        return Spelling(self.columns, self.header, (yes, no), self.timestamps)

    @property
    def _packing(self) -> Packing:
        """How the files of days are packed; where files grow, there is only `open.csv`."""
        return "" if self.rotate else self.compression

    @property
    def _folder(self) -> Folder:
        return Folder(self.path, f"csv.{self._packing}".rstrip("."))

    @property
    def _form(self) -> Format:
        return Format(self._start, self._load, rows=lambda _: _ROWS)

    def encoder(self, file: BinaryIO, schema: pa.Schema) -> Encoder:
        """Return what puts rows into one open file, as `werks export` does."""
        return self._start(file, schema)

    def _start(self, file: BinaryIO, schema: pa.Schema) -> "_Rows":
        return _Rows(file, schema, self._spelling, self._packing)

    def _load(self, path: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        with opened(path, self._packing) as file:
            require_whole(self._spelling, schema, str(path))
            yield from parsed(file, self._spelling, schema)


class _Rows:
    """Puts batches into a CSV file."""

    def __init__(
        self, file: BinaryIO, schema: pa.Schema, spelling: Spelling, packing: Packing
    ) -> None:
        self._spelling, self._packed = spelling, packed(file, packing, _member(file))
        self._file = self._packed.__enter__()
        self._file.write(spelling.head(schema))

    def write(self, batch: pa.RecordBatch) -> None:
        self._file.write(self._spelling.lines(batch))

    def close(self) -> None:
        self._packed.__exit__(None, None, None)


def _member(file: BinaryIO) -> str:
    """Return what the file in a zip is called: like the zip, which is written as `.<it>.….tmp`."""
    stem, _, _ = Path(file.name).name.removeprefix(".").partition(".csv")
    return f"{stem}.csv"


@hookimpl
def werks_sinks() -> dict[str, type]:
    """Offer the sink."""
    return {"csv": Csv}
