"""Bars at work: closed bars go out, the open one is carried."""

from collections.abc import Iterator
from typing import Protocol

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ...components import State
from ...schema import nanoseconds
from ..columns import Columns, columns, plain, restored
from .fold import fold, join


@attrs.frozen
class Cut:
    """Where bars end among some rows.

    `first` holds each bar's first row. `continues` tells whether the first bar goes on with the
    open one; if not, that one closes, complete or not (`left_complete`). `complete` holds a flag
    for each bar, `closed` tells whether the last one has ended with the last row.
    """

    first: npt.NDArray[np.int64]
    continues: bool
    left_complete: bool
    complete: npt.NDArray[np.bool_]
    closed: bool


class Rule(Protocol):
    """What decides where bars end."""

    def cut(self, cells: Columns, open_: pa.RecordBatch | None) -> Cut:
        """Return where bars end among these rows, given the open bar."""
        ...

    def label(self, bars: pa.RecordBatch) -> pa.RecordBatch:
        """Return bars with the times that they are known by."""
        ...

    def closes(self, open_: pa.RecordBatch, time: int) -> bool | None:
        """Return None if the open bar stays open at a time, else whether it closes complete."""
        ...

    def advanced(self, time: int) -> None:
        """Take note of a time that no later row lies before."""
        ...

    def filled(self, bars: pa.RecordBatch | None, until: int | None) -> Iterator[pa.RecordBatch]:
        """Yield closed bars, with those between and after them (up to a time) that had no trade."""
        ...

    def torn(self, open_: pa.RecordBatch | None) -> bool:
        """Take note of a gap; return whether the open bar must close before it."""
        ...

    def state(self) -> State:
        """Return what the rule carries."""
        ...

    def restore(self, state: State) -> None:
        """Go on from what `state` returned."""
        ...


class Making:
    """A step that makes bars by a rule."""

    def __init__(self, schema: pa.Schema, rule: Rule, state: State | None) -> None:
        self._schema = schema
        self._rule = rule
        self._open: pa.RecordBatch | None = None
        if state is not None:
            self._open = restored(schema, state["open"])
            rule.restore(state["rule"])

    def push(self, rows: pa.RecordBatch, node: str) -> Iterator[pa.RecordBatch]:
        """Take trades, ticks or segments and yield the bars that they close."""
        cells = columns(rows)
        if not len(cells):
            return
        cut = self._rule.cut(cells, self._open)
        bars = _flagged(self._rule.label(fold(cells, cut.first, self._schema)), cut.complete)
        if self._open is not None:
            if cut.continues:
                head = join(self._open, bars.slice(0, 1), cells.price[0])
            else:
                left = np.array([cut.left_complete])
                head = pa.concat_batches([_flagged(self._open, left), bars.slice(0, 1)])
            bars = pa.concat_batches([head, bars.slice(1)])
        closed = len(bars) - (not cut.closed)
        self._open = None if cut.closed else bars.slice(closed)
        until = None if self._open is None else int(nanoseconds(self._open["timestamp"])[0])
        yield from self._rule.filled(bars.slice(0, closed), until)

    def advance(self, time: int) -> Iterator[pa.RecordBatch]:
        """Close the open bar if it cannot go on beyond a time."""
        closed = None
        if self._open is not None:
            complete = self._rule.closes(self._open, time)
            if complete is not None:
                closed = _flagged(self._open, np.array([complete]))
                self._open = None
        self._rule.advanced(time)
        until = None if self._open is not None else time
        yield from self._rule.filled(closed, until)

    def cut(self) -> Iterator[pa.RecordBatch]:
        """Close a bar that must not run across a gap; mark one that does."""
        if self._rule.torn(self._open):
            yield from self.flush()
            self._open = None
        elif self._open is not None:
            self._open = _flagged(self._open, np.zeros(1, bool))

    def flush(self) -> Iterator[pa.RecordBatch]:
        """Yield the open bar as it stands."""
        if self._open is not None:
            yield _flagged(self._open, np.zeros(1, bool))

    def state(self) -> State:
        """Return the open bar and what the rule carries."""
        return {"open": plain(self._open), "rule": self._rule.state()}


def _flagged(bars: pa.RecordBatch, complete: npt.NDArray[np.bool_]) -> pa.RecordBatch:
    """Return bars whose `complete` is no more than it was."""
    both = bars["complete"].to_numpy(zero_copy_only=False) & complete
    return bars.set_column(bars.schema.get_field_index("complete"), "complete", pa.array(both))
