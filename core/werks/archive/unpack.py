"""A compressed file as a stream of bytes, unpacked ahead in a thread of its own.

isal unpacks three times as fast as zlib; while it works, the consumer parses (both let go of the
interpreter's lock). Rows of large files are unpacked and parsed in a process of their own: `apart`.
"""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from isal import igzip, isal_zlib

from ..errors import DataError, MessageError, MissingError, WerksError
from .ahead import Ahead
from .apart import Apart

CHUNK = 1 << 19
# Deep enough that the thread does not starve while the consumer works on a whole batch.
DEPTH = 8
# The largest piece of memory whose return is a lesson to glibc: see `_keep_memory`.
_LESSON = 31 << 20
_LOCAL_HEADER = 30
# isal's own error class is not typed as one.
_UNPACK_ERRORS: Any = (
    OSError,
    EOFError,
    isal_zlib.error,
    zipfile.BadZipFile,
    ValueError,
)


class ByteStream:
    """The bytes of a file, unpacked; reads like a binary file and can be opened anew.

    `name` is what errors call the file; behind a # it says which one of a zip is meant. With
    `ahead=False` all work is done in the caller's thread. `apart` is a process that may read the
    file's rows instead; it is there until bytes are taken from the stream.
    """

    def __init__(
        self, path: Path, name: str, ahead: bool = True, apart: Apart | None = None
    ) -> None:
        self.name = name
        self.path = path
        self.ahead = ahead
        self.apart = apart
        self.closed = False
        self._buffer = b""
        self._tail = b""
        self._error: WerksError | None = None
        _keep_memory()
        self._chunks: Iterator[bytes] = _chunks(path, name)
        self._ahead: Ahead[bytes] | None = None

    def reopen(self) -> "ByteStream":
        """Return a second stream over the same file, from its beginning."""
        return ByteStream(self.path, self.name, ahead=False)

    def first_line(self) -> bytes:
        """Return the first line without taking it from the stream; empty for an empty file."""
        while b"\n" not in self._buffer and (more := self._chunk()):
            self._buffer += more
        return self._buffer.split(b"\n", 1)[0].rstrip(b"\r")

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes, fewer only at the end; all if it is negative."""
        data = b"".join(self._parts(size))
        size = len(data) if size < 0 else size
        self._buffer = data[size:]
        return data[:size]

    def skip_line(self) -> None:
        """Take the first line from the stream."""
        self._begin()
        self.first_line()
        self._buffer = self._buffer.partition(b"\n")[2]

    def lines(self, size: int, room: int) -> bytes:
        """Return whole lines, about `size` bytes, between `room` zero bytes; fewer at the end.

        The last line of the file is given an end. Bytes in which no line ends come as they are.
        """
        parts = self._parts(size)
        last, self._buffer = parts[-1], b""
        if sum(map(len, parts)) < size:
            parts.append(b"" if last[-1:] in b"\n" else b"\n")
        elif cut := last.rfind(b"\n") + 1:
            parts[-1], self._buffer = last[:cut], last[cut:]
        return b"".join([bytes(room), *parts, bytes(room)])

    def unread(self, data: bytes) -> None:
        """Put bytes back that were read last."""
        self._buffer = data + self._buffer

    def _begin(self) -> None:
        """Take note that bytes are taken here: from now on they are unpacked ahead."""
        self.apart = None
        if self.ahead and self._ahead is None and not self.closed:
            self._ahead = Ahead(self._chunks, DEPTH)
            self._chunks = iter(self._ahead)

    def _parts(self, size: int) -> list[bytes]:
        self._begin()
        parts, have = [self._buffer], len(self._buffer)
        while size < 0 or have < size:
            more = self._chunk()
            if not more:
                break
            parts.append(more)
            have += len(more)
        return parts

    def _chunk(self) -> bytes:
        if self._error is not None:  # what broke off has no end to be read
            raise self._error
        try:
            more = self._checked(next(self._chunks, b""))
        except WerksError as error:
            self._error = error
            raise
        self._tail = more[-1:]
        return more

    def _checked(self, more: bytes) -> bytes:
        # A spreadsheet writes 1.70027E+12 for a number of more than 11 digits: the rest is lost.
        if self._tail + more[:1] == b"E+" or (b"E" in more and _has_cut(more)):
            raise DataError(
                f"{self.name}: holds a number that a spreadsheet has cut (…E+…); fetch it again"
            )
        return more

    def close(self) -> None:
        """Stop unpacking."""
        self.closed = True
        if self._ahead:
            self._ahead.stop()

    def readable(self) -> bool:
        """Return True, as a binary file does."""
        return True

    def writable(self) -> bool:
        """Return False, as a file opened to be read does."""
        return False

    def seekable(self) -> bool:
        """Return False: what was read is gone."""
        return False

    def __enter__(self) -> "ByteStream":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _keep_memory() -> None:
    """Let the C library keep the memory of a block for the next one.

    By itself glibc gives pieces of this size back to the system and takes a fifth of the time of
    reading to get them again. What it keeps follows the largest piece that was ever returned:
    here one that is never written to, so that it costs nothing.
    """
    np.empty(_LESSON, np.uint8)


def _has_cut(more: bytes) -> bool:
    # Ten times as fast as a search for two bytes of which the first, as in ETHUSDT, is frequent.
    letters = np.frombuffer(more, np.uint8)
    found = letters[:-1] == ord("E")
    found &= letters[1:] == ord("+")
    return bool(found.any())


def _chunks(path: Path, name: str) -> Iterator[bytes]:
    """Yield the unpacked bytes of a gzip, zip or plain file, told apart by their first bytes."""
    try:
        with path.open("rb") as raw:
            magic = raw.read(4)
        if not magic:
            raise DataError(f"{name}: the file is empty; fetch it again later")
        if magic[:2] == b"\x1f\x8b":
            opened: Any = igzip.open  # without annotations in isal
            with opened(path, "rb") as unpacked:
                yield from iter(lambda: unpacked.read(CHUNK), b"")
        elif magic[:2] == b"PK":
            yield from _unzipped(path, name)
        elif name.partition("#")[0].endswith((".gz", ".zip")):
            raise MessageError(
                f"{name}: is not the kind of file that its name says; fetch it again"
            )
        else:
            with path.open("rb") as plain:
                yield from iter(lambda: plain.read(CHUNK), b"")
    except _UNPACK_ERRORS as error:
        raise MessageError(
            f"{name}: cannot be unpacked, it is cut off or corrupt ({error}); fetch it again"
        ) from error


def _unzipped(path: Path, name: str) -> Iterator[bytes]:
    """Yield the bytes of a zip's only file, or of the one that stands behind # in `name`.

    Its CRC is checked. zipfile itself unpacks with zlib.
    """
    with zipfile.ZipFile(path) as archive:
        members = [info for info in archive.infolist() if not info.is_dir()]
    if wanted := name.partition("#")[2]:
        members = [info for info in members if info.filename.rsplit("/", 1)[-1] == wanted]
        if not members:
            raise MissingError(f"{name}: there is no such file in the zip")
    if len(members) != 1:
        raise MessageError(
            f"{name}: holds {len(members)} files where one is expected; fetch it again"
        )
    member, crc, size = members[0], 0, 0
    for chunk in _inflated(path, member):
        crc = isal_zlib.crc32(chunk, crc)
        size += len(chunk)
        yield chunk
    if crc != member.CRC or size != member.file_size:
        raise zipfile.BadZipFile(f"wrong CRC or size of {member.filename}")


def _inflated(path: Path, member: zipfile.ZipInfo) -> Iterator[bytes]:
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise zipfile.BadZipFile(f"{member.filename} is packed with method {member.compress_type}")
    unpack: Any = None
    if member.compress_type == zipfile.ZIP_DEFLATED:
        unpack = isal_zlib.decompressobj(-15)
    with path.open("rb") as raw:
        raw.seek(member.header_offset)
        local = raw.read(_LOCAL_HEADER)
        # The names' lengths in the local header may differ from those in the directory.
        raw.seek(int.from_bytes(local[26:28], "little") + int.from_bytes(local[28:30], "little"), 1)
        left = member.compress_size
        while left and (packed := raw.read(min(CHUNK // 4, left))):
            left -= len(packed)
            chunk = unpack.decompress(packed) if unpack else packed
            if chunk:
                yield chunk
        if unpack and (rest := unpack.flush()):
            yield rest
