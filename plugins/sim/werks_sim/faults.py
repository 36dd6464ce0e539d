"""What may be wrong with a published day; each fault is a change of rows, of text or of bytes."""

from collections.abc import Collection
from typing import Literal

import numpy as np

from .market import Draws, Ints

Fault = Literal[
    "repeat", "disorder", "newest_first", "hole", "mangled", "truncated", "checksum", "missing_day"
]
# How far a row may stray by disorder, in rows.
_REACH = 8


def rows(faults: Collection[str], draws: Draws, count: int) -> Ints:
    """Return which rows of a day are published, in the order in which they are.

    `hole` leaves out a hundredth of the day at noon, `repeat` writes each 200th row twice,
    `disorder` moves rows by a few places, `newest_first` turns the file round.
    """
    order = np.arange(count)
    if "hole" in faults:
        order = np.delete(order, np.s_[count // 2 : count // 2 + max(1, count // 100)])
    if "repeat" in faults:
        order = np.sort(np.concatenate([order, order[::200]]))
    if "disorder" in faults:
        places = np.arange(len(order)) + draws.below("disorder", len(order), _REACH)
        order = order[np.argsort(places, kind="stable")]
    return order[::-1] if "newest_first" in faults else order


def mangled(text: bytes) -> bytes:
    """Return the text with a number in its last row as a spreadsheet would have saved it."""
    head, _, last = text.rstrip(b"\n").rpartition(b"\n")
    number, _, rest = last.partition(b",")
    return b"%s\n%s,%s\n" % (head, b"1.70027E+12", rest) if number else text


def truncated(body: bytes) -> bytes:
    """Return the first two thirds of a file."""
    return body[: len(body) * 2 // 3]
