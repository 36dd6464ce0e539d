"""Live segments: an Arrow IPC stream that grows by whole messages, each durable before the next.

The schema stands once at the beginning. A segment is a record batch, with the dictionaries before
it that have changed. There is no end mark, so a reader comes to the end of what is whole.
"""

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any, BinaryIO

import attrs
import pyarrow as pa

from werks.components import Window
from werks.errors import SinkError

from .disk import make_folder, naming, sync
from .formats import fitted, require_version

_ABOUT = b"werks.segments"
_COMPRESSED_FROM = 1 << 16
# The ledger's mark says how far a live day is in all sinks, and goes on behind that only.
PUT_BACK = "put the file back, or, with another pipeline.state, have the day written anew"


def head(schema: pa.Schema, window: Window, node: str, is_rebuilt: bool = False) -> bytes:
    """Return the message that begins a file; it tells what the names of the folders may not."""
    names = {"exchange": window.exchange, "symbol": window.symbol, "window": window.name}
    about = json.dumps({**names, "node": node, "rebuilt": is_rebuilt}).encode()
    message = schema.with_metadata({**(schema.metadata or {}), _ABOUT: about}).serialize()
    return bytes(message.to_pybytes())


@attrs.frozen
class About:
    """What the first message of a file says; `is_rebuilt` if it was made out of a final file."""

    window: Window
    is_rebuilt: bool
    schema: pa.Schema


def about(path: Path) -> About | None:
    """Return what the first message says; None if it is torn, FileNotFoundError without a file."""
    with pa.OSFile(str(path)) as file:
        reader = _unless_torn(lambda: pa.ipc.open_stream(file))
        if reader is None or _ABOUT not in (reader.schema.metadata or {}):
            return None
        found = json.loads(reader.schema.metadata[_ABOUT])
        day = None if found["window"] == "open" else date.fromisoformat(found["window"])
        window = Window(found["exchange"], found["symbol"], day)
        return About(window, found["rebuilt"], reader.schema)


def whole(path: Path, schema: pa.Schema) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Yield the segments that are whole, each with the byte at which it ends.

    A torn one, left by a crash, ends them. FileNotFoundError if there is no file.
    """
    with pa.OSFile(str(path)) as file:
        reader = _unless_torn(lambda: pa.ipc.open_stream(file))
        if reader is None:
            return
        require_version(path, reader.schema, schema)
        while (batch := _unless_torn(lambda: _next(reader))) is not None:
            yield fitted(batch, schema), file.tell()


def _next(reader: pa.RecordBatchStreamReader) -> pa.RecordBatch:
    batch = reader.read_next_batch()
    batch.validate(full=True)  # a power cut may leave bytes that were never written
    return batch


def reaches(path: Path, rows: int, length: int) -> bool:
    """Tell whether a file has so many rows, which ended at a byte when they were appended."""
    with naming(path):
        try:
            if path.stat().st_size >= length:
                return True
            found = about(path)
            if found is None or not found.is_rebuilt:
                return False
            return sum(len(batch) for batch, _ in whole(path, found.schema)) >= rows
        except (FileNotFoundError, NotADirectoryError):
            return False


def _unless_torn(read: Callable[[], Any]) -> Any:
    """Return what is read; None at the end, and where a message is not whole."""
    try:
        return read()
    except (StopIteration, pa.ArrowException):
        return None
    except OSError as error:
        if error.errno:
            raise
        return None  # Arrow's own word for a file that ends too early


class Words:
    """Turns batches into messages; a dictionary is repeated only when it has changed."""

    def __init__(self) -> None:
        self._known: list[bytes] = []

    def encoded(self, batch: pa.RecordBatch) -> bytes:
        """Return the messages of a batch."""
        codec = None
        if batch.nbytes >= _COMPRESSED_FROM:  # it costs more than it saves on small ones
            codec = pa.Codec("zstd", compression_level=1)
        stream = pa.BufferOutputStream()
        options = pa.ipc.IpcWriteOptions(compression=codec)
        with pa.ipc.new_stream(stream, batch.schema, options=options) as writer:
            writer.write_batch(batch)
        dictionaries, rows = _split(stream.getvalue())
        new = [words for n, words in enumerate(dictionaries) if self._known[n : n + 1] != [words]]
        self._known = dictionaries
        return b"".join([*new, rows])


def _split(stream: pa.Buffer) -> tuple[list[bytes], bytes]:
    """Return the messages of the dictionaries and that of the rows of a stream of one batch."""
    reader, start, dictionaries = pa.ipc.MessageReader.open_stream(stream), 0, []
    while True:
        message = reader.read_next_message()
        length = 8 + message.metadata.size + (message.body.size if message.body else 0)
        if message.type == "dictionary":
            dictionaries.append(stream.slice(start, length).to_pybytes())
        elif message.type == "record batch":
            return dictionaries, stream.slice(start, length).to_pybytes()
        start += length


def in_use(path: Path) -> SinkError:
    """Return the error for a file that another run has open."""
    return SinkError(f"{path}: another run appends to this; end one of them, then run again")


class Segment:
    """The file of one node and live window, `rows` and `bytes` of which are known to be whole.

    `name` is what receipts call it.
    """

    def __init__(self, path: Path, name: str, head: bytes, rows: int, length: int) -> None:
        self.path, self.name, self.rows, self.bytes = path, name, rows, length
        self._head = head
        self._file: BinaryIO | None = None
        self._is_durable = True
        self._words = Words()

    @property
    def is_open(self) -> bool:
        """Whether the file is open, and so is ours alone."""
        return self._file is not None

    def claim(self) -> None:
        """Open the file, or make it, and cut off what is torn; SinkError if another run has it."""
        if self._file:
            return
        with naming(self.path):
            self._file = self._opened()
            self._lock()
            self._file.truncate(self.bytes)

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows; they are durable after `settle`."""
        self.claim()
        content = self._words.encoded(batch)
        if not self.bytes:
            content = self._head + content
        with naming(self.path):
            assert self._file  # noqa: S101  (it is claimed)
            self._is_durable = False
            self._file.seek(self.bytes)
            rest = memoryview(content)
            while rest:
                rest = rest[self._file.write(rest) :]
        self.rows += len(batch)
        self.bytes += len(content)

    def settle(self) -> None:
        """Make all rows outlast a power cut; SinkError if the file was removed meanwhile."""
        if self._file and not self._is_durable:
            with naming(self.path):
                os.fsync(self._file.fileno())
                is_there = os.fstat(self._file.fileno()).st_nlink > 0
            if not is_there:
                raise SinkError(f"{self.path} was removed while it was written to; {PUT_BACK}")
            self._is_durable = True

    def cut(self, rows: int, length: int) -> None:
        """Cut the file back to what it was; what cannot be cut now is cut when it is opened."""
        self.rows, self.bytes = rows, length
        self._words = Words()
        if self._file:
            with suppress(OSError):
                self._file.truncate(length)

    def release(self) -> None:
        """Let go of the file, until it is written to again."""
        if self._file:
            self._file.close()
            self._file = None

    def _opened(self) -> BinaryIO:
        for attempt in range(10):
            is_new = not self.path.exists()
            try:
                if is_new:
                    make_folder(self.path.parent)
                handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
                if is_new:
                    sync(self.path.parent)
                return os.fdopen(handle, "r+b", buffering=0)
            except FileNotFoundError:  # another process pruned the folder while it was empty
                if attempt == 9:
                    raise
        raise AssertionError

    def _lock(self) -> None:
        assert self._file  # noqa: S101
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.release()
            raise in_use(self.path) from None
        except OSError:
            pass  # some network disks know no locks
