"""Plain numbers out of the bytes of a block of text, exactly and eight digits at a time.

The last 8, 16 or 24 bytes up to each number's end are gathered as 64-bit words, what lies before
the number is masked, and three multiplications turn the eight digits of a word into their value.
A point is read as if it were a digit 0: with I before it and d digits F behind it this gives
I·10^(d+1) + F, and taking away 9·10^d·I leaves the number without its point. Every byte is checked
to be a digit or the one point; whatever is written otherwise is not read here.
"""

from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from ..amounts import Limbs, from_ints, product

Words = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]

# The bytes that there must be before and behind the lines of a block.
ROOM = 24
_LONGEST = 19  # the digits and the point of a number that is below 2**63 without its point
_INT64_MAX = 2**63 - 1
_ALL = 2**64 - 1


def _bytes(byte: int) -> np.uint64:
    return np.uint64(byte * 0x0101010101010101)


_ZEROS, _ONES, _HIGHS, _OVER_9 = map(_bytes, (0x30, 0x01, 0x80, 0x76))
_POINT = 0x2E ^ 0x30  # once the digits are their own values
_POINTS = _bytes(_POINT)
_PAIRS, _FOURS = np.uint64(0x00FF00FF00FF00FF), np.uint64(0x0000FFFF0000FFFF)
_BY_10, _BY_100, _BY_10000 = (np.uint64((n << s) + 1) for n, s in ((10, 8), (100, 16), (10000, 32)))
_8, _16, _32 = np.uint64(8), np.uint64(16), np.uint64(32)
# By a number of bytes: all but so many of a word's first bytes, and only so many of its last ones,
# as they lie in memory.
_FIRST = np.array([_ALL >> 8 * n for n in range(9)], np.uint64)
_LAST = np.array([_ALL << 8 * (8 - n) & _ALL for n in range(9)], np.uint64)
# By the length of the number's end that begins with the point; 0 where it has none.
_TENS = np.array([_ALL] + [10**n for n in range(1, 20)], np.uint64)
_NINES = np.array([0] + [9 * 10**n for n in range(19)], np.uint64)


