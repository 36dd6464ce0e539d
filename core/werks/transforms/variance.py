"""How much prices moved."""

from typing import Any

import numpy as np
import numpy.typing as npt

from ..amounts import INT64_MAX, bounded
from ..schema import VARIANCE_SCALE

Array = npt.NDArray[Any]
Rows = npt.NDArray[np.int64]


def realized(price: Array, first: Rows) -> Array:
    """Return the sum of the squared log returns within each group, in units of 10**-18.

    `first` holds each group's first row, which has none before it in the group.
    """
    rows, terms = _moves(price)
    begin = np.searchsorted(rows, first)
    within = begin[begin < len(rows)]
    terms[within[rows[within] == first[: len(within)]]] = 0
    if terms.dtype != object and not bounded(terms, 1):
        terms = terms.astype(object)
    sums = np.append(np.zeros(1, terms.dtype), np.cumsum(terms))
    return np.asarray(sums[np.append(begin[1:], len(rows))] - sums[begin])


def between(before: int, after: int) -> int:
    """Return the squared log return between two prices, in units of 10**-18."""
    # Told the type: of integers that differ much NumPy would make floats.
    kind = np.int64 if max(abs(before), abs(after)) <= INT64_MAX else object
    return int(_moves(np.array([before, after], kind))[1].sum())


def _moves(price: Array) -> tuple[Rows, Array]:
    """Return the rows whose price is not that of the row before, and their squared log returns.

    A row beside a price that is not above 0 has none. Each term is rounded by itself, so that their
    sum does not depend on how the rows were cut.
    """
    moved = np.flatnonzero(price[1:] != price[:-1])
    before, after = price.take(moved), price.take(moved + 1)
    lower = np.minimum(before, after)
    if len(lower) and lower.min() <= 0:
        above = lower > 0
        moved, before, after, lower = (each[above] for each in (moved, before, after, lower))
    # Counted from the lower price, so that a deep fall loses no digits.
    step = np.abs(after - before).astype(np.float64)
    squared = np.rint(np.log1p(step / lower.astype(np.float64)) ** 2 * 10.0**VARIANCE_SCALE)
    if len(squared) and squared.max() > INT64_MAX:  # a trade at twenty times the price before it
        return moved + 1, np.array([int(term) for term in squared], object)
    return moved + 1, squared.astype(np.int64)
