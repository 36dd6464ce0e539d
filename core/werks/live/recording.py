"""What connections bring, as it came: a file of JSON lines a connection and hour, in zstd."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import attrs
import msgspec
import pyarrow as pa

ENDING = ".jsonl.zst"
# What is flushed outlives the process; a crash loses the rest.
_FLUSH_EVERY = 1.0
_HOUR = 3600 * 10**9


class Line(msgspec.Struct, omit_defaults=True):
    """A message with our clock's time of it (ns), or what else befell the connection then.

    A connection begins with `opened`, the symbols that are subscribed to, and ends with `ended`,
    why, empty if it was told to. A file begins with its `part`, its number among those of the
    connection, and with the symbols. A message that is not UTF-8 stands in `binary`, in base64.
    """

    received: int
    text: str = ""
    binary: bytes = b""
    opened: tuple[str, ...] | None = None
    ended: str | None = None
    part: int | None = None


_ENCODER = msgspec.json.Encoder()


@attrs.frozen
class Recording:
    """The recordings of one component of an exchange, in a folder for many."""

    folder: Path
    exchange: str
    type: str

    @property
    def path(self) -> Path:
        """The folder of its files."""
        return self.folder / self.exchange / self.type

    def tape(self, connection: int) -> "Tape":
        """Return where to write down what a connection brings."""
        return Tape(self.path, connection)


class Tape:
    """Writes down what one connection brings, and the next ones in its place.

    It is used by one thread. Every failure is an OSError.
    """

    def __init__(self, folder: Path, connection: int) -> None:
        self._folder, self._connection = folder, connection
        self._start = self._part = 0
        self._hour = -1
        self._symbols: tuple[str, ...] = ()
        self._file: IO[bytes] | None = None
        self._stream: pa.CompressedOutputStream | None = None
        self._flushed, self._fresh = 0.0, False

    def opened(self, received: int, symbols: Sequence[str]) -> None:
        """Put down that a connection is open."""
        self._symbols = tuple(symbols)
        self._put(Line(received, opened=self._symbols))

    def message(self, received: int, message: bytes) -> None:
        """Put down a message."""
        try:
            self._put(Line(received, text=message.decode()))
        except UnicodeDecodeError:
            self._put(Line(received, binary=message))

    def ended(self, received: int, why: str) -> None:
        """Put down that the connection has ended, and why."""
        self._put(Line(received, ended=why))
        self.flush(at_once=True)

    def flush(self, at_once: bool = False) -> None:
        """Hand what came to the system, not more often than once a second."""
        now = time.monotonic()
        if self._fresh and (at_once or now - self._flushed >= _FLUSH_EVERY):
            self._flushed, self._fresh = now, False
            if self._stream is not None:
                self._stream.flush()

    def close(self) -> None:
        """Let go of the file."""
        stream, file = self._stream, self._file
        self._stream = self._file = None
        if stream is not None and file is not None:
            stream.close()
            file.close()

    def _put(self, line: Line) -> None:
        # A clock that is put back begins no hour anew.
        if self._stream is None or line.received // _HOUR > self._hour:
            self._turn(line.received)
        assert self._stream is not None  # noqa: S101  (it has been turned)
        self._stream.write(_ENCODER.encode(line) + b"\n")
        self._fresh = True

    def _turn(self, received: int) -> None:
        self.close()
        self._start, self._hour = self._start or received, received // _HOUR
        hour = datetime.fromtimestamp(received // 10**9, UTC).strftime("%Y-%m-%dT%H")
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{hour}_{self._start}_{self._connection}{ENDING}"
        self._file = path.open("xb", buffering=0)  # no recording is written over
        self._stream = pa.CompressedOutputStream(self._file, "zstd")
        head = Line(received, opened=self._symbols, part=self._part)
        self._stream.write(_ENCODER.encode(head) + b"\n")
        self._part += 1
