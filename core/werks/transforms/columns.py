"""Rows as NumPy arrays, whatever their kind: what aggregate, filter and bars compute on."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..amounts import Limbs, column, from_ints, ints, limbs, masked
from ..components import State
from ..errors import ConfigError
from ..schema import batch, kind, nanoseconds, same, word

Array = npt.NDArray[Any]
TRADES = ("TRADE", "TICK", "SIGNIFICANT")
DAY = 86_400 * 10**9


@attrs.frozen(slots=False)
class Columns:
    """Trades, ticks or segments of ticks as arrays; sums are over all trades behind a row.

    Prices are integers (int64, or Python's where they do not fit), sums are limbs.
    """

    source: pa.RecordBatch
    time: npt.NDArray[np.int64]
    price: Array
    open: Array
    high: Array
    low: Array
    size: Limbs
    notional: Limbs
    ticks: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.time)

    @cached_property
    def _bought(self) -> npt.NDArray[np.bool_]:
        return np.asarray(self.source["tick_rule"].to_numpy() == 1)

    @cached_property
    def _has_totals(self) -> bool:
        return "total_buy_size" in self.source.schema.names

    @cached_property
    def buy_size(self) -> Limbs:
        """The size that takers bought."""
        if self._has_totals:
            return limbs(self.source["total_buy_size"])
        return masked(self.size, self._bought)

    @cached_property
    def buy_notional(self) -> Limbs:
        """The notional that takers bought."""
        if self._has_totals:
            return limbs(self.source["total_buy_notional"])
        return masked(self.notional, self._bought)

    @cached_property
    def buy_ticks(self) -> npt.NDArray[np.int64]:
        """The trades in which takers bought."""
        if self._has_totals:
            return np.asarray(self.source["total_buy_ticks"].to_numpy())
        return np.where(self._bought, self.ticks, 0)

    def first_ids(self, rows: npt.NDArray[np.int64]) -> pa.Array:
        """Return the ids of the first trades behind these rows."""
        return self.source["trade_id"].take(pa.array(rows))

    def last_ids(self, rows: npt.NDArray[np.int64]) -> pa.Array:
        """Return the ids of the last trades behind these rows."""
        names = self.source.schema.names
        name = "last_trade_id" if "last_trade_id" in names else "trade_id"
        return self.source[name].take(pa.array(rows))


# What was asked for last: several nodes mostly take the same batch one after the other.
_LAST: list[tuple[pa.RecordBatch, Columns]] = []


def columns(rows: pa.RecordBatch) -> Columns:
    """Return TRADE, TICK or SIGNIFICANT rows as arrays, without those that were not on the book."""
    last = _LAST[-1:]
    if last and last[0][0] is rows:
        return last[0][1]
    found = _columns(on_book(rows))
    _LAST[:] = [(rows, found)]
    return found


def _columns(rows: pa.RecordBatch) -> Columns:
    price = ints(limbs(rows["price"]))
    whole = "total_" if kind(rows.schema) == "SIGNIFICANT" else ""
    size, notional = limbs(rows[f"{whole}size"]), limbs(rows[f"{whole}notional"])
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
    off = same(rows["flag"], "off_book")
    return rows.filter(pa.array(~off)) if off.any() else rows


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


def taken(column: pa.Array, rows: pa.Array) -> pa.Array:
    """Return some rows of a column, which often has nothing but nulls."""
    if column.null_count == len(column):
        return pa.nulls(len(rows), column.type)
    return column.take(rows)


def amount(values: Array, schema: pa.Schema, name: str) -> pa.Array:
    """Return integers or limbs as the decimal column that a schema has under a name."""
    return column(values if values.ndim > 1 else from_ints(values), schema.field(name).type.scale)
