"""Files that are compressed as a whole: gzip, zstd or zip; the same rows give the same bytes."""

import shutil
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, Literal, cast

import pyarrow as pa
from isal.igzip import IGzipFile

Packing = Literal["", "gz", "zst", "zip"]
PACKINGS: tuple[Packing, ...] = ("", "gz", "zst", "zip")
_LEVEL = 1
_PIECE = 1 << 20
_gzip: Any = IGzipFile  # its annotations are not whole


@contextmanager
def packed(file: BinaryIO, packing: Packing, name: str) -> Iterator[BinaryIO]:
    """Give a file to write plain bytes to, which go compressed into another; that stays open.

    `name` is that of the one file in a zip.
    """
    with ExitStack() as stack:
        yield cast(BinaryIO, _within(stack, file, packing, name))


def _within(stack: ExitStack, file: BinaryIO, packing: Packing, name: str) -> Any:
    if packing == "gz":
        return stack.enter_context(_gzip("", "wb", compresslevel=_LEVEL, fileobj=file, mtime=0))
    if packing == "zst":
        return stack.enter_context(pa.CompressedOutputStream(_Open(file), "zstd"))
    if packing == "zip":
        # A file that is opened by its name gets a time that never changes: 1980.
        kept = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL)
        archive = stack.enter_context(kept)
        return stack.enter_context(archive.open(name, "w", force_zip64=True))
    return file


def packing_of(path: Path) -> Packing:
    """Return how a file is compressed, as its name tells it."""
    found = path.suffix.removeprefix(".")
    return found if found in PACKINGS else ""


class _Open:
    """A file that what is written to it cannot close."""

    def __init__(self, file: BinaryIO) -> None:
        self.write, self.flush, self.tell = file.write, file.flush, file.tell
        self.closed = False

    def writable(self) -> bool:
        return True

    def close(self) -> None:
        self.closed = True


def pack(source: Path, file: BinaryIO, packing: Packing) -> None:
    """Write the content of a file into another, compressed."""
    with source.open("rb") as plain, packed(file, packing, source.name) as out:
        shutil.copyfileobj(plain, out, _PIECE)


@contextmanager
def opened(path: Path, packing: Packing) -> Iterator[IO[bytes]]:
    """Open a file to be read as plain bytes."""
    with ExitStack() as stack:
        file = stack.enter_context(path.open("rb"))
        if packing == "gz":
            yield stack.enter_context(_gzip(fileobj=file, mode="rb"))
        elif packing == "zst":
            yield stack.enter_context(pa.CompressedInputStream(pa.PythonFile(file, "r"), "zstd"))
        elif packing == "zip":
            archive = stack.enter_context(zipfile.ZipFile(file))
            yield stack.enter_context(archive.open(archive.namelist()[0]))
        else:
            yield file
