"""A window's rows folded to minutes, kept as bytes until they can be compared."""

import numpy as np
import pyarrow as pa

from ..schema import empty, nanoseconds, scales, schema
from ..transforms.carry import Folded, Layout
from ..transforms.columns import Columns, changes, columns, ends, only, words

_MINUTE = 60 * 10**9
# Live rows come in small batches: so many batches, or rows, are folded at once.
_MOST_BATCHES, _MOST_ROWS = 256, 10_000
# What a comparison needs of a BAR, and what a TICK calls it.
_NAMES = {
    "timestamp": "timestamp",
    "open": "open",
    "high": "high",
    "low": "low",
    "close": "price",
    "volume": "size",
    "notional": "notional",
    "ticks": "ticks",
    "first_trade_id": "trade_id",
    "last_trade_id": "last_trade_id",
}


class Minutes:
    """Folds the rows of one window to minutes.

    Only what candles state is folded, which is a third of what a bar costs. Each batch becomes a
    TICK a minute; those of a minute that runs across batches are folded once more at the end.
    """

    def __init__(self, schema_: pa.Schema) -> None:
        self._ticks = schema("TICK", scales(only({"source": schema_}, "verify")))
        self._parts: list[pa.RecordBatch] = []
        self._fresh: list[pa.RecordBatch] = []
        self._rows = 0

    def push(self, rows: pa.RecordBatch) -> None:
        """Take rows, oldest first."""
        self._fresh.append(rows)
        self._rows += len(rows)
        if self._rows > _MOST_ROWS or len(self._fresh) > _MOST_BATCHES:
            self._take()

    def _take(self) -> None:
        if self._fresh:
            cells = columns(pa.concat_batches(self._fresh))
            self._fresh, self._rows = [], 0
            if len(cells):
                self._parts.append(_folded(cells, self._ticks))
        if len(self._parts) > _MOST_BATCHES:
            self._fold()

    def closed(self, until: int) -> pa.RecordBatch:
        """Return the minutes that end at or before a time."""
        ticks = self._closed(until)
        return pa.record_batch({name: ticks[column] for name, column in _NAMES.items()})

    def packed(self, until: int) -> bytes:
        """Return the minutes that end at or before a time, as one Arrow stream."""
        minutes = self.closed(until)
        sink = pa.BufferOutputStream()
        options = pa.ipc.IpcWriteOptions(compression="zstd")
        with pa.ipc.new_stream(sink, minutes.schema, options=options) as writer:
            writer.write_batch(minutes)
        found: bytes = sink.getvalue().to_pybytes()
        return found

    def _closed(self, until: int) -> pa.RecordBatch:
        self._take()
        if not self._parts:
            return empty(self._ticks)
        ticks = self._fold()
        ends = nanoseconds(ticks["timestamp"]) + _MINUTE
        return ticks.slice(0, int(np.searchsorted(ends, until, "right")))

    def _fold(self) -> pa.RecordBatch:
        if len(self._parts) > 1:
            every = columns(pa.concat_batches(self._parts))
            self._parts = [_folded(every, self._ticks)]
        return self._parts[0]


def unpacked(data: bytes) -> pa.RecordBatch:
    """Return the minutes that were packed."""
    with pa.ipc.open_stream(pa.py_buffer(data)) as reader:
        return pa.concat_batches(list(reader))


def _folded(cells: Columns, ticks: pa.Schema) -> pa.RecordBatch:
    """Return a TICK for each minute, at the minute's start."""
    minute = cells.time // _MINUTE
    first = changes(minute)
    last = ends(first, len(cells))
    columns = words(cells.source) | {
        "timestamp": minute[first] * _MINUTE,
        "trade_id": cells.first_ids(first),
        "last_trade_id": cells.last_ids(last),
        "price": cells.price[last],
        "size": cells.size.sums(first),
        "notional": cells.notional.sums(first),
        "open": cells.open[first],
        "high": np.maximum.reduceat(cells.high, first),
        "low": np.minimum.reduceat(cells.low, first),
        "ticks": np.add.reduceat(cells.ticks, first),
    }
    return Folded(Layout(ticks), columns).batch()
