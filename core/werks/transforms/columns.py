"""Rows as NumPy arrays, whatever their kind: what aggregate, filter and bars compute on."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..amounts import INT64_MAX, at, column, from_ints, ints, limbs
from ..components import State
from ..errors import ConfigError
from ..schema import batch, kind, nanoseconds, same, word
from .addends import Addends
from .variance import Array, variances

Rows = npt.NDArray[np.int64]
TRADES = ("TRADE", "TICK", "SIGNIFICANT")
DAY = 86_400 * 10**9


@attrs.frozen(slots=False, eq=False)
class Columns:
    """Trades, ticks or segments of ticks as arrays; sums are over all trades behind a row.

    Prices are integers (int64, or Python's where they do not fit). `parts` are a row that was left
    open and the rows of `source` that it was put in front of.
    """

    source: pa.RecordBatch
    time: npt.NDArray[np.int64]
    price: Array
    open: Array
    high: Array
    low: Array
    size: Addends
    notional: Addends
    ticks: npt.NDArray[np.int64]
    parts: "tuple[pa.RecordBatch, Columns] | None" = None

    def __len__(self) -> int:
        return len(self.time)

    def after(self, left: pa.RecordBatch | None) -> "Columns":
        """Return these rows with a tick or a segment that was left open in front of them."""
        if left is None:
            return self

        def both(name: str) -> Array:
            return np.concatenate((_number(at(left[name], 0)), getattr(self, name)))

        whole = "total_" if kind(left.schema) == "SIGNIFICANT" else ""
        return Columns(
            self.source,
            np.concatenate((nanoseconds(left["timestamp"]), self.time)),
            *(both("price"), both("open"), both("high"), both("low")),
            self.size.after(at(left[f"{whole}size"], 0)),
            self.notional.after(at(left[f"{whole}notional"], 0)),
            np.concatenate((left[f"{whole}ticks"].to_numpy(), self.ticks)),
            (left, self),
        )

    def to(self, stop: int, source: pa.RecordBatch) -> "Columns":
        """Return the rows before `stop`, which are those of `source`."""
        return Columns(
            source,
            self.time[:stop],
            self.price[:stop],
            self.open[:stop],
            self.high[:stop],
            self.low[:stop],
            self.size.to(stop),
            self.notional.to(stop),
            self.ticks[:stop],
        )

    @cached_property
    def _bought(self) -> npt.NDArray[np.bool_]:
        return np.asarray(self.source["tick_rule"].to_numpy() == 1)

    @cached_property
    def _has_totals(self) -> bool:
        return "total_buy_size" in self.source.schema.names

    @cached_property
    def buy_size(self) -> Addends:
        """The size that takers bought."""
        if self.parts:
            left, rows = self.parts
            return rows.buy_size.after(at(left["total_buy_size"], 0))
        if self._has_totals:
            return Addends.of(limbs(self.source["total_buy_size"]))
        return self.size.where(self._bought)

    @cached_property
    def buy_notional(self) -> Addends:
        """The notional that takers bought."""
        if self.parts:
            left, rows = self.parts
            return rows.buy_notional.after(at(left["total_buy_notional"], 0))
        if self._has_totals:
            return Addends.of(limbs(self.source["total_buy_notional"]))
        return self.notional.where(self._bought)

    @cached_property
    def buy_ticks(self) -> npt.NDArray[np.int64]:
        """The trades in which takers bought."""
        if self.parts:
            left, rows = self.parts
            return np.concatenate((left["total_buy_ticks"].to_numpy(), rows.buy_ticks))
        if self._has_totals:
            return np.asarray(self.source["total_buy_ticks"].to_numpy())
        return self.ticks * self._bought

    @cached_property
    def variances(self) -> Addends:
        """Each row's squared log return over the row before."""
        return Addends.of_ints(variances(self.price))

    def first_ids(self, rows: Rows) -> pa.Array:
        """Return the ids of the first trades behind these rows, which ascend."""
        return self._taken(rows, lambda part: part["trade_id"])

    def last_ids(self, rows: Rows) -> pa.Array:
        """Return the ids of the last trades behind these rows, which ascend."""
        return self._taken(rows, _last_ids)

    def received(self, rows: Rows) -> pa.Array:
        """Return when these rows, which ascend, came in; in history nobody knows."""
        return self._taken(rows, lambda part: part["received"])

    def _taken(self, rows: Rows, column: Callable[[pa.RecordBatch], pa.Array]) -> pa.Array:
        given = column(self.source)
        if self.parts is None:
            return _picked(given, rows)
        head = column(self.parts[0])
        if rows[0] > 0:
            return _picked(given, rows - 1)
        return pa.concat_arrays([head, _picked(given, rows[1:] - 1)])


def _number(value: int) -> Array:
    """Return one integer as an array."""
    return np.array([value], np.int64 if abs(value) <= INT64_MAX else object)


def _picked(column: pa.Array, rows: Rows) -> pa.Array:
    if column.null_count == len(column):
        return pa.nulls(len(rows), column.type)
    return column.take(pa.array(rows))


def _last_ids(rows: pa.RecordBatch) -> pa.Array:
    return rows["last_trade_id" if "last_trade_id" in rows.schema.names else "trade_id"]


# What was asked for last: several nodes mostly take the same batch one after the other.
_LAST: deque[tuple[pa.RecordBatch, Columns]] = deque(maxlen=2)


def columns(rows: pa.RecordBatch) -> Columns:
    """Return TRADE, TICK or SIGNIFICANT rows as arrays, without those that were not on the book."""
    for known, found in _LAST:
        if known is rows:
            return found
    found = _columns(on_book(rows))
    _LAST.append((rows, found))
    return found


def remember(cells: Columns) -> pa.RecordBatch:
    """Return the batch behind these arrays, for which `columns` now returns them."""
    _LAST.append((cells.source, cells))
    return cells.source


def _columns(rows: pa.RecordBatch) -> Columns:
    price = ints(limbs(rows["price"]))
    whole = "total_" if kind(rows.schema) == "SIGNIFICANT" else ""
    size, notional = (Addends.of(limbs(rows[f"{whole}{name}"])) for name in ("size", "notional"))
    if "ticks" in rows.schema.names:
        opened, high, low = (ints(limbs(rows[name])) for name in ("open", "high", "low"))
        ticks = rows[f"{whole}ticks"].to_numpy()
    else:
        opened = high = low = price
        ticks = np.ones(len(rows), np.int64)
    time = nanoseconds(rows["timestamp"])
    return Columns(rows, time, price, opened, high, low, size, notional, ticks)


def on_book(rows: pa.RecordBatch) -> pa.RecordBatch:
    """Return the rows without those that carry the flag `off_book`."""
    if "flag" not in rows.schema.names or rows["flag"].null_count == len(rows):
        return rows
    if not same(rows["flag"].drop_null(), "off_book").any():  # for few rows have a flag
        return rows
    return rows.filter(pa.array(~same(rows["flag"], "off_book")))


def changes(*keys: Array) -> npt.NDArray[np.int64]:
    """Return the first row of each run of equal keys, the very first row included."""
    new = np.zeros(len(keys[0]), bool)
    new[:1] = True
    for key in keys:
        new[1:] |= key[1:] != key[:-1]
    return np.flatnonzero(new)


def ends(starts: npt.NDArray[np.int64], rows: int) -> npt.NDArray[np.int64]:
    """Return the last row of each run."""
    return np.append(starts[1:], rows) - 1


def windows(time: Rows, width: int) -> Rows:
    """Return the start of each time's window of the clock; windows are counted from midnight."""
    if DAY % width == 0:  # so that a window begins at midnight anyway
        return np.asarray(time - time % width)
    return np.asarray(time - time % DAY % width)


def only(schemas: Mapping[str, pa.Schema], what: str, kinds: Sequence[str] = TRADES) -> pa.Schema:
    """Return the schema that all inputs share; ConfigError if they differ or cannot be taken."""
    for node, schema in schemas.items():
        if kind(schema) not in kinds:
            raise ConfigError([f"{what} takes {', '.join(kinds)} and not {kind(schema)} of {node}"])
    first, *others = schemas.values()
    if any(other != first for other in others):
        raise ConfigError([f"{what} cannot mix {', '.join(schemas)}: their rows or scales differ"])
    return first


def plain(rows: pa.RecordBatch | None) -> State | None:
    """Return rows as data that JSON can hold: times as nanoseconds, amounts as text."""
    if rows is None:
        return None
    state = {}
    for field in rows.schema:
        values = rows[field.name]
        if pa.types.is_timestamp(field.type):
            values = values.view(pa.int64())
        elif pa.types.is_decimal(field.type) or pa.types.is_dictionary(field.type):
            values = values.cast(pa.string())
        state[field.name] = values.to_pylist()
    return state


def restored(schema: pa.Schema, state: State | None) -> pa.RecordBatch | None:
    """Return the rows that `plain` was given."""
    if state is None:
        return None
    arrays = {}
    for field in schema:
        given = state[field.name]
        if pa.types.is_timestamp(field.type):
            arrays[field.name] = pa.array(given, pa.int64()).view(field.type)
        elif pa.types.is_decimal(field.type):
            arrays[field.name] = pa.array(given, pa.string()).cast(field.type)
        elif pa.types.is_dictionary(field.type):
            arrays[field.name] = pa.array(given, pa.string()).dictionary_encode()
        else:
            arrays[field.name] = pa.array(given, field.type)
    return batch(schema, **arrays)


def words(rows: pa.RecordBatch, count: int) -> dict[str, pa.Array]:
    """Return the columns `exchange` and `symbol` of a stream for this many rows."""
    return {name: word(rows[name][0].as_py(), count) for name in ("exchange", "symbol")}


def amount(values: Array | Addends, schema: pa.Schema, name: str) -> pa.Array:
    """Return integers, limbs or addends as the decimal column that a schema has under a name."""
    if isinstance(values, Addends):
        values = values.limbs()
    return column(values if values.ndim > 1 else from_ints(values), schema.field(name).type.scale)
