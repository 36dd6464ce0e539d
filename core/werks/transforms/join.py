"""Columns of another source beside bars: the last value that was known at each bar's end."""

import base64
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

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
# Values that live streams keep: a stream may be days behind.
_KEPT = 8 * KNOWN
EVER = (1 << 63) - 1


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


class Values:
    """Rows of another source as far as they are known: all that were told up to `until`.

    Up to `sure` no other will come, and up to `given_up` nobody waits for more of them; `wanted` is
    the last end of a bar that was asked for. All are times in ns.
    """

    def __init__(self, rows: pa.RecordBatch, until: int) -> None:
        self.rows, self.until, self.sure = rows, until, until
        self.given_up = self.wanted = -1

    @classmethod
    def all(cls, rows: pa.RecordBatch) -> "Values":
        """Return values of which no more will come."""
        return cls(rows, EVER)

    def add(self, rows: Iterable[pa.RecordBatch], until: int) -> None:
        """Take later rows, in order: all that there are up to a time; very old ones are forgotten.

        It is sure that no other will come before that time.
        """
        every = pa.concat_batches([self.rows, *rows])
        old = int(np.searchsorted(nanoseconds(every["timestamp"]), until - _KEPT))
        self.rows, self.until = every.slice(old), max(self.until, until)
        self.sure = max(self.sure, until)

    def at(self, ends: Times, told: bool) -> list[pa.Array]:
        """Return the columns at each end; null where none is known, or with `told` up to there."""
        places = _last_known(ends, nanoseconds(self.rows["timestamp"]))
        if told:
            late = pa.array(ends > self.until)
            places = pc.if_else(late, pa.scalar(None, pa.int64()), places)
        return [self.rows[name].take(places) for name in COLUMNS[kind(self.rows.schema)]]


class Joining:
    """A step whose bars get columns of other rows, which must be in order of time.

    A bar is held until these rows are known up to its end, or until nobody waits for them.
    """

    def __init__(
        self, step: Step, schema: pa.Schema, beside: Iterable[Values], held: str | None = None
    ) -> None:
        self._step, self._schema, self._beside = step, schema, list(beside)
        self._held = [] if held is None else _unpacked(held)

    @property
    def waits(self) -> bool:
        """Whether bars are held."""
        return bool(self._held)

    def push(self, batch: pa.RecordBatch, node: str) -> Iterator[pa.RecordBatch]:
        """Take rows and yield the bars that they close."""
        return self._released(self._step.push(batch, node))

    def advance(self, time: int) -> Iterator[pa.RecordBatch]:
        """Take note of the time and yield the bars that it closes."""
        return self._released(self._step.advance(time))

    def cut(self) -> Iterator[pa.RecordBatch]:
        """Take note of a gap."""
        return self._released(self._step.cut())

    def flush(self) -> Iterator[pa.RecordBatch]:
        """Yield the bars that are held and the open one, with what is known by now."""
        held, self._held = self._held, []
        for bars in (*held, *self._step.flush()):
            yield self._joined(bars, told=False)

    def state(self) -> State:
        """Return what the step carries, and the bars that are held."""
        held = {"held": _packed(self._held)} if self._held else {}
        return self._step.state() | held

    def _released(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        self._held += [bars for bars in batches if len(bars)]
        while self._held:
            ends = nanoseconds(self._held[0]["end"])
            for values in self._beside:
                values.wanted = max(values.wanted, int(ends[-1]))
            sure = min(max(each.sure, each.given_up) for each in self._beside)
            bars = self._held.pop(0)
            count = int(np.searchsorted(ends, sure, "right"))
            if count < len(bars):
                self._held.insert(0, bars.slice(count))
            if count:
                yield self._joined(bars.slice(0, count), told=True)
            if count < len(bars):
                return

    def _joined(self, bars: pa.RecordBatch, told: bool) -> pa.RecordBatch:
        ends = nanoseconds(bars["end"])
        arrays = list(bars.columns)
        for values in self._beside:
            arrays += values.at(ends, told)
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema)


def parted(state: State | None) -> tuple[State | None, str | None]:
    """Return what a step carries, and the bars that were held beside it."""
    if state is None or "held" not in state:
        return state, None
    return {name: value for name, value in state.items() if name != "held"}, state["held"]


def _packed(batches: list[pa.RecordBatch]) -> str:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batches[0].schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return base64.b64encode(sink.getvalue()).decode()


def _unpacked(held: str) -> list[pa.RecordBatch]:
    with pa.ipc.open_stream(pa.py_buffer(base64.b64decode(held))) as reader:
        return list(reader)


def _last_known(ends: Times, times: Times) -> pa.Array:
    """Return the last row at or before each end, null where there is none young enough."""
    rows = np.searchsorted(times, ends, "right") - 1
    known = rows >= 0
    if len(times):
        known &= ends - times[np.maximum(rows, 0)] <= KNOWN
    return pa.array(rows, pa.int64(), mask=~known)
