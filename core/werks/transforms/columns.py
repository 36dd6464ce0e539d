"""Rows as NumPy arrays, whatever their kind: what aggregate, filter and bars compute on."""

from collections import deque
from collections.abc import Mapping, Sequence
from functools import cached_property

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..amounts import ints, limbs
from ..errors import ConfigError
from ..schema import kind, nanoseconds, same
from .addends import Addends, Bits
from .variance import Array

Rows = npt.NDArray[np.int64]
TRADES = ("TRADE", "TICK", "SIGNIFICANT")
DAY = 86_400 * 10**9
_OFF_BOOK = "off_book"


@attrs.frozen(slots=False, eq=False)
class Columns:
    """Trades, ticks or segments of ticks as arrays; sums are over all trades behind a row.

    Prices are integers (int64, or Python's where they do not fit).
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

    def __len__(self) -> int:
        return len(self.time)

    @cached_property
    def _bought(self) -> Bits:
        bits = (self.source["tick_rule"].to_numpy() == 1).astype(np.int64)
        return np.asarray(np.negative(bits, out=bits))

    @cached_property
    def _has_totals(self) -> bool:
        return "total_buy_size" in self.source.schema.names

    @cached_property
    def buy_size(self) -> Addends:
        """The size that takers bought."""
        if self._has_totals:
            return Addends.of(limbs(self.source["total_buy_size"]))
        return self.size.where(self._bought)

    @cached_property
    def buy_notional(self) -> Addends:
        """The notional that takers bought."""
        if self._has_totals:
            return Addends.of(limbs(self.source["total_buy_notional"]))
        return self.notional.where(self._bought)

    @cached_property
    def buy_ticks(self) -> npt.NDArray[np.int64]:
        """The trades in which takers bought."""
        if self._has_totals:
            return np.asarray(self.source["total_buy_ticks"].to_numpy())
        return self.ticks & self._bought

    def first_ids(self, rows: Rows) -> pa.Array:
        """Return the ids of the first trades behind some rows."""
        return _picked(self.source["trade_id"], rows)

    def last_ids(self, rows: Rows) -> pa.Array:
        """Return the ids of the last trades behind some rows."""
        return _picked(_last_ids(self.source), rows)

    def received(self, rows: Rows) -> pa.Array:
        """Return when some rows came in; in history nobody knows."""
        return _picked(self.source["received"], rows)


def _picked(column: pa.Array, rows: Rows) -> pa.Array:
    if column.null_count == len(column):
        return pa.nulls(len(rows), column.type)
    if len(rows) == 1:
        return column.slice(int(rows[0]), 1)
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
    if _OFF_BOOK.encode() not in _text(rows["flag"]):  # for hardly a row has this flag
        return rows
    return rows.filter(pa.array(~same(rows["flag"], _OFF_BOOK)))


def _text(column: pa.Array) -> bytes:
    """Return all texts of a column, one after the other."""
    _, offsets, text = column.buffers()
    begin, end = np.frombuffer(offsets, np.int32)[[column.offset, column.offset + len(column)]]
    return text.slice(begin, end - begin).to_pybytes() if text else b""


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
        return time // width * width  # much faster than %
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


def words(rows: pa.RecordBatch) -> dict[str, str]:
    """Return the exchange and the symbol of a stream."""
    return {name: rows[name][0].as_py() for name in ("exchange", "symbol")}
