"""The folder of one node's rows of one symbol: files that grow, one after the other.

Rows go to the end of the newest file, are made durable (fsync), and then a line of the journal
speaks of them. A file is full when a row comes that belongs into the next one. It is published,
compressed if asked for, by the next call: by then the ledger knows of all that is in it.

What a kill leaves, and what becomes of it when the folder is next worked in:

- between rows and journal: bytes, or a file, that no line speaks of: cut off, removed;
- within the journal's line: a line without an end: cut off, and the bytes above with it;
- between journal and the ledger's mark: a window that is there. A commit with an equal proof finds
  it and writes nothing; live, `resume` cuts it back, since nothing of it is published yet;
- while a full file is compressed: a hidden file, swept by the next one; the full file is there;
- between publishing and removal of the full file: the published one is whole: the other is removed.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path

import attrs
import numpy as np
import pyarrow as pa

from werks.components import Window
from werks.errors import SinkError

from . import journal
from .disk import Aside, make_folder, naming, prune, sync
from .journal import GROWING, JOURNAL, Entries, Kept, Piece
from .lines import Spelling
from .names import safe
from .packing import PACKINGS, Packing, pack
from .rotation import Rotation
from .tails import Tails

_STAMP = len("2021-05-08_10-26-05_805918")


@attrs.frozen
class Manner:
    """How rows are spelled, when a file is full, and how it is packed then."""

    spelling: Spelling
    rotation: Rotation
    packing: Packing

    @property
    def form(self) -> str:
        """The spelling as plain text, as journals keep it."""
        spelling = self.spelling
        words = (*spelling.columns, *spelling.booleans, spelling.timestamps, str(spelling.header))
        return ",".join(words)


def published(folder: Path, name: str) -> Path | None:
    """Return the published file of which this was the growing one; None if it is not there."""
    paths = (folder / f"{name}.{packing}".rstrip(".") for packing in PACKINGS)
    return next((path for path in paths if path.is_file()), None)


def whereabouts(folder: Path, piece: Piece) -> Path | None:
    """Return the file that rows lie in, published or growing; None if it is gone or cut off."""
    name, _, end = piece
    for path in (published(folder, name), folder / GROWING / name, published(folder, name)):
        if path is not None and path.is_file():
            is_plain = path.suffix == ".csv"
            return path if not is_plain or path.stat().st_size >= end else None
    return None


class Growing:
    """One folder at work: within `at_work` no other process changes it."""

    def __init__(
        self, root: Path, window: Window, node: str, schema: pa.Schema, manner: Manner
    ) -> None:
        self.folder = root.joinpath(*map(safe, (node, window.exchange, window.symbol)))
        self._root, self._window, self._node = root, attrs.evolve(window, day=None), node
        self._manner, self._prefix = manner, f"{safe(window.symbol)}_"
        self._head = len(manner.spelling.head(schema))
        self._place, self._journal = self.folder / GROWING, self.folder / GROWING / JOURNAL
        self._entries: Entries | None = None
        self._state: tuple[object, ...] | None = None
        self._whole = 0
        self._open: list[str] = []

    @property
    def entries(self) -> Entries:
        """What the journal says."""
        assert self._entries is not None  # noqa: S101  (asked for within `at_work` only)
        return self._entries

    @property
    def is_there(self) -> bool:
        """Whether there is a journal."""
        with naming(self._journal):
            return self._journal.exists()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Keep others out, and mend what a kill has left."""
        with naming(self._place):
            make_folder(self._place)
            lock = os.open(self._place, os.O_RDONLY)
        try:
            with suppress(OSError):  # some network disks know no locks
                fcntl.flock(lock, fcntl.LOCK_EX)
            if self._entries is None or self._state != self._seen():
                self._load()
            yield
            self._state = self._seen()
        except BaseException:
            self._take_back()
            raise
        finally:
            os.close(lock)

    def has(self, kept: Kept) -> bool:
        """Tell whether all files of a window are there."""
        with naming(self.folder):
            return all(whereabouts(self.folder, piece) for piece in kept.pieces)

    def publish(self, everything: bool = False) -> None:
        """Publish the files that are full; with `everything`, those that still grow, too."""
        for name in list(self._open) if everything else self._full():
            self._publish(name)
            self._open.remove(name)

    def put(
        self, batches: Iterator[pa.RecordBatch], day: date, again: int
    ) -> tuple[tuple[Piece, ...], int]:
        """Write rows behind those that are there; return where they are, and how many.

        They are durable, but nothing until the journal speaks of them.
        """
        tails = Tails(self._place, self._manner.spelling, self._manner.rotation, self._namer(again))
        with tails:
            name = self._tail(day, again)
            if name is not None:
                tails.go_on(name, self.entries.sizes[name], self._began(name))
            rows = 0
            for batch in batches:
                tails.put(batch)
                rows += len(batch)
        return tuple(tails.pieces), rows

    def note(self, day: date, kept: Kept, adds: bool = False, **more: object) -> None:
        """Write into the journal what a window holds now: from here on it does."""
        said = journal.line(day, kept, adds, **more)
        lines = [said] if self._whole else [journal.head(self._window, self._node), said]
        self._whole = journal.append(self._journal, self._whole, lines)
        self.entries.take(said)
        self._open = [name for name in self._open if name in self.entries.sizes]
        self._open += [
            name for name in dict.fromkeys(n for n, *_ in kept.pieces) if self._new(name)
        ]
        if journal.is_long(self.entries):
            self._whole = journal.rewrite(self._journal, self.entries, self._open)
            self.entries.lines = len(self.entries.windows)

    def cut(self, day: date, rows: int, size: int) -> bool:
        """Cut the rows of a window back; False if some lie where nothing can be cut any more.

        Those stay where they are, and the window's next rows go into a file of its own.
        """
        kept, sizes = self.entries.windows[day], dict[str, int | None]()
        excess, pieces = kept.bytes - size, list(kept.pieces)
        is_clean = True
        while excess > 0:
            name, begin, end = pieces.pop()
            left = max(begin, end - excess)
            excess -= end - left
            if left > begin:
                pieces.append((name, begin, left))
            if name not in self._open or self.entries.sizes[name] != end:
                is_clean = False
            else:
                sizes[name] = left if left > self._head else None
        again = kept.again if is_clean else kept.again + 1
        self.note(day, Kept(rows, tuple(pieces), kept.form, again), sizes=sizes)
        self._load()
        return is_clean

    def _take_back(self) -> None:
        """Cut off what the journal does not speak of, so far as it can be done now."""
        with suppress(SinkError):
            self._load()
        self._entries = None
        prune(self._place, self._root)

    def _new(self, name: str) -> bool:
        return name not in self._open and (self._place / name).exists()

    def _seen(self) -> tuple[object, ...] | None:
        """Return what changes whenever another process has worked here."""
        with naming(self._journal), suppress(FileNotFoundError):
            found, names = self._journal.stat(), frozenset(os.listdir(self._place))  # noqa: PTH208
            return found.st_ino, found.st_size, found.st_mtime_ns, names
        return None

    def _load(self) -> None:
        """Read the journal; cut off and remove all that it does not speak of."""
        found = journal.load(self._journal)
        self._entries, self._whole = found or (Entries(self._window, self._node), 0)
        listed = set()
        with naming(self._place):
            for path in self._place.glob("[!.]*.csv"):
                size = self.entries.sizes.get(path.name)
                if size is None or published(self.folder, path.name):
                    path.unlink()
                    continue
                listed.add(path.name)
                self._trim(path, size)
        self._open = [name for name in self.entries.sizes if name in listed]

    def _trim(self, path: Path, size: int) -> None:
        found = path.stat().st_size
        if found < size:
            raise SinkError(
                f"{path} has {found:,} bytes where {size:,} were written: another program has cut"
                " it; move it away, then run again to have its rows written anew"
            )
        if found > size:
            os.truncate(path, size)

    def _tail(self, day: date, again: int) -> str | None:
        """Return the file that a window's rows go behind; None if there must be a new one."""
        if again:
            kept = self.entries.windows.get(day)
            names = [n for n in kept.names if self._again(n) == again] if kept else []
        else:
            names = [name for name in self._open if not self._again(name)]
        if not names or names[-1] not in self._open:
            return None
        return names[-1] if self.entries.forms.get(names[-1]) == self._manner.form else None

    def _full(self) -> list[str]:
        main = [name for name in self._open if not self._again(name)]
        windows = self.entries.windows.values()
        going_on = [kept.names[-1] for kept in windows if kept.pieces and kept.proof is None]
        keep = {*main[-1:], *(name for name in going_on if self._again(name))}
        return [name for name in self._open if name not in keep]

    def _again(self, name: str) -> int:
        """Return which one a file of rows that were written again is; 0 for all others."""
        _, _, number = name[len(self._prefix) + _STAMP :].partition(".again-")
        return int(number.removesuffix(".csv")) if number else 0

    def _began(self, name: str) -> int:
        """Return the time of a file's first row in nanoseconds, as its name tells it."""
        stamp = name[len(self._prefix) :][:_STAMP]
        day, clock, fraction = stamp.split("_")
        moment = np.datetime64(f"{day}T{clock.replace('-', ':')}.{fraction}", "ns")
        return int(moment.astype(np.int64))

    def _namer(self, again: int) -> Callable[[int], str]:
        taken: set[str] = set()

        def _name(time: int) -> str:
            stamp = str(np.datetime64(time, "ns").astype("datetime64[us]"))
            stem = self._prefix + stamp.replace("T", "_").replace(":", "-").replace(".", "_")
            end = f".again-{again}.csv" if again else ".csv"
            name, number = stem + end, 1
            while name in taken or name in self.entries.sizes or published(self.folder, name):
                number += 1
                name = f"{stem}_{number:04}{end}"
            taken.add(name)
            return name

        return _name

    def _publish(self, name: str) -> None:
        source, packing = self._place / name, self._manner.packing
        with naming(source):
            if not packing:
                source.rename(self.folder / name)
                sync(self.folder)
                return
            aside = Aside(self.folder / f"{name}.{packing}", self._root)
            try:
                pack(source, aside.file, packing)
                aside.settle()
            except BaseException:
                aside.drop()
                raise
            aside.take_place()
            source.unlink()
