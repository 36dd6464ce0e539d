"""Columns as text: exact amounts, and times with all nine digits.

Arrow's own cast writes small decimals as `1E-8`, with which no trailing zero may be stripped, and
formats times at a quarter of this speed; both are done here on planes of digits, one array of
characters a position, and put together by a mask. Of a few rows, as live ones are, each is written
by itself: the planes alone would take longer.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from werks import amounts as exact
from werks.schema import TIME

Chars = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]
Parts = list[npt.NDArray[np.uint64]]

_GROUP = np.uint64(10**9)
_32 = np.uint64(32)
_LOW32 = np.uint64(0xFFFFFFFF)
_DAY = 86_400 * 10**9
_ZERO, _MINUS, _POINT = b"0-."
_FEW = 128
# Row d holds the d-th digit of 000 … 999 as a character.
_DIGITS = np.array([[48 + n // 10**d % 10 for n in range(1000)] for d in (2, 1, 0)], np.uint8)


def amounts(column: pa.Array) -> pa.Array:
    """Return a column of decimals as text: exact, without exponents and trailing zeros."""
    if column.null_count == len(column):
        return pa.nulls(len(column), pa.string())
    if len(column) <= _FEW:
        written = [None if each is None else _plain(each) for each in column.to_pylist()]
        return pa.array(written, pa.string())
    valid = _valid(column)
    values = exact.limbs(column)
    negative = values[:, 1] < 0
    scale = column.type.scale
    digits = _digits(_magnitude(values, valid), scale + 1)
    keep = _shown(digits, scale)
    digits.insert(len(digits) - scale, np.full(len(column), _POINT, np.uint8))
    digits.insert(0, np.full(len(column), _MINUS, np.uint8))
    keep.insert(0, negative)
    return _joined(digits, keep, valid)


def times(column: pa.Array) -> pa.Array:
    """Return a column of times as ISO 8601 text with nine digits and `Z`, in UTC."""
    if column.null_count == len(column):
        return pa.nulls(len(column), pa.string())
    valid = _valid(column)
    stamps = column.cast(TIME).fill_null(0).view(pa.int64()).to_numpy()
    if len(column) <= _FEW:
        written = [f"{at}Z" for at in np.datetime_as_string(stamps.view("datetime64[ns]"), "ns")]
        return pa.array(written, pa.string(), mask=None if valid is None else ~valid)
    days, inverse = np.unique(stamps // _DAY, return_inverse=True)
    rest = stamps - days[inverse] * _DAY
    seconds = (rest // 10**9).astype(np.uint32)
    fraction = (rest - seconds.astype(np.int64) * 10**9).astype(np.uint32)
    names = np.datetime_as_string(days.astype("datetime64[D]"))
    dates = names.astype("S10").view(np.uint8).reshape(-1, 10).T
    planes = [plane if len(days) == 1 else plane[inverse] for plane in dates]
    for mark, part in ((b"T", seconds // 3600), (b":", seconds // 60 % 60), (b":", seconds % 60)):
        planes += [np.frombuffer(mark, np.uint8), *_three(part)[1:]]
    planes += [np.frombuffer(b".", np.uint8)]
    planes += [*_nine(fraction), np.frombuffer(b"Z", np.uint8)]
    rows = len(column)
    return _joined([np.broadcast_to(plane, rows) for plane in planes], None, valid)


def _plain(value: Decimal) -> str:
    """Return a decimal without exponent and trailing zeros."""
    if not value:
        return "0"
    written = format(value, "f")
    return written.rstrip("0").rstrip(".") if "." in written else written


def _valid(column: pa.Array) -> Bools | None:
    """Return which rows are there; None where all are."""
    if not column.null_count:
        return None
    return cast(Bools, column.is_valid().to_numpy(zero_copy_only=False))


def _magnitude(values: exact.Limbs, valid: Bools | None) -> Parts:
    """Return absolute values as one 64-bit part where all fit, else as 32-bit parts, high first."""
    if valid is not None:
        values = np.where(valid[:, None], values, 0)
    low, high = values[:, 0].view(np.uint64), values[:, 1].view(np.uint64)
    if exact.fits(values):
        return [np.abs(values[:, 0]).view(np.uint64)]
    negative = values[:, 1] < 0
    low = np.where(negative, ~low + np.uint64(1), low)
    high = np.where(negative, ~high + (low == 0), high)
    return [part for whole in (high, low) for part in (whole >> _32, whole & _LOW32)]


def _digits(parts: Parts, width: int) -> list[Chars]:
    """Return the digits of integers, highest first: at least `width` planes of characters."""
    planes: list[Chars] = []
    while len(planes) < width or any(np.any(part) for part in parts):
        rest = np.zeros(len(parts[0]), np.uint64)
        quotients: Parts = []
        for part in parts:
            whole = (rest << _32) | part
            quotient = whole // _GROUP
            rest = whole - quotient * _GROUP
            quotients.append(quotient)
        parts = quotients
        planes = [*_nine(rest.astype(np.uint32)), *planes]
    return planes


def _nine(numbers: npt.NDArray[np.uint32]) -> list[Chars]:
    """Return the nine digits of integers below 10**9."""
    thousands = numbers // 1000
    millions = thousands // 1000
    parts = (millions, thousands - millions * 1000, numbers - thousands * 1000)
    return [plane for part in parts for plane in _three(part)]


def _three(numbers: npt.NDArray[np.uint32]) -> list[Chars]:
    """Return the three digits of integers below 1000."""
    places = numbers.astype(np.int64)
    return [row[places] for row in _DIGITS]


def _shown(digits: Sequence[Chars], scale: int) -> list[Bools]:
    """Return which digits, and which point before the last `scale` of them, are to be written."""
    whole = len(digits) - scale
    seen = np.zeros(len(digits[0]), bool)
    keep = []
    for plane in digits[: whole - 1]:
        seen = seen | (plane != _ZERO)
        keep.append(seen)
    keep.append(np.ones(len(seen), bool))
    seen = np.zeros(len(seen), bool)
    fraction = []
    for plane in reversed(digits[whole:]):
        seen = seen | (plane != _ZERO)
        fraction.append(seen)
    return [*keep, seen, *reversed(fraction)]


def _joined(planes: Sequence[Chars], keep: Sequence[Bools] | None, valid: Bools | None) -> pa.Array:
    """Return text out of planes of characters, leaving out what is not kept."""
    text = np.stack(planes, axis=1)
    rows, width = text.shape
    present = None if valid is None else pa.array(valid).buffers()[1]
    if keep is None:
        lengths, data = np.full(rows, width), text
    else:
        keep = keep if valid is None else [plane & valid for plane in keep]
        lengths = np.add.reduce([plane.view(np.int8) for plane in keep], dtype=np.int32)
        data = text[np.stack(keep, axis=1)]
    offsets = np.zeros(rows + 1, np.int32)
    np.cumsum(lengths, out=offsets[1:])
    buffers = [present, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(data))]
    nulls = 0 if valid is None else rows - int(np.count_nonzero(valid))
    return pa.Array.from_buffers(pa.string(), rows, buffers, nulls)
