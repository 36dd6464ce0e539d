"""Amounts as PostgreSQL has them on the wire: a sign, a weight and digits of base 10000.

The digits are made two at a time, since 10**8 is the largest power of 10000 below 2**32. Every row
of a column gets as many as the largest needs; the server strips the zeros in front and behind.
"""

from typing import cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from werks import amounts

Pairs = npt.NDArray[np.uint32]
Wide = npt.NDArray[np.uint64]

_PAIR = 8
_BASE = np.uint32(10_000)
_32, _LOW32 = np.uint64(32), np.uint64(0xFFFFFFFF)
_SIGN = np.dtype(">u2")
_NEGATIVE = 0x4000
_HEAD = np.dtype(
    [("bytes", ">i4"), ("digits", ">i2"), ("weight", ">i2"), ("sign", ">u2"), ("scale", ">i2")]
)
Part = tuple[int, npt.NDArray[np.generic]]


def numeric(column: pa.Array) -> tuple[bytes, list[Part]]:
    """Return the field of a decimal column without nulls: what all rows share, what differs.

    What differs is given by the byte at which it stands, and its values.
    """
    scale = column.type.scale
    values = amounts.limbs(column)
    negative = values[:, 1] < 0
    pairs = _pairs(_magnitude(values, negative), scale)
    weight = 2 * (len(pairs) + -scale // _PAIR) - 1
    size = _HEAD.itemsize - 4 + 4 * len(pairs)
    head = np.array((size, 2 * len(pairs), weight, 0, scale), _HEAD).tobytes()
    parts: list[Part] = []
    if negative.any():
        parts.append((8, (negative * np.uint16(_NEGATIVE)).astype(_SIGN)))
    for place, pair in enumerate(pairs):
        high = pair // _BASE
        both = (high << np.uint32(16)) | (pair - high * _BASE)
        parts.append((len(head) + 4 * place, both.astype(">u4")))
    return head + bytes(4 * len(pairs)), parts


def _magnitude(values: amounts.Limbs, negative: npt.NDArray[np.bool_]) -> list[Wide]:
    """Return absolute values as one 64-bit part where all fit, else as 32-bit parts, low first."""
    low, high = values[:, 0].view(np.uint64), values[:, 1].view(np.uint64)
    if amounts.fits(values):
        return [np.abs(values[:, 0]).view(np.uint64)]
    low = np.where(negative, ~low + np.uint64(1), low)
    high = np.where(negative, ~high + (low == 0), high)
    return [part for whole in (low, high) for part in (whole & _LOW32, whole >> _32)]


def _pairs(parts: list[Wide], scale: int) -> list[Pairs]:
    """Return two digits of base 10000 at a time, highest first; the point is between two pairs."""
    behind = scale % _PAIR or _PAIR
    found: list[Pairs] = []
    while not found or any(part.any() for part in parts):
        parts, rest = _divided(parts, 10**behind)
        found.append(rest * np.uint32(10 ** (_PAIR - behind)))
        behind = _PAIR
    return found[::-1]


def _divided(parts: list[Wide], divisor: int) -> tuple[list[Wide], Pairs]:
    """Return the quotient and the rest of a division by at most 10**8."""
    by = np.uint64(divisor)
    if len(parts) == 1:
        quotient = parts[0] // by
        return [quotient], cast("Pairs", (parts[0] - quotient * by).astype(np.uint32))
    rest = np.zeros(len(parts[0]), np.uint64)
    quotients = []
    for part in reversed(parts):
        whole = (rest << _32) | part
        quotient = whole // by
        rest = whole - quotient * by
        quotients.append(quotient)
    quotients.reverse()
    while len(quotients) > 2 and not quotients[-1].any():
        quotients.pop()
    if len(quotients) == 2:  # both fit into one part again
        quotients = [(quotients[1] << _32) | quotients[0]]
    return quotients, rest.astype(np.uint32)
