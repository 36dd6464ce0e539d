"""Where the files of a sink lie, and which windows are there."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote_to_bytes

import attrs

from werks.components import Proof, Receipt, Window

from . import receipts, segments
from .disk import naming
from .names import safe

RECEIPTS, SEGMENTS = "_receipts", "_segments"
_ABSENT = (FileNotFoundError, NotADirectoryError)


@attrs.frozen
class Folder:
    """Where the files of a sink lie: `<path>/<node>/<exchange>/<symbol>/<window>.<extension>`.

    Beside them are `_receipts/<file name>.json`, the proof of each, and `_segments/<day>.arrows`,
    the rows of a day that is still appended to.
    """

    path: Path
    extension: str

    def target(self, window: Window, node: str) -> Path:
        """Return the file of a node for a window."""
        folder = _symbol(self.path, node, window.exchange, window.symbol)
        return folder / f"{window.name}.{self.extension}"

    def receipt(self, window: Window, node: str) -> Path:
        """Return the file that holds the proof of a node's rows in a window."""
        target = self.target(window, node)
        return target.parent / RECEIPTS / f"{target.name}.json"

    def segments(self, window: Window, node: str) -> Path:
        """Return the file that a node's rows are appended to while a window is live."""
        return self.target(window, node).parent / SEGMENTS / f"{window.name}.arrows"

    def relative(self, path: Path) -> str:
        """Return where a file lies below the folder, as it stands in receipts."""
        return path.relative_to(self.path).as_posix()

    def holds(self, window: Window, node: str, receipt: Receipt) -> bool:
        """Tell whether the file of which a receipt speaks is there, with all that it says."""
        part = receipt.get(node)
        if part is None:
            return False
        target, live = self.target(window, node), self.segments(window, node)
        if part.get("path") == self.relative(live):
            is_live = segments.reaches(live, part["rows"], part["bytes"])
            return is_live or self._has(window, node, part["rows"])
        size = size_of(target)
        if part["rows"] == 0:
            return size is None and size_of(live) is None
        return bool(part["bytes"] == size)

    def proofs(self, node: str) -> Iterator[tuple[Window, Proof | None]]:
        """Yield the windows of a node that are there, each with the proof that lies beside it.

        Where there is none, exchange and symbol are told from the segments, else from the names of
        the folders, which may not tell a very long one. SinkError, naming it, for a damaged proof.
        """
        for symbol in self._symbols(node):
            for name, day in self._days(symbol):
                kept = receipts.load(symbol / RECEIPTS / f"{name}.{self.extension}.json")
                yield kept or (self._window(symbol, name, day), None)

    def appended(self, node: str) -> Iterator[Window]:
        """Yield the windows of a node that have segments."""
        for symbol in self._symbols(node):
            for name, day in self._days(symbol):
                if size_of(symbol / SEGMENTS / f"{name}.arrows") is not None:
                    yield self._window(symbol, name, day)

    def _has(self, window: Window, node: str, rows: int) -> bool:
        """Tell whether the segments have become a final file of at least so many rows."""
        if size_of(self.target(window, node)) is None:
            return False
        kept = receipts.load(self.receipt(window, node))
        return kept is not None and kept[1].rows >= rows

    def _symbols(self, node: str) -> Iterator[Path]:
        for exchange in _folders(self.path / safe(node)):
            yield from _folders(exchange)

    def _days(self, symbol: Path) -> list[tuple[str, date | None]]:
        """Return the names of the windows of which there is a file, segments or a receipt."""
        ends = {"": f".{self.extension}", RECEIPTS: f".{self.extension}.json", SEGMENTS: ".arrows"}
        names = {
            name.removesuffix(end)
            for place, end in ends.items()
            for name in _names(symbol / place)
            if name.endswith(end)
        }
        days = {name: _day(name) for name in sorted(names)}
        return [(name, day) for name, day in days.items() if day or name == "open"]

    def _window(self, symbol: Path, name: str, day: date | None) -> Window:
        path = symbol / SEGMENTS / f"{name}.arrows"
        with naming(path), suppress(*_ABSENT):
            found = segments.about(path)
            if found:
                return found.window
        return Window(plain(symbol.parent.name), plain(symbol.name), day)


@lru_cache(4096)  # a live source asks for the same ones each second
def _symbol(path: Path, *words: str) -> Path:
    return path.joinpath(*map(safe, words))


def plain(name: str) -> str:
    """Return the text of which `safe` made a name; the name itself where that cannot be told."""
    if name == "%":
        return ""
    try:
        text = unquote_to_bytes(name).decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return name
    return text if safe(text) == name else name


def size_of(path: Path) -> int | None:
    """Return the bytes of a file; None where there is none."""
    with naming(path):
        try:
            return path.stat().st_size
        except _ABSENT:
            return None


def _names(folder: Path) -> list[str]:
    with naming(folder):
        try:
            return [path.name for path in folder.iterdir() if not path.name.startswith(".")]
        except _ABSENT:
            return []


def _folders(folder: Path) -> list[Path]:
    return [folder / name for name in sorted(_names(folder)) if (folder / name).is_dir()]


def _day(name: str) -> date | None:
    try:
        day = date.fromisoformat(name)
    except ValueError:
        return None
    return day if day.isoformat() == name else None
