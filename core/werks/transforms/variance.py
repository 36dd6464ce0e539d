"""How much prices moved."""

from typing import Any

import numpy as np
import numpy.typing as npt

from ..schema import VARIANCE_SCALE

Array = npt.NDArray[Any]
Rows = npt.NDArray[np.int64]
# Below these, sums of whole numbers are exact in floats and in integers of 64 bits.
_FLOATS, _INTS = 2.0**53, 2.0**62


def realized(price: Array, first: Rows) -> Array:
    """Return the sum of the squared log returns within each group, in units of 10**-18.

    `first` holds each group's first row, which has none before it in the group.
    """
    terms = _terms(price)
    terms[first] = 0
    sums = np.add.reduceat(terms, first)
    if sums.max() < _FLOATS:
        return np.asarray(sums.astype(np.int64))
    if terms.sum() < _INTS:
        return np.asarray(np.add.reduceat(terms.astype(np.int64), first))
    exact = np.array([int(term) for term in terms], object)  # a price at ten times one beside it
    return np.asarray(np.add.reduceat(exact, first))


def between(before: int, after: int) -> int:
    """Return the squared log return between two prices, in units of 10**-18."""
    lower = min(before, after)
    if lower <= 0:
        return 0
    # Step by step what is done to columns, by NumPy's own logarithm: another's may be a bit off.
    move = float(np.log1p(float(abs(after - before)) / float(lower)))
    return round(move * move * 10.0**VARIANCE_SCALE)


def _terms(price: Array) -> npt.NDArray[np.float64]:
    """Return each row's squared log return from the row before it, 0 in the first row.

    One beside a price that is not above 0 is 0, too. Each is rounded by itself to a whole number,
    so that their sum does not depend on how the rows were cut.
    """
    values = price.astype(np.float64)
    lower = np.minimum(values[1:], values[:-1])
    terms = np.zeros(len(price))
    terms[1:] = price[1:] - price[:-1]  # before they are floats, so that no digit is lost
    moves = terms[1:]
    if len(lower) and lower.min() <= 0:
        moves[lower <= 0], lower[lower <= 0] = 0, 1
    np.abs(moves, out=moves)
    # Counted from the lower price, so that a deep fall loses no digits.
    np.divide(moves, lower, out=moves)
    np.log1p(moves, out=moves)
    np.square(moves, out=moves)
    np.multiply(moves, 10.0**VARIANCE_SCALE, out=moves)
    np.rint(moves, out=moves)
    return terms
