"""Exact arithmetic on columns of decimals, without a detour through floats.

A `decimal128(38, s)` column is an array of 128-bit integers scaled by 10**s. Here such a column is
seen as *limbs*: an int64 array of shape (rows, 2), the low and the high half of each integer.
Sums run on int64 where a bound check allows it and on 32-bit parts with carries where not, so they
are exact for every input and as fast as float sums.
"""

import math
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Limbs = npt.NDArray[np.int64]
Ints = npt.NDArray[np.int64]
Starts = npt.NDArray[np.int64]

PRECISION = 38
_LOW32 = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)
_INT64_MAX = 2**63 - 1
_WORD = 64


def limbs(column: pa.Array) -> Limbs:
    """Return the integers behind a decimal column as limbs, without a copy; nulls are undefined."""
    buffer = column.buffers()[1]
    if buffer is None:
        return np.zeros((len(column), 2), np.int64)
    whole = np.frombuffer(buffer, np.int64, 2 * (len(column) + column.offset))
    return whole.reshape(-1, 2)[column.offset :]


def column(values: Limbs, scale: int, mask: npt.NDArray[np.bool_] | None = None) -> pa.Array:
    """Return limbs as a `decimal128(38, scale)` column; rows where `mask` is true are null."""
    values = np.ascontiguousarray(values)
    valid = None if mask is None else pa.array(~mask).buffers()[1]
    nulls = 0 if mask is None else int(np.count_nonzero(mask))
    kind = pa.decimal128(PRECISION, scale)
    return pa.Array.from_buffers(kind, len(values), [valid, pa.py_buffer(values)], nulls)


def fits(values: Limbs) -> bool:
    """Tell whether every integer fits into 64 bits."""
    low, high = values[:, 0], values[:, 1]
    if not high.any():
        return not len(low) or bool(low.min() >= 0)
    return bool((high == low >> 63).all())


def ints(values: Limbs) -> npt.NDArray[Any]:
    """Return one integer a row: int64 where all fit, else an array of Python's own integers."""
    if fits(values):
        return np.ascontiguousarray(values[:, 0])
    low = values[:, 0].astype(np.uint64).astype(object)
    return cast(npt.NDArray[Any], values[:, 1].astype(object) * 2**64 + low)


def from_ints(values: npt.NDArray[Any]) -> Limbs:
    """Return limbs of integers, given as int64 or as an array of Python's integers."""
    out = np.empty((len(values), 2), np.int64)
    if values.dtype == object:
        out[:, 0] = (values & (2**64 - 1)).astype(np.uint64).astype(np.int64)
        out[:, 1] = (values >> 64).astype(np.int64)
    else:
        out[:, 0] = values
        out[:, 1] = out[:, 0] >> 63
    return out


def _carried(low: Limbs, middle: Limbs, high: Limbs) -> Limbs:
    """Return limbs out of sums of the two 32-bit parts (uint64) and of the high part (int64)."""
    low, middle = low.view(np.uint64), middle.view(np.uint64)
    middle = middle + (low >> _32)
    out = np.empty((len(low), 2), np.int64)
    out[:, 0] = ((middle << _32) | (low & _LOW32)).view(np.int64)
    out[:, 1] = high + (middle >> _32).view(np.int64)
    return out


def _parts(values: Limbs) -> tuple[Limbs, Limbs, Limbs]:
    low = np.ascontiguousarray(values[:, 0]).view(np.uint64)
    high = np.ascontiguousarray(values[:, 1])
    return (low & _LOW32).view(np.int64), (low >> _32).view(np.int64), high


def _small(values: Limbs) -> bool:
    """Tell whether sums over any of the rows fit into 64 bits."""
    if not len(values):
        return True
    if values[0, 1] not in (0, -1) or not fits(values):  # the first row often tells
        return False
    low = values[:, 0]
    return max(int(low.max()), -int(low.min())) * len(low) <= _INT64_MAX


def sums(values: Limbs, starts: Starts) -> Limbs:
    """Return the exact sum of each group; `starts` holds each group's first row, ascending."""
    if not len(starts):
        return np.empty((0, 2), np.int64)
    if _small(values):
        return from_ints(np.add.reduceat(np.ascontiguousarray(values[:, 0]), starts))
    low, middle, high = (np.add.reduceat(part, starts) for part in _parts(values))
    return _carried(low, middle, high)


def total(values: Limbs) -> int:
    """Return the exact sum of all rows."""
    if not len(values):
        return 0
    return integer(sums(values, np.zeros(1, np.int64))[0])


def integer(pair: npt.NDArray[np.int64]) -> int:
    """Return the integer behind one row of limbs."""
    return int(pair[1]) * 2**64 + (int(pair[0]) & (2**64 - 1))


def pair(value: int) -> Limbs:
    """Return one integer as one row of limbs, shape (1, 2)."""
    return from_ints(np.array([value], dtype=object))


def masked(values: Limbs, keep: npt.NDArray[np.bool_]) -> Limbs:
    """Return a copy in which the rows that are not kept are zero."""
    return values * keep[:, None].astype(np.int64)


