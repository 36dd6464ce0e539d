"""What is left open between batches, as plain values; folded rows before they are a batch."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import attrs
import numpy as np
import pyarrow as pa

from ..amounts import INT64_MAX, at, decimal, from_ints, scaled, single
from ..amounts import column as decimals
from ..components import State
from ..schema import times, word
from .addends import Addends
from .variance import Array

# Column → value: amounts as integers in units of the column's scale, times in ns.
Row = dict[str, Any]
# How two rows become one, column by column.
How = Mapping[str, Callable[[Any, Any], Any]]
Cells: TypeAlias = "str | Array | Addends | pa.Array"


def earlier(left: Any, right: Any) -> Any:
    """Return the value of the earlier row."""
    return left


def later(left: Any, right: Any) -> Any:
    """Return the value of the later row."""
    return right


def merged(left: Row, right: Row, how: How) -> Row:
    """Return the row that two rows make."""
    return {name: rule(left[name], right[name]) for name, rule in how.items()}


@attrs.frozen
class Kind:
    """What a column holds: decimals have a scale; a word is one of few texts."""

    type: pa.DataType
    scale: int | None
    is_time: bool
    is_word: bool


def _kind(of: pa.DataType) -> Kind:
    scale = of.scale if pa.types.is_decimal(of) else None
    return Kind(of, scale, pa.types.is_timestamp(of), pa.types.is_dictionary(of))


class Layout:
    """A schema taken apart once, as Arrow takes its time for that and steps are many."""

    def __init__(self, schema: pa.Schema) -> None:
        self.schema = schema
        self.kinds = {field.name: _kind(field.type) for field in schema}


@attrs.frozen(eq=False)
class Folded:
    """Folded rows, column by column: a word for all rows as text, numbers as integers or addends.

    What rows just hand on, ids for instance, is Arrow's.
    """

    layout: Layout
    columns: dict[str, Cells]

    def __len__(self) -> int:
        return len(self["timestamp"])

    def __getitem__(self, name: str) -> Any:
        return self.columns[name]

    def row(self, number: int) -> Row:
        """Return one row."""
        return {name: _value(cells, number) for name, cells in self.columns.items()}

    def after(self, row: Row, begin: int, stop: int) -> "Folded":
        """Return the rows from `begin` on and before `stop`, with another one in front of them."""
        columns = {
            name: _after(row[name], _cut(cells, begin, stop), self.layout.kinds[name])
            for name, cells in self.columns.items()
        }
        return Folded(self.layout, columns)

    def to(self, stop: int) -> "Folded":
        """Return the rows before `stop`."""
        if stop == len(self):
            return self
        columns = {name: _cut(cells, 0, stop) for name, cells in self.columns.items()}
        return Folded(self.layout, columns)

    def batch(self) -> pa.RecordBatch:
        """Return the rows as a batch; a column that is left out is null in every row."""
        count, given = len(self), self.columns
        columns = [
            _column(given[name], count, kind) if name in given else pa.nulls(count, kind.type)
            for name, kind in self.layout.kinds.items()
        ]
        return pa.RecordBatch.from_arrays(columns, schema=self.layout.schema)


def parted(
    folded: Folded, head: Row | None, begin: int, closed: bool
) -> tuple[Folded | None, Row | None]:
    """Return the rows that are over, None if there are none, and the one that stays open.

    `head`, if there is one, stands in front of the rows from `begin` on; `closed` tells whether the
    last row of all is over, too.
    """
    count = len(folded)
    if head is None:
        left = None if closed else folded.row(count - 1)
        return (folded.to(count - (not closed)) if closed or count > 1 else None), left
    left = head if count == begin else folded.row(count - 1)
    if closed:
        return folded.after(head, begin, count), None
    return (folded.after(head, begin, count - 1) if count > begin else None), left


def _value(cells: Cells, number: int) -> Any:
    if isinstance(cells, str):
        return cells
    if isinstance(cells, Addends):
        return cells.at(number)
    if isinstance(cells, np.ndarray):
        return cells[number].item() if cells.dtype != object else cells[number]
    return plain_value(cells, number)


def plain_value(column: pa.Array, number: int) -> Any:
    """Return one value of a column as a row has it."""
    value = column[number]
    if not value.is_valid:
        return None
    if pa.types.is_timestamp(column.type):
        return value.value
    return at(column, number) if pa.types.is_decimal(column.type) else value.as_py()


def _cut(cells: Cells, begin: int, stop: int) -> Cells:
    if isinstance(cells, str):
        return cells
    if isinstance(cells, Addends):
        return Addends(cells.values[begin:stop], cells.unit)
    if isinstance(cells, np.ndarray):
        return cells[begin:stop]
    return cells.slice(begin, stop - begin)


def _after(value: Any, cells: Cells, kind: Kind) -> Cells:
    if isinstance(cells, str):
        return cells
    if isinstance(cells, Addends):
        return cells.after(value)
    if isinstance(cells, np.ndarray):
        wide = not isinstance(value, bool) and abs(value) > INT64_MAX
        return np.concatenate((np.array([value], object if wide else cells.dtype), cells))
    return pa.concat_arrays([_single(value, kind), cells])


def _single(value: Any, kind: Kind) -> pa.Array:
    if value is None:
        return pa.nulls(1, kind.type)
    if kind.scale is not None:
        return single(value, kind.scale)
    if kind.is_time:
        return times(np.array([value], np.int64))
    return word(value, 1) if kind.is_word else pa.array([value], kind.type)


def _column(cells: Cells, count: int, kind: Kind) -> pa.Array:
    if isinstance(cells, str):
        return word(cells, count)
    if isinstance(cells, Addends):
        return decimals(cells.limbs(), kind.scale or 0)
    if not isinstance(cells, np.ndarray):
        return cells
    if kind.scale is not None:
        return decimals(from_ints(cells), kind.scale)
    return times(cells) if kind.is_time else pa.array(cells, kind.type)


def batch_of(layout: Layout, row: Row) -> pa.RecordBatch:
    """Return one row as a batch."""
    columns = [_single(row[name], kind) for name, kind in layout.kinds.items()]
    return pa.RecordBatch.from_arrays(columns, schema=layout.schema)


def row_of(rows: pa.RecordBatch, number: int = 0) -> Row:
    """Return one row of a batch."""
    return {name: plain_value(rows[name], number) for name in rows.schema.names}


def plain(schema: pa.Schema, row: Row | None) -> State | None:
    """Return a row as data that JSON can hold: times as nanoseconds, amounts as text."""
    if row is None:
        return None
    state = {}
    for field in schema:
        value = row[field.name]
        if value is not None and pa.types.is_decimal(field.type):
            value = str(decimal(value, field.type.scale))
        state[field.name] = [value]
    return state


def restored(schema: pa.Schema, state: State | None) -> Row | None:
    """Return the row that `plain` was given."""
    if state is None:
        return None
    row: Row = {}
    for field in schema:
        (value,) = state[field.name]
        if value is not None and pa.types.is_decimal(field.type):
            value = scaled(value, field.type.scale)
        row[field.name] = value
    return row
