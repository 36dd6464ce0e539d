"""A window's rows folded to minutes, kept as bytes until they can be compared."""

from collections.abc import Iterable

import pyarrow as pa

from ..schema import empty
from ..transforms.bars import Bars

_NODE = "source"


class Minutes:
    """Folds the rows of one window to minutes."""

    def __init__(self, schema: pa.Schema) -> None:
        bars = Bars(by="time", every="1m")
        self._schema = bars.output({_NODE: schema})
        self._step = bars.start({_NODE: schema}, None)
        self._bars: list[pa.RecordBatch] = []

    def push(self, rows: pa.RecordBatch) -> None:
        """Take rows, oldest first."""
        self._add(self._step.push(rows, _NODE))

    def packed(self, until: int) -> bytes:
        """Return the minutes that end at or before a time, as one Arrow stream."""
        self._add(self._step.advance(until))
        sink = pa.BufferOutputStream()
        options = pa.ipc.IpcWriteOptions(compression="zstd")
        with pa.ipc.new_stream(sink, self._schema, options=options) as writer:
            for bars in self._bars:
                writer.write_batch(bars)
        found: bytes = sink.getvalue().to_pybytes()
        return found

    def _add(self, bars: Iterable[pa.RecordBatch]) -> None:
        self._bars += [each for each in bars if len(each)]


def unpacked(data: bytes) -> pa.RecordBatch:
    """Return the minutes that were packed, as BAR rows."""
    with pa.ipc.open_stream(pa.py_buffer(data)) as reader:
        batches = list(reader)
        return pa.concat_batches(batches) if batches else empty(reader.schema)
