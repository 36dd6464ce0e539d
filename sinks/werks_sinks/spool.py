"""Rows that wait for their commit, on disk as far as they are many."""

import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

import pyarrow as pa

from werks.errors import SinkError

from .disk import make_folder, naming
from .gather import Gathered


class Spool:
    """The rows of one node and window; a file without a name takes those beyond the first few."""

    def __init__(self, folder: Path) -> None:
        self.waiting = Gathered()
        self.rows = 0
        self._folder = folder
        self._file: IO[bytes] | None = None
        self._writer: pa.RecordBatchStreamWriter | None = None
        self._last: list[pa.RecordBatch] = []

    def put(self, batch: pa.RecordBatch) -> None:
        """Move rows to the file."""
        with naming(self._folder):
            if self._file is None:
                make_folder(self._folder)
                # Not always in the system's folder for such files, which may be memory itself.
                self._file = tempfile.TemporaryFile(dir=self._folder, buffering=1 << 20)  # noqa: SIM115
            if self._writer is None:
                codec = pa.Codec("zstd", compression_level=1)
                options = pa.ipc.IpcWriteOptions(compression=codec)
                self._writer = pa.ipc.new_stream(self._file, batch.schema, options=options)
            self._writer.write_batch(batch)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield all rows in the order in which they came; may be asked again, but then no more."""
        rows = 0
        for batch in self._all():
            rows += len(batch)
            yield batch
        if rows != self.rows:
            raise SinkError(f"{self._folder}: {self.rows - rows} rows in waiting were lost there")

    def drop(self) -> None:
        """Let go of the rows."""
        if self._file:
            with suppress(OSError):  # what cannot be flushed is thrown away all the same
                self._file.close()

    def _all(self) -> Iterator[pa.RecordBatch]:
        self._last += self.waiting.rest()
        if self._file:
            with naming(self._folder):
                if self._writer:  # once: its end would be written to where the file was read last
                    self._writer.close()
                    self._writer = None
                    self._file.flush()
                self._file.seek(0)
                yield from pa.ipc.open_stream(self._file)
        yield from self._last
