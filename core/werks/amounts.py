"""Exact arithmetic on columns of decimals, without a detour through floats.

A `decimal128(38, s)` column is an array of 128-bit integers scaled by 10**s. Here such a column is
seen as *limbs*: an int64 array of shape (rows, 2), the low and the high half of each integer.
Sums run on int64 where a bound check allows it and on 32-bit parts with carries where not, so they
are exact for every input and as fast as float sums.
"""

import math
import sys
from decimal import Decimal
from fractions import Fraction
from functools import cache
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Limbs = npt.NDArray[np.int64]
Ints = npt.NDArray[np.int64]
Starts = npt.NDArray[np.int64]

PRECISION = 38
_LOW32 = np.uint64(0xFFFFFFFF)
_LOW64 = 2**64 - 1
_32 = np.uint64(32)
INT64_MAX = 2**63 - 1
_WORD = 64
_BYTES = 16
# At most this is divided by, so that it is an int64; at least 4, so that a fault is seen.
_MOST_ZEROS, _LEAST_ZEROS = 18, 2
_SAMPLE = 16
# Below it an amount over 2**64 is known to a tenth as a float.
_WIDE = 2**112
# Fewer groups than one in so many rows are added up one by one.
_FEW = 16
# So few numbers cost less by one slower call.
_SMALL = 1024


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
    return pa.Array.from_buffers(_type(scale), len(values), [valid, pa.py_buffer(values)], nulls)


@cache
def _type(scale: int) -> pa.DataType:
    return pa.decimal128(PRECISION, scale)


def fits(values: Limbs) -> bool:
    """Tell whether every integer fits into 64 bits."""
    return _fit(*_halves(values))


def _fit(low: Ints, high: Ints) -> bool:
    if not np.bitwise_or.reduce(high):
        return not len(low) or bool(low.min() >= 0)
    return bool((high == low >> 63).all())


def _halves(values: Limbs) -> tuple[Ints, Ints]:
    """Return the low halves in one piece, as all that follows is faster so, and the high ones."""
    return np.ascontiguousarray(values[:, 0]), values[:, 1]


def ints(values: Limbs) -> npt.NDArray[Any]:
    """Return one integer a row: int64 where all fit, else an array of Python's own integers."""
    low, high = _halves(values)
    if _fit(low, high):
        return low
    unsigned = low.astype(np.uint64).astype(object)
    return cast(npt.NDArray[Any], high.astype(object) * 2**64 + unsigned)


def from_ints(values: npt.NDArray[Any]) -> Limbs:
    """Return limbs of integers, given as int64 or as an array of Python's integers."""
    out = np.empty((len(values), 2), np.int64)
    if values.dtype == object:
        out[:, 0] = (values & _LOW64).astype(np.uint64).astype(np.int64)
        out[:, 1] = (values >> 64).astype(np.int64)
    else:
        out[:, 0] = values
        np.right_shift(values, 63, out=out[:, 1])
    return out


def carried(low: Ints, middle: Ints, high: Ints) -> Limbs:
    """Return limbs out of sums of the two 32-bit parts (uint64) and of the high part (int64)."""
    low, middle = low.view(np.uint64), middle.view(np.uint64)
    middle = middle + (low >> _32)
    out = np.empty((len(low), 2), np.int64)
    out[:, 0] = ((middle << _32) | (low & _LOW32)).view(np.int64)
    out[:, 1] = high + (middle >> _32).view(np.int64)
    return out


def parts(values: Limbs) -> tuple[Ints, Ints, Ints]:
    """Return the lowest 32 bits of each integer, the 32 above them, and the high limb."""
    low = np.ascontiguousarray(values[:, 0]).view(np.uint64)
    high = np.ascontiguousarray(values[:, 1])
    return (low & _LOW32).view(np.int64), (low >> _32).view(np.int64), high


