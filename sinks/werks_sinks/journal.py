"""The journal of files that grow: which rows of which window lie where, a durable line a commit.

A folder that begins with `_` lies beside the published files of a symbol::

    _growing/journal.jsonl     what follows here
    _growing/<name>.csv        files that grow, or that are full and not published yet

The journal is the truth: bytes of a growing file that no line speaks of were never written, and a
last line without an end is none. A first line names what the folder's names may not tell.
"""

import json
import os
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

import attrs

from werks.components import Proof, Window
from werks.errors import SinkError

from .disk import Aside, naming, sync

GROWING, JOURNAL = "_growing", "journal.jsonl"
_VERSION = 1
# How many lines more than windows are worth a new journal.
_SLACK = 1000
# The form of a window whose rows are not all spelled alike.
MIXED = ""

# Name of a file, first byte, byte behind the last.
Piece = tuple[str, int, int]


@attrs.frozen
class Kept:
    """The rows of a window: how many, where, and their proof once the window is complete.

    `form` tells how they are spelled; `again` how often the window was written with other rows.
    """

    rows: int
    pieces: tuple[Piece, ...]
    form: str
    again: int = 0
    proof: Proof | None = None

    @property
    def bytes(self) -> int:
        """The bytes of all rows."""
        return sum(end - begin for _, begin, end in self.pieces)

    @property
    def names(self) -> list[str]:
        """The files that rows lie in."""
        return list(dict.fromkeys(name for name, *_ in self.pieces))


@attrs.define
class Entries:
    """All that a journal says: the windows of a folder, and how far its files reach."""

    window: Window
    node: str
    windows: dict[date, Kept] = attrs.field(factory=dict)
    sizes: dict[str, int] = attrs.field(factory=dict)
    forms: dict[str, str] = attrs.field(factory=dict)
    lines: int = 0

    def take(self, line: dict[str, Any]) -> None:
        """Take note of what a line says."""
        self.lines += 1
        for name, size in line.get("sizes", {}).items():
            self.sizes[name] = size
            if size is None:  # all that was in it was cut off
                del self.sizes[name]
        if "day" not in line:
            return
        day, new = date.fromisoformat(line["day"]), _pieces(line["files"])
        for name, _, end in new:
            self.sizes[name] = max(end, self.sizes.get(name, 0))
            self.forms[name] = line["form"]
        proof = Proof(**line["proof"]) if line.get("proof") else None
        kept = Kept(line["rows"], new, line["form"], line.get("again", 0), proof)
        if line.get("adds") and day in self.windows:
            before = self.windows[day]
            form = kept.form if kept.form == before.form else MIXED
            kept = attrs.evolve(kept, pieces=_joined(before.pieces + new), form=form)
        self.windows[day] = kept

    def of(self, day: date) -> Window:
        """Return one of the windows."""
        return attrs.evolve(self.window, day=day)


def _pieces(given: Iterable[Any]) -> tuple[Piece, ...]:
    return tuple((str(name), int(begin), int(end)) for name, begin, end in given)


def _joined(pieces: Iterable[Piece]) -> tuple[Piece, ...]:
    """Return pieces, those that follow one another as one."""
    found: list[Piece] = []
    for name, begin, end in pieces:
        if found and found[-1][0] == name and found[-1][2] == begin:
            found[-1] = (name, found[-1][1], end)
        else:
            found.append((name, begin, end))
    return tuple(found)


def line(day: date, kept: Kept, adds: bool = False, **more: Any) -> dict[str, Any]:
    """Return what is to be written of a window; with `adds`, pieces behind those that it has."""
    proof = attrs.asdict(kept.proof) if kept.proof else None
    said = {"day": day.isoformat(), "rows": kept.rows, "files": kept.pieces, "form": kept.form}
    return {**said, "again": kept.again, "proof": proof, "adds": adds, **more}


def load(path: Path) -> tuple[Entries, int] | None:
    """Return what a journal says and its whole bytes, a torn line left out; None if there is none.

    SinkError, naming the line, if it is damaged.
    """
    with naming(path):
        try:
            content = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
    whole = content.rfind(b"\n") + 1
    entries: Entries | None = None
    for number, text in enumerate(content[:whole].splitlines(), 1):
        try:
            said = json.loads(text)
            if entries is None:
                _require_version(path, said["werks"])
                entries = Entries(Window(said["exchange"], said["symbol"], None), said["node"])
            entries.take(said)
        except (ValueError, KeyError, TypeError) as error:
            raise SinkError(
                f"{path}: line {number} is damaged: {error}; move {path.parent.parent} away and"
                " run again"
            ) from error
    return (entries, whole) if entries else None


def _require_version(path: Path, found: int) -> None:
    if found != _VERSION:
        raise SinkError(
            f"{path} is of version {found}, this werks writes version {_VERSION};"
            f" move {path.parent.parent} away or set another path"
        )


def head(window: Window, node: str) -> dict[str, Any]:
    """Return the first line."""
    names = {"node": node, "exchange": window.exchange, "symbol": window.symbol}
    return {"werks": _VERSION, **names}


def append(path: Path, at: int, lines: Iterable[dict[str, Any]]) -> int:
    """Write lines behind the whole ones, make them durable and return the new whole bytes."""
    text = b"".join(_encoded(said) for said in lines)
    with naming(path):
        is_new = not path.exists()
        with path.open("xb" if is_new else "r+b", buffering=0) as file:
            file.truncate(at)
            file.seek(at)
            _write(file, text)
            os.fsync(file.fileno())
        if is_new:
            sync(path.parent)
    return at + len(text)


def _write(file: Any, text: bytes) -> None:
    done = 0
    while done < len(text):  # a disk that is almost full takes a part, then says so
        done += file.write(text[done:])


def is_long(entries: Entries) -> bool:
    """Tell whether a journal has many more lines than it needs."""
    return entries.lines > len(entries.windows) + _SLACK


def rewrite(path: Path, entries: Entries, growing: Iterable[str]) -> int:
    """Put a journal with a line a window in place of one that has grown long; return its bytes."""
    sizes = {name: entries.sizes[name] for name in growing}
    lines = [head(entries.window, entries.node) | {"sizes": sizes}]
    lines += [line(day, kept) for day, kept in entries.windows.items()]
    text = b"".join(map(_encoded, lines))
    with naming(path):
        aside = Aside(path, path.parent.parent)
        try:
            aside.file.write(text)
            aside.settle()
        except BaseException:
            aside.drop()
            raise
        aside.take_place()
    return len(text)


def _encoded(said: dict[str, Any]) -> bytes:
    return json.dumps(said, separators=(",", ":")).encode() + b"\n"
