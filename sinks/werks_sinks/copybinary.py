"""Rows as PostgreSQL's COPY takes them in binary, a batch at a time.

What stands at the same place in every row is written as columns of one matrix. A column whose
width differs from row to row (text, or where only some are null) is sorted by width and put
between the pieces of that matrix through a view in which an item begins at each byte.
"""

from collections.abc import Sequence
from typing import Any, cast

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from .numerics import Part, numeric

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TAIL = b"\xff\xff"
_NULL = b"\xff\xff\xff\xff"
# In microseconds; PostgreSQL counts them from 2000 on.
_TO_2000 = 946_684_800 * 10**6


@attrs.frozen
class Cells:
    """A column in rows where it is equally wide: the bytes they share, and what differs.

    A part stands at its byte. `rows` are the numbers of the rows; None: all of them.
    """

    shared: bytes
    parts: Sequence[Part] = ()
    rows: Ints | None = None


Field = list[Cells]


def tuples(columns: Sequence[Field], rows: int) -> Bytes:
    """Return rows, given by their columns, as they follow one another in a COPY."""
    shared, parts, varied = bytearray(len(columns).to_bytes(2)), [], []
    for field in columns:
        first = field[0]
        if first.rows is None:
            parts += [(len(shared) + at, values) for at, values in first.parts]
            shared += first.shared
        else:
            varied.append((len(shared), field))
    matrix = _filled(Cells(bytes(shared), parts), rows)
    return _joined(matrix, varied) if varied else matrix.reshape(-1)


def repeated(value: bytes | None) -> Field:
    """Return a column that has one value in every row, given as the server has it."""
    return [Cells(_NULL if value is None else len(value).to_bytes(4) + value)]


def field(column: pa.Array) -> Field:
    """Return a column of any type but time."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if column.null_count == len(column):
        return repeated(None)
    if pa.types.is_string(column.type):
        return _text(column)
    is_null = _nulls(column)
    if not pa.types.is_decimal(column.type):
        return numbers(_plain(column), is_null)
    if is_null is None:
        return [Cells(*numeric(column))]
    there, nulls = np.flatnonzero(~is_null), np.flatnonzero(is_null)
    return [Cells(*numeric(column.drop_null()), there), Cells(_NULL, (), nulls)]


def numbers(values: npt.NDArray[Any], is_null: Bools | None = None) -> Field:
    """Return a column of integers or booleans; those of two bytes are the least that there are."""
    if values.itemsize == 1 and values.dtype.kind != "b":
        values = values.astype(np.int16)
    size = values.itemsize
    head = size.to_bytes(4) + bytes(size)
    values = values.astype(values.dtype.newbyteorder(">"))
    if is_null is None:
        return [Cells(head, [(4, values)])]
    there = np.flatnonzero(~is_null)
    return [Cells(head, [(4, values[there])], there), Cells(_NULL, (), np.flatnonzero(is_null))]


def times(column: pa.Array) -> tuple[Field, Field]:
    """Return a column of times: microseconds, rounded down, and the nanoseconds that are left."""
    if column.null_count == len(column):
        return repeated(None), repeated(None)
    is_null = _nulls(column)
    stamps = column.view(pa.int64())
    stamps = (stamps if is_null is None else stamps.fill_null(0)).to_numpy()
    micros = stamps // 1000
    rest = (stamps - micros * 1000).astype(np.int16)
    return numbers(micros - _TO_2000, is_null), numbers(rest, is_null)


def _nulls(column: pa.Array) -> Bools | None:
    """Return where a column is null; None where it is nowhere."""
    if not column.null_count:
        return None
    return cast("Bools", column.is_null().to_numpy(zero_copy_only=False))


def _plain(column: pa.Array) -> npt.NDArray[Any]:
    """Return the values of a column as they are in memory; where it is null, any."""
    if pa.types.is_boolean(column.type):
        values = column.fill_null(False).to_numpy(zero_copy_only=False)
    else:
        values = (column.fill_null(0) if column.null_count else column).to_numpy()
    return cast("npt.NDArray[Any]", values)


def _text(column: pa.Array) -> Field:
    """Return a column of text, sorted by length."""
    _, ends, data = column.buffers()
    offsets = np.frombuffer(ends, np.int32)[column.offset : column.offset + len(column) + 1]
    lengths = np.diff(offsets)
    if column.null_count:
        lengths = np.where(column.is_valid().to_numpy(zero_copy_only=False), lengths, -1)
    raw = np.frombuffer(data or b"", np.uint8)
    found = np.flatnonzero(np.bincount(lengths + 1)) - 1
    if len(found) == 1:
        return [_equally_long(raw, offsets[:-1], int(found[0]), None)]
    cells = []
    for length in found.tolist():
        rows = np.flatnonzero(lengths == length)
        cells.append(_equally_long(raw, offsets[rows], length, rows))
    return cells


def _equally_long(raw: Bytes, starts: npt.NDArray[Any], length: int, rows: Ints | None) -> Cells:
    if length < 0:
        return Cells(_NULL, (), rows)
    head = length.to_bytes(4)
    if not length:
        return Cells(head, (), rows)
    return Cells(head + bytes(length), [(4, _items(raw, length)[starts])], rows)


def _items(raw: Bytes, width: int) -> npt.NDArray[np.void]:
    """Return a view of bytes as items of a width, one beginning at each byte."""
    whole = np.ndarray((len(raw) - width + 1,), f"V{width}", raw, strides=(1,))
    return cast("npt.NDArray[np.void]", whole)


def _filled(cells: Cells, rows: int) -> Bytes:
    """Return cells as a matrix of bytes, one row below the other."""
    matrix = np.empty((rows, len(cells.shared)), np.uint8)
    matrix[:] = np.frombuffer(cells.shared, np.uint8)
    for at, values in cells.parts:
        matrix[:, at : at + values.itemsize].view(values.dtype)[:, 0] = values
    return matrix


def _joined(matrix: Bytes, varied: Sequence[tuple[int, Field]]) -> Bytes:
    """Return rows of which some columns, each to be put at a byte of the matrix, vary in width."""
    rows, width = matrix.shape
    widths = np.full(rows, width)
    for _, columns in varied:
        for cells in columns:
            widths[cells.rows] += len(cells.shared)
    ends = np.cumsum(widths)
    out = np.empty(int(ends[-1]), np.uint8)
    at = ends - widths
    begin = 0
    for cut, columns in (*varied, (width, [])):
        if cut > begin:
            _items(out, cut - begin)[at] = _rows(matrix[:, begin:cut])
            at += cut - begin
        begin = cut
        for cells in columns:
            filled = _filled(cells, len(at[cells.rows]))
            _items(out, len(cells.shared))[at[cells.rows]] = _rows(filled)
            at[cells.rows] += len(cells.shared)
    return out


def _rows(matrix: Bytes) -> npt.NDArray[np.void]:
    return matrix.view(f"V{matrix.shape[1]}")[:, 0]
