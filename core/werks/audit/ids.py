"""Trade ids of rows that stand for one trade or for a run of them: which are left out."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from ..order import Ids, Rows, numbers

_JUMPS = 100


class Covered:
    """Takes rows in order of time and tells which ids between their least and most are not there.

    `back` counts rows that begin below the id before them: ids that come twice or go backwards.
    """

    def __init__(self, name: str, first: str, last: str) -> None:
        self._name, self._first, self._last = name, first, last
        self._least: int | None = None
        self._most = -1
        self._covered = 0
        self._jumps: list[tuple[int, int]] = []
        self.back = 0
        self.first_back = ""

    @property
    def found(self) -> Ids | None:
        """What is known so far; None without a row."""
        if self._least is None:
            return None
        holes = max(0, self._most - self._least + 1 - self._covered)
        return Ids(self._least, self._most, holes, tuple(self._jumps) if holes else ())

    def count(self, batch: pa.RecordBatch) -> None:
        """Take note of rows; those without trades have no id."""
        columns = (batch[self._first].drop_null(), batch[self._last].drop_null())
        if not len(columns[0]):
            return
        first, last = (numbers(column, self._name) for column in columns)
        reached = np.maximum.accumulate(np.concatenate(([self._most], last)))[:-1]
        if self._least is None:
            reached[0] = first[0] - 1
        self._note(first, reached)
        least = int(first.min())
        self._least = least if self._least is None else min(self._least, least)
        self._most = max(self._most, int(last.max()))
        self._covered += int((last - first + 1).sum())

    def _note(self, first: Rows, reached: Rows) -> None:
        for row in np.flatnonzero(first > reached + 1)[: _JUMPS - len(self._jumps)]:
            self._jumps.append((int(reached[row]) + 1, int(first[row]) - 1))
        back = np.flatnonzero(first <= reached)
        if len(back) and not self.back:
            self.first_back = f"{first[back[0]]} comes after {reached[back[0]]}"
        self.back += len(back)


def are_whole(column: pa.Array) -> bool:
    """Tell whether ids are whole numbers, by these rows."""
    try:
        column.cast(pa.int64())
    except pa.ArrowInvalid:
        return False
    return bool(len(column) > column.null_count)


def listed(spans: Iterable[tuple[int, int]], most: int = 3) -> str:
    """Return stretches of ids in words: `7, 9 … 12`, the first few."""
    spans = list(spans)
    words = [str(a) if a == b else f"{a} … {b}" for a, b in spans[:most]]
    return ", ".join(words) + (", …" if len(spans) > most else "")
