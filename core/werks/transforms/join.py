"""Columns of another source beside bars: the last value that was known at each bar's end."""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..components import State, Step
from ..errors import ConfigError
from ..schema import kind, nanoseconds

Times = npt.NDArray[np.int64]
# What is appended, by the kind of rows: the column there, and its name beside a bar.
COLUMNS: Mapping[str, Mapping[str, str]] = {
    "OPEN_INTEREST": {
        "open_interest": "open_interest",
        "open_interest_notional": "open_interest_notional",
    },
    "FUNDING": {"rate": "funding_rate", "mark_price": "mark_price"},
}
# A value that is older than this at a bar's end is not known any more.
KNOWN = 86_400 * 10**9


def joined(schema: pa.Schema, beside: Iterable[pa.Schema]) -> pa.Schema:
    """Return the schema of bars with the columns of other rows behind their own."""
    if kind(schema) != "BAR":
        raise ConfigError([f"with: columns can stand beside BAR, not beside {kind(schema)}"])
    fields = list(schema)
    for other in beside:
        columns = COLUMNS.get(kind(other))
        if columns is None:
            raise ConfigError([f"with: takes {', '.join(COLUMNS)} and not {kind(other)}"])
        fields += [pa.field(name, other.field(column).type) for column, name in columns.items()]
    names = [field.name for field in fields]
    if len(set(names)) < len(names):
        raise ConfigError(["with: two of the nodes have the same columns"])
    return pa.schema(fields, metadata=schema.metadata)


class Joining:
    """A step whose bars get columns of other rows, which must be in order of time."""

    def __init__(self, step: Step, schema: pa.Schema, beside: Iterable[pa.RecordBatch]) -> None:
        self._step, self._schema, self._beside = step, schema, list(beside)

    def push(self, batch: pa.RecordBatch, node: str) -> Iterator[pa.RecordBatch]:
        """Take rows and yield the bars that they close."""
        return self._joined(self._step.push(batch, node))

    def advance(self, time: int) -> Iterator[pa.RecordBatch]:
        """Take note of the time and yield the bars that it closes."""
        return self._joined(self._step.advance(time))

    def cut(self) -> Iterator[pa.RecordBatch]:
        """Take note of a gap."""
        return self._joined(self._step.cut())

    def flush(self) -> Iterator[pa.RecordBatch]:
        """Yield the open bar."""
        return self._joined(self._step.flush())

    def state(self) -> State:
        """Return what the step carries; the other rows are read anew for each window."""
        return self._step.state()

    def _joined(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for bars in batches:
            arrays = list(bars.columns)
            for rows in self._beside:
                at = _last_known(nanoseconds(bars["end"]), nanoseconds(rows["timestamp"]))
                columns = COLUMNS[kind(rows.schema)]
                arrays += [rows[name].take(at) for name in columns]
            yield pa.RecordBatch.from_arrays(arrays, schema=self._schema)


def _last_known(ends: Times, times: Times) -> pa.Array:
    """Return the last row at or before each end, null where there is none young enough."""
    rows = np.searchsorted(times, ends, "right") - 1
    known = rows >= 0
    if len(times):
        known &= ends - times[np.maximum(rows, 0)] <= KNOWN
    return pa.array(rows, pa.int64(), mask=~known)