@attrs.frozen
class Numbers:
    """Whole numbers in units of 10**-scale: `values` times `factor`, which is one or one a row."""

    values: Ints
    factor: int | Ints

    def limbs(self) -> Limbs:
        """Return them as 128-bit integers."""
        if isinstance(self.factor, int):
            if int(self.values.max()) * self.factor <= _INT64_MAX:
                return from_ints(self.values * self.factor)
            return product(self.values, np.full(len(self.values), self.factor))
        if (self.values <= _INT64_MAX // self.factor).all():
            return from_ints(self.values * self.factor)
        return product(self.values, self.factor)


def numbers(text: bytes, begins: Ints, ends: Ints, scale: int) -> Numbers | None:
    """Return the numbers between `begins` and `ends`, or None if one is not plain.

    Plain are 1 to 18 digits with a point among them or none, and at most `scale` behind it.
    """
    lengths = ends - begins
    short, long = int(lengths.argmin()), int(lengths.argmax())
    shortest, longest = int(lengths[short]), int(lengths[long])
    if shortest < 1 or longest > _LONGEST:
        return None
    (head, tail), other = (_parts(text[begins[row] : ends[row]]) for row in (long, short))
    found = None
    if tail == other[1]:  # as prices are written: 999.50, 1000.00
        if tail != 1 and tail < shortest:
            each = lengths if shortest < longest else longest
            found = _alike(_gathered(text, ends, longest, each), tail, True)
    elif head == other[0] > 0 and not (lengths == head + 1).any():
        # As seconds are written: 1569974394.78865, 1569974396.557895.
        words = _gathered(text, begins + longest, longest, longest)
        found = _alike(_masked(words, longest - lengths, _FIRST), tail, lengths > head)
    if found is None:
        return _unlike(_gathered(text, ends, longest, lengths), lengths, scale)
    digits = max(tail - 1, 0)
    return Numbers(found, 10 ** (scale - digits)) if digits <= scale else None


def _parts(number: bytes) -> tuple[int, int]:
    """Return how many bytes lie before a number's point, and from it to the end."""
    head = number.find(b".") if b"." in number else len(number)
    return head, len(number) - head


def _gathered(text: bytes, ends: Ints, longest: int, lengths: int | Ints) -> Words:
    """Return the words up to each end, shape (words, rows), each byte less that of a 0.

    What lies more than `lengths` bytes before the end is 0.
    """
    count = -(-longest // 8)
    size = 8 * count
    windows: Any = np.ndarray((len(text) - size + 1,), f"V{size}", text, 0, (1,))
    words: Words = windows[ends - size].view("<u8").reshape(-1, count).T ^ _ZEROS
    return _masked(np.ascontiguousarray(words), lengths, _LAST)


def _masked(words: Words, counts: int | Ints, masks: Words) -> Words:
    """Keep of each row the bytes that `masks` have for so many bytes of a word."""
    for number, word in enumerate(reversed(words)):
        word &= masks.take(counts - 8 * number, mode="clip")
    return words


def _alike(words: Words, tail: int, pointed: bool | npt.NDArray[np.bool_]) -> Ints | None:
    """Return the numbers without their points, all of which stand `tail` bytes before the end.

    None if they do not, or if there are other bytes than digits.
    """
    if tail:
        behind, byte = divmod(tail - 1, 8)
        shift = 8 * (7 - byte)
        word = words[len(words) - 1 - behind]
        word ^= np.uint64(_POINT << shift) * pointed
        if (word & np.uint64(0xFF << shift)).any():
            return None
    return _less(_value(words), _TENS[tail], _NINES[tail]) if _digits(words) else None


def _unlike(words: Words, lengths: Ints, scale: int) -> Numbers | None:
    """Return the numbers wherever their points stand."""
    other = words ^ _POINTS
    marks = (other - _ONES) & ~other & _HIGHS  # the highest bit of each byte that is a point
    places = np.bitwise_count(marks - np.uint64(1)) >> 3  # 8 where there is none
    tails = np.zeros(len(lengths), np.int64)
    for number, place in enumerate(places):
        tails += _tails(len(words) - number).take(place)
    words = words ^ (marks >> np.uint64(7)) * np.uint64(_POINT)
    single = not (marks & (marks - np.uint64(1))).any() and ((places < 8).sum(axis=0) <= 1).all()
    placed = (tails != 1).all() and (tails < lengths).all() and int(tails.max()) <= scale + 1
    if not (single and placed and _digits(words)):
        return None
    values = _less(_value(words), _TENS.take(tails), _NINES.take(tails))
    if values is None:
        return None
    factors = np.array([10**scale] + [10 ** (scale - n) for n in range(scale + 1)], np.int64)
    return Numbers(values, factors.take(tails))


def _tails(count: int) -> Ints:
    """Return the bytes from each place of a word to the end, `count` words from there."""
    return np.array([8 * count - place for place in range(8)] + [0], np.int64)


def _digits(words: Words) -> bool:
    return not int(np.bitwise_or.reduce(((words + _OVER_9) | words) & _HIGHS, axis=None))


def _value(words: Words) -> Words:
    words = ((words * _BY_10) >> _8) & _PAIRS
    words = ((words * _BY_100) >> _16) & _FOURS
    words = (words * _BY_10000) >> _32
    value: Words = words[0]
    for word in words[1:]:
        value = value * np.uint64(10**8) + word
    return value


def _less(value: Words, tens: Any, nines: Any) -> Ints | None:
    """Return values less the digit that stands for the point; None if one is over 63 bits."""
    value = value - value // tens * nines
    return value.view(np.int64) if int(value.max()) <= _INT64_MAX else None
