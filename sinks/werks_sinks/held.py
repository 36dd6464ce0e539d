"""Rows of one node and window in memory, in batches of about one size."""

from collections import Counter, deque

import attrs
import numpy as np
import pyarrow as pa

from werks.components import Proof, Window
from werks.schema import nanoseconds

from .gather import owned

_ROWS = 1 << 16

Key = tuple[str, str, str]


@attrs.define
class Taken:
    """How many bytes all rows take, and how many were dropped, by (node, exchange, symbol)."""

    bytes: int = 0
    dropped: Counter[Key] = attrs.field(factory=Counter)


class Held:
    """Rows in their order; `gone` of them have left at the front, `proof` is of all of them."""

    def __init__(self, window: Window, node: str, taken: Taken) -> None:
        self.window, self.node = window, node
        self.rows = self.gone = 0
        self.proof: Proof | None = None
        self._taken = taken
        self._batches: deque[pa.RecordBatch] = deque()

    @property
    def key(self) -> Key:
        """The node and whose rows they are."""
        return self.node, self.window.exchange, self.window.symbol

    @property
    def position(self) -> int:
        """How many rows were added, those that have left included."""
        return self.gone + self.rows

    @property
    def first(self) -> int:
        """The time of the first row that is there."""
        return _time(self._batches[0], 0)

    @property
    def last(self) -> int:
        """The time of the last row."""
        return _time(self._batches[-1], -1)

    def batches(self) -> tuple[pa.RecordBatch, ...]:
        """Return the rows as they are now."""
        return tuple(self._batches)

    def add(self, batch: pa.RecordBatch) -> None:
        """Put rows behind those that are there."""
        for start in range(0, len(batch), _ROWS):
            self._merge(owned(batch.slice(start, _ROWS)))

    def evict(self, until: int) -> None:
        """Let go of the first rows, up to those of a time and with them."""
        while self.rows and self.first <= until:
            batch = self._pop_first()
            later = nanoseconds(batch["timestamp"]) > until
            left = int(later.argmax()) if later.any() else len(batch)
            self.gone += left
            if left < len(batch):
                self._batches.appendleft(self._counted(owned(batch.slice(left))))

    def drop(self) -> None:
        """Let go of the first batch, and count its rows as dropped."""
        rows = len(self._pop_first())
        self.gone += rows
        self._taken.dropped[self.key] += rows

    def cut(self, position: int) -> None:
        """Let go of the last rows until `position` were added; what was never here has gone."""
        while self.rows and self.position > position:
            batch = self._pop_last()
            if self.position < position:
                self._put(owned(batch.slice(0, position - self.position)))
        self.gone = position - self.rows

    def _merge(self, batch: pa.RecordBatch) -> None:
        """Put rows behind, together with batches that are not much larger.

        So a row is copied as often as the logarithm of the rows, and single rows take no more room
        than many.
        """
        together, rows = deque([batch]), len(batch)
        while self.rows and len(self._batches[-1]) <= min(2 * rows, _ROWS - rows):
            together.appendleft(self._pop_last())
            rows += len(together[0])
        self._put(pa.concat_batches(together) if len(together) > 1 else batch)

    def _put(self, batch: pa.RecordBatch) -> None:
        self._batches.append(self._counted(batch))

    def _counted(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        self.rows += len(batch)
        self._taken.bytes += batch.get_total_buffer_size()
        return batch

    def _pop_first(self) -> pa.RecordBatch:
        return self._discounted(self._batches.popleft())

    def _pop_last(self) -> pa.RecordBatch:
        return self._discounted(self._batches.pop())

    def _discounted(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        self.rows -= len(batch)
        self._taken.bytes -= batch.get_total_buffer_size()
        return batch


def between(
    batches: tuple[pa.RecordBatch, ...], start: int | None, stop: int | None
) -> list[pa.RecordBatch]:
    """Return the rows from a time on and before another one."""
    if start is None and stop is None:
        return list(batches)
    found = []
    for batch in batches:
        times = nanoseconds(batch["timestamp"])
        wanted = np.ones(len(times), bool)
        if start is not None:
            wanted &= times >= start
        if stop is not None:
            wanted &= times < stop
        if wanted.all():
            found.append(batch)
        elif wanted.any():
            found.append(batch.filter(pa.array(wanted)))
    return found


def _time(batch: pa.RecordBatch, row: int) -> int:
    return int(nanoseconds(batch["timestamp"])[row])