def _trailing(values: Limbs, low: Ints) -> int:
    """Return how many zeros the amounts seem to share at their end, at most 18."""
    some = values[:: len(values) // _SAMPLE + 1].tolist()
    shared = math.gcd(*(upper * 2**_WORD + (lower & _LOW64) for lower, upper in some))
    twos = int(np.bitwise_or.reduce(low))
    digits = str(shared)
    tens = len(digits) - len(digits.rstrip("0")) if shared else _MOST_ZEROS
    return min(tens, (twos & -twos).bit_length() - 1 if twos else _MOST_ZEROS, _MOST_ZEROS)


def narrow(values: Limbs) -> tuple[Ints, int] | None:
    """Return (numbers, unit): the amounts are numbers × unit, exactly, and no sum overflows.

    The unit is 1 or a power of ten; the sum of any of the numbers fits into 64 bits, and times the
    unit into 112. None where the amounts are too large for that.
    """
    if not len(values):
        return np.zeros(0, np.int64), 1
    low, high = _halves(values)
    if values[0, 1] in (0, -1) and _fit(low, high) and bounded(low, 1):  # the first row often tells
        return low, 1
    zeros = _trailing(values, low)
    if zeros < _LEAST_ZEROS:
        return None
    # Division by 10**z is exact, so it is a shift by z and a product with the inverse of 5**z.
    unit, inverse = 10**zeros, pow(5**zeros, -1, 2**_WORD)
    high = np.ascontiguousarray(high)
    whole = low.view(np.uint64) >> np.uint64(zeros)
    whole |= high.view(np.uint64) << np.uint64(_WORD - zeros)
    whole *= np.uint64(inverse)
    numbers = whole.view(np.int64)
    # So far this holds for the low 64 bits only. Where numbers × unit is not the amount, it is off
    # by a multiple of 2**64 × 2**z, which floats that are good to a tenth cannot overlook.
    off = numbers.astype(np.float64)
    off *= -unit / 2**_WORD
    off += high.astype(np.float64)
    right = bounded(numbers, unit) and off.min() > -1.5 and off.max() < 1.5
    return (numbers, unit) if right else None


def bounded(numbers: Ints, unit: int) -> bool:
    """Tell whether all sums of numbers fit into 64 bits, and times the unit into 112."""
    if not len(numbers):
        return True
    most = max(int(numbers.max()), -int(numbers.min())) * len(numbers)
    return most <= INT64_MAX and (unit == 1 or most * unit < _WIDE)


def widen(numbers: Ints, unit: int) -> Limbs:
    """Return numbers × unit as limbs, for what `narrow` returned and for sums of it."""
    if unit == 1:
        return from_ints(numbers)
    out = np.empty((len(numbers), 2), np.int64)
    np.multiply(numbers, unit, out=out[:, 0])
    # The product over 2**64 is the high limb and a fraction, which the low limb tells.
    fraction = (out[:, 0].view(np.uint64) >> np.uint64(1)).view(np.int64) * 2.0**-63
    out[:, 1] = np.rint(numbers * (unit / 2**_WORD) - fraction)
    return out


def added(numbers: Ints, starts: Starts) -> Ints:
    """Return the sum of each group of numbers of which no sum overflows."""
    if len(starts) * _FEW < len(numbers) or len(numbers) < _SMALL:
        return np.asarray(np.add.reduceat(numbers, starts))
    sums_ = np.cumsum(numbers)[np.append(starts[1:], len(numbers)) - 1]
    sums_[1:] -= sums_[:-1]
    return np.asarray(sums_)


def sums(values: Limbs, starts: Starts) -> Limbs:
    """Return the exact sum of each group; `starts` holds each group's first row, from 0 on."""
    if not len(starts):
        return np.empty((0, 2), np.int64)
    if narrowed := narrow(values):
        numbers, unit = narrowed
        return widen(added(numbers, starts), unit)
    low, middle, high = (np.add.reduceat(part, starts) for part in parts(values))
    return carried(low, middle, high)


def total(values: Limbs) -> int:
    """Return the exact sum of all rows."""
    low, middle, high = parts(values)
    # The high limbs in two halves: of amounts of 38 digits, two may be more than 64 bits hold.
    upper, lower = int((high >> 32).sum()), int((high & 0xFFFFFFFF).sum())
    return int(low.sum()) + (int(middle.sum()) << 32) + (lower << _WORD) + (upper << 96)


def integer(pair: npt.NDArray[np.int64]) -> int:
    """Return the integer behind one row of limbs."""
    return int(pair[1]) * 2**64 + (int(pair[0]) & _LOW64)


def at(column: pa.Array, row: int) -> int:
    """Return the integer behind one row of a decimal column."""
    taken = column.buffers()[1].slice(_BYTES * (column.offset + row), _BYTES)
    return int.from_bytes(taken.to_pybytes(), sys.byteorder, signed=True)


def single(value: int, scale: int) -> pa.Array:
    """Return a decimal column of one row."""
    data = pa.py_buffer(value.to_bytes(_BYTES, sys.byteorder, signed=True))
    return pa.Array.from_buffers(_type(scale), 1, [None, data])


def product(left: npt.NDArray[Any], right: npt.NDArray[Any]) -> Limbs:
    """Return left × right as limbs; both are `ints`, and fast if nothing is negative."""
    whole = object not in (left.dtype, right.dtype)
    if not whole or (len(left) and min(left.min(), right.min()) < 0):
        return from_ints(left.astype(object) * right.astype(object))
    if len(left) and int(left.max()) * int(right.max()) <= INT64_MAX:
        return from_ints(left * right)
    a, b = left.view(np.uint64), right.view(np.uint64)
    a0, a1, b0, b1 = a & _LOW32, a >> _32, b & _LOW32, b >> _32
    # Below 2**63 each; the cross terms are cut into 32-bit parts before they are added.
    low, x, y, high = a0 * b0, a0 * b1, a1 * b0, a1 * b1
    middle = (low >> _32) + (x & _LOW32) + (y & _LOW32)
    high = high + (x >> _32) + (y >> _32)
    return carried((low & _LOW32).view(np.int64), middle.view(np.int64), high.view(np.int64))


def quotient(dividend: npt.NDArray[Any], factor: int, divisor: npt.NDArray[Any]) -> Limbs:
    """Return dividend × factor ÷ divisor, truncated, as limbs; nothing is negative.

    Zeros that all divisors share at their end are struck from both sides first, which keeps nearly
    every real batch within 64 bits; what does not fit is done in Python's integers.
    """
    while divisor.dtype != object and factor % 10 == 0 and not np.any(divisor % 10):
        divisor, factor = divisor // 10, factor // 10
    fast = object not in (dividend.dtype, divisor.dtype) and factor <= INT64_MAX
    if fast and (not len(dividend) or int(dividend.max()) * factor <= INT64_MAX):
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
