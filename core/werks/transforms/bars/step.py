"""Bars at work: closed bars go out, the open one is carried."""

from collections.abc import Iterator
from typing import Protocol

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ...components import State
from ..carry import Folded, Layout, Row, batch_of, parted, plain, restored
from ..columns import Columns, columns
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

    def cut(self, cells: Columns, open_: Row | None) -> Cut:
        """Return where bars end among these rows, given the open bar."""
        ...

    def label(self, bars: Folded) -> Folded:
        """Return bars with the times that they are known by."""
        ...

    def closes(self, open_: Row, time: int) -> bool | None:
        """Return None if the open bar stays open at a time, else whether it closes complete."""
        ...

    def advanced(self, time: int) -> None:
        """Take note of a time that no later row lies before."""
        ...

    def filled(self, bars: pa.RecordBatch | None, until: int | None) -> Iterator[pa.RecordBatch]:
        """Yield closed bars, with those between and after them (up to a time) that had no trade."""
        ...

    def torn(self, open_: Row | None) -> bool:
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
        self._layout = Layout(schema)
        self._rule = rule
        self._open: Row | None = None
        if state is not None:
            self._open = restored(schema, state["open"])
            rule.restore(state["rule"])

    def push(self, rows: pa.RecordBatch, node: str) -> Iterator[pa.RecordBatch]:
        """Take trades, ticks or segments and yield the bars that they close."""
        cells = columns(rows)
        if not len(cells):
            return
        cut = self._rule.cut(cells, self._open)
        bars = self._rule.label(fold(cells, cut.first, cut.complete, self._layout))
        head = self._open
        if head is not None and cut.continues:
            head = join(head, bars.row(0), int(cells.price[0]))
        elif head is not None:
            head = _flagged(head, cut.left_complete)
        over, self._open = parted(bars, head, int(cut.continues), cut.closed)
        until = None if self._open is None else self._open["timestamp"]
        yield from self._rule.filled(over and over.batch(), until)

    def advance(self, time: int) -> Iterator[pa.RecordBatch]:
        """Close the open bar if it cannot go on beyond a time."""
        closed = None
        if self._open is not None:
            complete = self._rule.closes(self._open, time)
            if complete is not None:
                closed = batch_of(self._layout, _flagged(self._open, complete))
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
            self._open = _flagged(self._open, False)

    def flush(self) -> Iterator[pa.RecordBatch]:
        """Yield the open bar as it stands."""
        if self._open is not None:
            yield batch_of(self._layout, _flagged(self._open, False))

    def state(self) -> State:
        """Return the open bar and what the rule carries."""
        return {"open": plain(self._layout.schema, self._open), "rule": self._rule.state()}


def _flagged(bar: Row, complete: bool) -> Row:
    """Return a bar whose `complete` is no more than it was."""
    return bar | {"complete": bar["complete"] and complete}
