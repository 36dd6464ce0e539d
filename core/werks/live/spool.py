"""Rows that wait on disk, in files without a name: they are gone when the process is."""

import os
import tempfile
from contextlib import suppress
from typing import IO

import attrs
import pyarrow as pa

from ..errors import WerksError

# Room is given back by whole files.
_FILE = 256 << 20
_LIMIT = 10_000_000_000


@attrs.define(eq=False)
class _File:
    """A file, and how many bytes of it are still wanted."""

    io: IO[bytes]
    used: int = 0

    def close(self) -> None:
        """Let go of the file."""
        with suppress(OSError):  # what cannot be flushed is thrown away all the same
            self.io.close()


@attrs.frozen(eq=False)
class Kept:
    """Where a batch lies on disk."""

    file: _File
    at: int
    size: int
    rows: int


class Spool:
    """Batches on disk, up to `limit` bytes; used by one thread at a time."""

    def __init__(self, limit: int = _LIMIT) -> None:
        self._limit = limit
        self._file: _File | None = None
        self._files: set[_File] = set()
        self._broken = ""
        self.bytes = 0

    @property
    def why(self) -> str:
        """Why no more may be put here; empty if it may."""
        if self._broken:
            return f"no more rows can wait on disk ({self._broken}; make room or set TMPDIR)"
        if self.bytes >= self._limit:
            return f"no more rows may wait on disk (spool_limit of {self._limit:,} bytes)"
        return ""

    def put(self, batch: pa.RecordBatch) -> Kept | None:
        """Put a batch on disk and return where; None, and `why`, if there is no room."""
        if self.bytes >= self._limit:
            return None
        at = 0
        try:
            if self._file is None:
                self._file = _File(tempfile.TemporaryFile(prefix="werks-"))  # noqa: SIM115
                self._files.add(self._file)
            at = self._file.io.seek(0, os.SEEK_END)
            self._write(self._file.io, batch)
            size = self._file.io.tell() - at
        except OSError as error:
            self._broken = os.strerror(error.errno) if error.errno else str(error)
            if self._file is not None:
                with suppress(OSError):  # what is behind the end is never read
                    self._file.io.truncate(at)
            return None
        self._broken = ""
        kept = Kept(self._file, at, size, len(batch))
        kept.file.used += size
        self.bytes += size
        if at + size >= _FILE:
            self._file = None
        return kept

    def get(self, kept: Kept) -> pa.RecordBatch:
        """Return a batch; WerksError if the disk fails."""
        try:
            kept.file.io.seek(kept.at)
            return pa.ipc.open_stream(kept.file.io).read_next_batch()
        except (OSError, pa.ArrowInvalid) as error:
            raise WerksError(f"rows that waited on disk cannot be read: {error}") from error

    def drop(self, kept: Kept) -> None:
        """Give up a batch; a file of which nothing is wanted any more is closed."""
        kept.file.used -= kept.size
        self.bytes -= kept.size
        if not kept.file.used:
            self._file = None if kept.file is self._file else self._file
            self._files.discard(kept.file)
            kept.file.close()

    def close(self) -> None:
        """Give up all."""
        for file in self._files:
            file.close()
        self._files, self._file, self.bytes = set(), None, 0

    def _write(self, file: IO[bytes], batch: pa.RecordBatch) -> None:
        codec = pa.Codec("zstd", compression_level=1)
        options = pa.ipc.IpcWriteOptions(compression=codec)
        with pa.ipc.new_stream(file, batch.schema, options=options) as stream:
            stream.write_batch(batch)
        file.flush()
