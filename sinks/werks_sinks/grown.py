"""What is there of rows in files that grow, as their journals tell it."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import attrs
import pyarrow as pa

from werks.components import Proof, Receipt, Window
from werks.errors import SinkError

from . import journal
from .disk import naming
from .growing import Manner, whereabouts
from .journal import GROWING, JOURNAL, Entries, Kept, Piece
from .lines import Spelling
from .names import safe
from .packing import opened, packing_of
from .parsing import Limited, parsed, require_whole
from .reading import damage_named


@attrs.frozen
class Grown:
    """The folders below a path; nothing here waits for a writer or changes a file."""

    path: Path

    def holds(self, window: Window, node: str, receipt: Receipt) -> bool:
        """Tell whether the rows of a receipt are there, with the files that they are in."""
        part, (folder, kept) = receipt.get(node), self._kept(window, node)
        if part is None or kept is None:
            return False
        if part["hash"]:
            same = kept.proof is not None and kept.proof.hash == part["hash"]
            is_there = same and (kept.rows, kept.bytes) == (part["rows"], part["bytes"])
        else:
            is_there = kept.bytes >= part["bytes"]
        with naming(folder):
            return is_there and all(whereabouts(folder, piece) for piece in kept.pieces)

    def proofs(self, node: str) -> Iterator[tuple[Window, Proof | None]]:
        """Yield all windows of a node, each with its proof; None while it is live."""
        with naming(self.path):
            places = sorted((self.path / safe(node)).glob(f"*/*/{GROWING}/{JOURNAL}"))
        for place in places:
            entries = _entries(place)
            if entries:
                for day, kept in sorted(entries.windows.items()):
                    if kept.rows or kept.proof:  # else all of them were taken back
                        yield entries.of(day), kept.proof

    def read(
        self, window: Window, node: str, schema: pa.Schema, manner: Manner
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a window in their order.

        SinkError if the lines do not hold all columns, or were written in another form.
        """
        folder, kept = self._kept(window, node)
        if kept is None:
            return
        name = f"{folder}: {window.name}"
        require_whole(manner.spelling, schema, name)
        if kept.form != manner.form:
            raise SinkError(
                f"{name}: the lines were written with other options; set columns, header, booleans"
                " and timestamps as they were to read them"
            )
        for piece in kept.pieces:
            yield from _read(folder, piece, schema, manner.spelling)

    def _kept(self, window: Window, node: str) -> tuple[Path, Kept | None]:
        assert window.day is not None  # noqa: S101  (the remainder is in no file that grows)
        folder = self.path.joinpath(*map(safe, (node, window.exchange, window.symbol)))
        entries = _entries(folder / GROWING / JOURNAL)
        return folder, entries.windows.get(window.day) if entries else None


def _read(
    folder: Path, piece: Piece, schema: pa.Schema, spelling: Spelling
) -> Iterator[pa.RecordBatch]:
    name, begin, end = piece
    path = whereabouts(folder, piece)
    if path is None:
        raise SinkError(f"{folder / name} is gone; run again to have its rows written anew")
    with naming(path), damage_named(path), opened(path, packing_of(path)) as file:
        _skip(file, begin)
        yield from parsed(Limited(file, end - begin), spelling, schema, with_head=False)


def _skip(file: object, size: int) -> None:
    read = file.read  # type: ignore[attr-defined]
    while size > 0 and (found := read(min(size, 1 << 20))):
        size -= len(found)


def _entries(path: Path) -> Entries | None:
    with naming(path):
        try:
            found = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
    return _loaded(path, (found.st_ino, found.st_size, found.st_mtime_ns))


@lru_cache(maxsize=64)
def _loaded(path: Path, _: tuple[int, int, int]) -> Entries | None:
    """Return what a journal says; read once as long as the file stays the same."""
    found = journal.load(path)
    return found[0] if found else None
