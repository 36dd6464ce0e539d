"""A recording read back: what each connection has brought, as far as its files go."""

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import attrs
import msgspec
import pyarrow as pa

from ..errors import DataError
from .recording import ENDING, Line, Recording

_NAME = re.compile(r"(\d{4}-\d\d-\d\d)T\d\d_(\d+)_(\d+)")
_MAGIC = b"\x28\xb5\x2f\xfd"
_PIECE = 1 << 16
_DECODER = msgspec.json.Decoder(Line)


@attrs.frozen
class Taped:
    """The files of one connection, hour after hour; `start` is when the first one began (ns)."""

    start: int
    connection: int
    paths: tuple[Path, ...]

    @property
    def last_day(self) -> date:
        """The day of the last file."""
        return date.fromisoformat(self.paths[-1].name[:10])

    def lines(self) -> Iterator[Line]:
        """Yield what the connection has brought; DataError if a file is none of a recording.

        Where the recording breaks off, `ended` says so. A line with `part` says that rows may be
        missing before it, as a file is not there or not whole.
        """
        at, part, ended = self.start, 0, True
        for path in self.paths:
            for line in _of_file(path):
                if line is None:
                    part = -1
                    continue
                at = max(at, line.received)
                if line.part is None:
                    ended = line.ended is not None
                    yield line
                elif line.part != part:
                    part, ended = line.part + 1, False
                    yield line
                else:
                    part += 1
        if not ended:
            yield Line(at, ended="the recording breaks off")

    def symbols(self) -> tuple[str, ...]:
        """Return the symbols that the connection has begun with."""
        return next((line.opened for line in self.lines() if line.opened), ())


def taped(recording: Recording) -> list[Taped]:
    """Return the connections of a recording as they began; DataError if there are none."""
    found: dict[tuple[int, int], list[Path]] = {}
    for path in sorted(recording.path.glob(f"*{ENDING}")):
        name = _NAME.fullmatch(path.name.removesuffix(ENDING))
        if name is None:
            raise DataError(f"{path}: no recording is named so; leave the file out")
        found.setdefault((int(name[2]), int(name[3])), []).append(path)
    if not found:
        folder = recording.folder
        others = {"/".join(path.parts[-3:-1]) for path in folder.glob(f"*/*/*{ENDING}")}
        has = f"; it has {', '.join(sorted(others))}" if others else ""
        what = f"{recording.exchange}/{recording.type}"
        raise DataError(f"{folder}: there is no recording of {what}{has}")
    return [Taped(*key, tuple(paths)) for key, paths in sorted(found.items())]


def _of_file(path: Path) -> Iterator[Line | None]:
    """Yield the lines of a file, and None at its end if it is cut."""
    number, rest = 0, b""
    for piece in _pieces(path):
        if piece is None:
            yield None
            return
        *whole, rest = (rest + piece).split(b"\n")
        for text in whole:
            number += 1
            try:
                yield _DECODER.decode(text)
            except msgspec.DecodeError as error:
                why = f"line {number} is none of a recording: {error}"
                raise DataError(f"{path}: {why}; leave the file out") from error


def _pieces(path: Path) -> Iterator[bytes | None]:
    """Yield what is in a file, and None at its end if it is cut.

    Of a cut piece Arrow gives nothing, so it is read once more, byte by byte.
    """
    read = 0
    try:
        with path.open("rb") as file:
            if not _MAGIC.startswith(file.read(len(_MAGIC))):
                raise DataError(f"{path}: is no recording: not in zstd; leave the file out")
        for size in (_PIECE, 1):
            with pa.CompressedInputStream(pa.OSFile(str(path)), "zstd") as stream:
                _skip(stream, read)
                try:
                    while piece := stream.read(size):
                        read += len(piece)
                        yield piece
                    if path.stat().st_size:
                        return
                except OSError as error:
                    if "Truncated" not in str(error):
                        raise
        yield None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error}") from error


def _skip(stream: pa.CompressedInputStream, count: int) -> None:
    while count:
        count -= len(stream.read(min(count, _PIECE)))