def product(left: npt.NDArray[Any], right: npt.NDArray[Any]) -> Limbs:
    """Return left × right as limbs; both are `ints` and not negative."""
    if object in (left.dtype, right.dtype):
        return from_ints(left.astype(object) * right.astype(object))
    if len(left) and int(left.max()) * int(right.max()) <= _INT64_MAX:
        return from_ints(left * right)
    a, b = left.view(np.uint64), right.view(np.uint64)
    a0, a1, b0, b1 = a & _LOW32, a >> _32, b & _LOW32, b >> _32
    # Below 2**63 each; the cross terms are cut into 32-bit parts before they are added.
    low, x, y, high = a0 * b0, a0 * b1, a1 * b0, a1 * b1
    middle = (low >> _32) + (x & _LOW32) + (y & _LOW32)
    high = high + (x >> _32) + (y >> _32)
    return _carried((low & _LOW32).view(np.int64), middle.view(np.int64), high.view(np.int64))


def quotient(dividend: npt.NDArray[Any], factor: int, divisor: npt.NDArray[Any]) -> Limbs:
    """Return dividend × factor ÷ divisor, truncated, as limbs; nothing is negative.

    Zeros that all divisors share at their end are struck from both sides first, which keeps nearly
    every real batch within 64 bits; what does not fit is done in Python's integers.
    """
    while divisor.dtype != object and factor % 10 == 0 and not np.any(divisor % 10):
        divisor, factor = divisor // 10, factor // 10
    fast = object not in (dividend.dtype, divisor.dtype) and factor <= _INT64_MAX
    if fast and (not len(dividend) or int(dividend.max()) * factor <= _INT64_MAX):
        return from_ints(dividend * factor // divisor)
    return from_ints(dividend.astype(object) * factor // divisor.astype(object))


def rescaled(values: npt.NDArray[Any], up: int) -> Limbs:
    """Return `ints` times 10**up as limbs."""
    return product(values, np.full(len(values), 10**up, np.int64 if up < 19 else object))


def scaled(amount: Decimal | int, scale: int) -> int:
    """Return the least integer, in units of 10**-scale, that is not below the amount."""
    return math.ceil(Fraction(amount) * Fraction(10) ** scale)


def decimal(value: int, scale: int) -> Decimal:
    """Return a scaled integer as a decimal number with exactly `scale` digits after the point."""
    sign, digits = (1, str(-value)) if value < 0 else (0, str(value))
    return Decimal((sign, tuple(map(int, digits)), -scale))


class Prefix:
    """Running sums of a column of amounts that are not negative, searched exactly."""

    def __init__(self, values: Limbs) -> None:
        self._rows = len(values)
        if _small(values):
            self._low = np.cumsum(values[:, 0], dtype=np.int64)
            self._high = np.zeros(0, np.int64)
        else:
            low, middle, high = (np.cumsum(part) for part in _parts(values))
            both = _carried(low, middle, high)
            self._low, self._high = both[:, 0].copy(), both[:, 1].copy()
        # The sums without their last bits, so that 62 bits hold them: they find nearly every row.
        self._bits = max(0, self.before(self._rows).bit_length() - 62)
        self._short = self._shortened()

    def _shortened(self) -> Ints:
        if not self._bits or not len(self._high):
            return self._low >> np.int64(self._bits)
        bits = np.uint64(self._bits)
        if self._bits >= _WORD:
            return self._high >> np.int64(self._bits - _WORD)
        upper = self._high.view(np.uint64) << np.uint64(_WORD - self._bits)
        return (upper | (self._low.view(np.uint64) >> bits)).view(np.int64)

    def before(self, row: int) -> int:
        """Return the sum of all rows before `row`."""
        if row == 0:
            return 0
        if not len(self._high):
            return int(self._low[row - 1])
        return int(self._high[row - 1]) * 2**64 + (int(self._low[row - 1]) & (2**64 - 1))

    def first(self, goal: int) -> int:
        """Return the first row at whose end the running sum is at least `goal`."""
        row = int(np.searchsorted(self._short, min(goal >> self._bits, _INT64_MAX)))
        return self._exact(row, goal)

    def _exact(self, row: int, goal: int) -> int:
        while row < self._rows and self.before(row + 1) < goal:
            row += 1
        return row

    def closing(self, begin: int, goal: int) -> Iterator[int]:
        """Yield the rows that bring the sum to `goal`, counted from `begin`, then from each."""
        if begin >= self._rows:
            return
        least = min(goal >> self._bits, _INT64_MAX)
        sought = np.minimum(np.append(0, self._short[:-1]), _INT64_MAX - least) + least
        found = np.searchsorted(self._short, sought)
        # The bits that were left out may put the true row after the one that was found.
        near = self._short[np.minimum(found, self._rows - 1)] <= sought + 1
        rows, sure = found.tolist(), (~near if self._bits else np.ones(len(near), bool)).tolist()
        while begin < self._rows:
            row = rows[begin]
            if not sure[begin]:
                row = self._exact(row, self.before(begin) + goal)
            if row >= self._rows:
                return
            yield row
            begin = row + 1
