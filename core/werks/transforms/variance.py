"""How much prices moved."""

from typing import Any

import numpy as np
import numpy.typing as npt

from ..amounts import INT64_MAX
from ..schema import VARIANCE_SCALE

Array = npt.NDArray[Any]


def variances(price: Array) -> Array:
    """Return each row's squared log return over the row before, in units of 10**-18.

    The first row has none, nor has a row beside a price that is not above 0: 0. Each term is
    rounded by itself, so that their sum does not depend on how the rows were cut.
    """
    terms: Array = np.zeros(len(price), np.int64)
    moved = np.flatnonzero(price[1:] != price[:-1])
    lower = np.minimum(price[moved], price[moved + 1])
    moved, lower = moved[lower > 0], lower[lower > 0]
    if not len(moved):
        return terms
    # Counted from the lower price, so that a deep fall loses no digits.
    step = np.abs(price[moved + 1] - price[moved]).astype(np.float64)
    squared = np.rint(np.log1p(step / lower.astype(np.float64)) ** 2 * 10.0**VARIANCE_SCALE)
    if squared.max() > INT64_MAX:  # one trade at twenty times the price of the one before
        terms = terms.astype(object)
        terms[moved + 1] = [int(term) for term in squared]
    else:
        terms[moved + 1] = squared.astype(np.int64)
    return terms
