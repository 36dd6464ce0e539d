"""Rows as lines of comma-separated text, each row by itself: how they come in makes no difference.

Most batches are written by pyarrow as they are. It quotes all text or none, so where some text
holds a comma, a quote or a line's end, or is empty, the lines are put together here.
"""

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from werks.errors import SinkError

from . import text

PLAIN_WORDS = ("true", "false")
# How many nanoseconds a time that is written as a number is counted in.
UNITS = {"ns": 1, "us": 1_000, "ms": 1_000_000}
_SPECIAL = r'[,"\r\n]'
_NEWLINE, _QUOTE = b'\n"'


@attrs.frozen
class Spelling:
    """How rows are written: which columns in which order (none named: all), and by which words."""

    columns: tuple[str, ...] = ()
    header: bool = True
    booleans: tuple[str, str] = PLAIN_WORDS
    timestamps: str = "iso"

    def names(self, schema: pa.Schema) -> list[str]:
        """Return the columns of a line, in their order."""
        return list(self.columns or schema.names)

    def lacks(self, schema: pa.Schema) -> list[str]:
        """Return the columns that are left out."""
        return [name for name in schema.names if name not in self.names(schema)]

    def require(self, node: str, schema: pa.Schema) -> None:
        """Raise SinkError, naming the node and what it has, if one of the columns is not there."""
        unknown = [name for name in self.columns if name not in schema.names]
        if unknown:
            raise SinkError(
                f"columns: {node} has no {', '.join(unknown)}; it has: {', '.join(schema.names)}"
            )

    def head(self, schema: pa.Schema) -> bytes:
        """Return what a file begins with."""
        return (",".join(self.names(schema)) + "\n").encode() if self.header else b""

    def lines(self, batch: pa.RecordBatch) -> pa.Buffer:
        """Return rows as lines; SinkError if a time has more digits than it may be written with."""
        names = self.names(batch.schema)
        columns = [self._column(batch.column(name), name) for name in names]
        if any(map(_has_empty, columns)):
            return _quoted(columns)
        plain = pa.RecordBatch.from_arrays(columns, names=names)
        try:
            return _encoded(plain)
        except pa.ArrowInvalid:  # a comma, a quote or a line's end within some text
            return _quoted(columns)

    def _column(self, column: pa.Array, name: str) -> pa.Array:
        if pa.types.is_decimal(column.type):
            return text.amounts(column)
        if pa.types.is_timestamp(column.type):
            if self.timestamps == "iso":
                return text.times(column)
            return _counted(column, name, self.timestamps)
        if pa.types.is_dictionary(column.type):
            return column.cast(column.type.value_type)
        if pa.types.is_boolean(column.type) and self.booleans != PLAIN_WORDS:
            yes, no = (pa.scalar(word, pa.string()) for word in self.booleans)
            return pc.if_else(column, yes, no)
        return column


def ends(lines: pa.Buffer) -> npt.NDArray[np.int64]:
    """Return where each line ends; a line's end within quotes is none."""
    letters = np.frombuffer(lines, np.uint8)
    found = np.flatnonzero(letters == _NEWLINE)
    quotes = np.flatnonzero(letters == _QUOTE)
    if len(quotes):
        found = found[np.searchsorted(quotes, found) % 2 == 0]
    return found + 1


def _counted(column: pa.Array, name: str, unit: str) -> pa.Array:
    numbers, size = column.view(pa.int64()), pa.scalar(UNITS[unit], pa.int64())
    if unit == "ns":
        return numbers
    counted = pc.divide(numbers, size)
    odd = pc.not_equal(pc.multiply(counted, size), numbers).fill_null(False)
    if pc.any(odd, min_count=0).as_py():
        at = text.times(column.filter(odd).slice(0, 1))[0]
        raise SinkError(f'timestamps: {name} {at} is no whole number of {unit}; take "ns" or "iso"')
    return counted


def _encoded(batch: pa.RecordBatch) -> pa.Buffer:
    from pyarrow import csv

    options = csv.WriteOptions(include_header=False, batch_size=8192, quoting_style="none")
    stream = pa.BufferOutputStream()
    csv.write_csv(batch, stream, options)
    return stream.getvalue()


def _quoted(columns: list[pa.Array]) -> pa.Buffer:
    """Return lines in which text is quoted where it must be, and nowhere else."""
    parts = [_guarded(column) if pa.types.is_string(column.type) else column for column in columns]
    cells = [part.cast(pa.string()) for part in parts]
    comma, newline, nothing = (pa.scalar(each, pa.string()) for each in (",", "\n", ""))
    skip = {"null_handling": "replace", "null_replacement": ""}
    joined = pc.binary_join_element_wise(*cells, comma, **skip)
    lines = pc.binary_join_element_wise(joined, nothing, newline)
    _, offsets, data = lines.buffers()
    begin, end = np.frombuffer(offsets, np.int32)[[lines.offset, lines.offset + len(lines)]]
    return data.slice(int(begin), int(end - begin))


def _guarded(column: pa.Array) -> pa.Array:
    special = pc.or_(
        pc.match_substring_regex(column, _SPECIAL),
        pc.equal(pc.binary_length(column), pa.scalar(0, pa.int32())),
    )
    quote, nothing = pa.scalar('"', pa.string()), pa.scalar("", pa.string())
    doubled = pc.replace_substring(column, '"', '""')
    return pc.if_else(special, pc.binary_join_element_wise(quote, doubled, quote, nothing), column)


def _has_empty(column: pa.Array) -> bool:
    """Tell whether some text is empty; it is quoted, as a field without anything is null."""
    if not pa.types.is_string(column.type):
        return False
    return pc.min(pc.binary_length(column)).as_py() == 0  # type: ignore[no-any-return]
