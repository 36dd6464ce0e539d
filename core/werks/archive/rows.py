"""A stream of comma-separated text as blocks of typed columns, with errors that name the row."""

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, BinaryIO, NoReturn

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..amounts import ints
from ..errors import DataError, MessageError
from ..schema import times
from ..wire import FIRST_TIME, LAST_TIME
from .parse import reading

# What the CSV reader takes for a number; Python's own would take 1_000 and other scripts' digits.
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
_WHOLE = re.compile(r"\s*-?\d+\s*", re.ASCII)
_ADVICE = "fetch the file again"
_NO_LETTER = "\ufffd"  # stands where bytes are not UTF-8


def blocks(
    stream: BinaryIO,
    name: str,
    columns: Mapping[str, pa.DataType],
    header: Sequence[str] | None = None,
    optional: Mapping[str, pa.DataType] | None = None,
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Yield (number of the block's first row, block) of comma-separated text, in order.

    A block has the `columns`, and those of the `optional` ones that the file has. `header` names
    the columns of a file without a header line. Rows count from 1, the header line included, empty
    lines left out. Text of few different words, such as a side, is best asked for as `WORD`: a
    block then has each word once, and says which of them stands in a row. MessageError names the
    row whose text is not what its column holds; DataError one in which a number is empty.
    """
    names = list(header) if header is not None else _names(stream, name, columns)
    wanted = dict(columns) | {k: v for k, v in (optional or {}).items() if k in names}
    row = 1 + (header is None)
    with reading(stream, names, header is None, wanted) as batches:
        while True:
            try:
                block = next(batches)
            except StopIteration:
                return
            except pa.ArrowInvalid as error:
                _explain(stream, name, (names, wanted), row, error)
            for column in wanted:
                empty = block[column].null_count
                if empty:
                    bad = int(np.argmax(block[column].is_null().to_numpy(zero_copy_only=False)))
                    raise DataError(f"{name}: row {row + bad}: {column} is empty; {_ADVICE}")
            yield row, block
            row += block.num_rows


def check(good: npt.NDArray[np.bool_], name: str, row: int, say: Callable[[int], str]) -> None:
    """Raise DataError for the first row that is not good; `say` tells what is wrong with it."""
    if not good.all():
        bad = int(np.argmin(good))
        raise DataError(f"{name}: row {row + bad}: {say(bad)}; {_ADVICE}")


def stamped(values: Any, unit: int, name: str, row: int) -> pa.Array:
    """Return a timestamp column out of whole numbers of `unit` nanoseconds each.

    `values` are an integer column, an integer array, or the limbs of a decimal column. DataError
    names the row whose time does not lie between 2009 and 2100: it is in another unit.
    """
    if isinstance(values, pa.Array):
        values = values.to_numpy()
    numbers = ints(values) if values.ndim > 1 else values
    good = (numbers >= FIRST_TIME // unit) & (numbers < LAST_TIME // unit)
    check(
        np.asarray(good, bool),
        name,
        row,
        lambda bad: f"timestamp {numbers[bad]} is not a time in units of {unit} ns",
    )
    return times(numbers.astype(np.int64) * unit)


def _names(stream: Any, name: str, columns: Mapping[str, pa.DataType]) -> list[str]:
    line = stream.first_line().decode("utf-8-sig", "replace")
    try:
        names = next(csv.reader([line]), [])
    except csv.Error:  # no table at all: its only line has no end, or holds what no line may
        names = []
    missing = [column for column in columns if column not in names]
    if missing:
        raise MessageError(
            f"{name}: unknown header {line[:200]!r}: there is no column {', '.join(missing)};"
            f" {_ADVICE}, or update the plugin"
        )
    return names


def _explain(
    stream: Any,
    name: str,
    shape: tuple[Sequence[str], Mapping[str, Any]],
    row: int,
    error: Exception,
) -> NoReturn:
    """Find the row that the CSV reader stumbled over, by reading again, and name it."""
    names, wanted = shape
    number = 0
    with stream.reopen() as again:
        lines = io.TextIOWrapper(io.BufferedReader(_Raw(again)), "utf-8", "replace", newline="")
        try:
            for number, cells in enumerate(filter(None, csv.reader(lines)), 1):
                if number >= row and (said := _wrong(cells, names, wanted)):
                    raise MessageError(f"{name}: row {number}{said}; {_ADVICE}") from error
        except csv.Error as worse:
            said = f"row {number + 1} is no line of CSV: {worse}"
            raise MessageError(f"{name}: {said}; {_ADVICE}") from error
    raise MessageError(f"{name}: cannot be read as CSV: {error}; {_ADVICE}") from error


def _wrong(cells: Sequence[str], names: Sequence[str], wanted: Mapping[str, Any]) -> str:
    """Return what is wrong with a row; empty if nothing is."""
    if len(cells) != len(names):
        return f" has {len(cells)} fields, expected {len(names)}"
    for column, kind in wanted.items():
        text = cells[names.index(column)]
        if text and not _readable(text, kind):
            return f": {column} cannot be {text[:80]!r}: {_words(kind)}"
    return ""


class _Raw(io.RawIOBase):
    """A ByteStream as the raw file that the standard library's text layer wants."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def _readable(text: str, kind: pa.DataType) -> bool:
    if pa.types.is_decimal(kind):
        if not _NUMBER.fullmatch(text):
            return False
        digits = Decimal(text.strip()).normalize().as_tuple()
        return bool(-int(digits.exponent) <= kind.scale)
    if pa.types.is_integer(kind):
        return bool(_WHOLE.fullmatch(text)) and -(2**63) <= int(text) < 2**63
    return _NO_LETTER not in text


def _words(kind: pa.DataType) -> str:
    if pa.types.is_decimal(kind):
        return f"a number with at most {kind.scale} digits after the point is expected"
    return (
        "a whole number is expected" if pa.types.is_integer(kind) else "text in UTF-8 is expected"
    )
