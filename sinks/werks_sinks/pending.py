"""What waits on disk to be sent to S3: the files themselves, there is no list beside them.

What waits of a window is its proof, in `_receipts`, and the file that it speaks of. A proof of no
rows asks for the object to be taken away. A file goes before its proof does, so a proof of rows
without its file is what a kill has left of one that was sent.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import attrs

from werks.components import Window

from . import receipts
from .disk import make_folder, naming, prune
from .places import RECEIPTS, Folder, size_of


@attrs.frozen(order=True)
class Entry:
    """A file that waits, or waited: `key` is where it lies below the folder, and in the bucket."""

    root: Path
    key: str

    @property
    def folder(self) -> str:
        """The key of the folder."""
        return self.key.rpartition("/")[0]

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.key.rpartition("/")[2]

    @property
    def data(self) -> Path:
        """The file."""
        return self.root / self.key

    @property
    def receipt_key(self) -> str:
        """The key of its proof."""
        return f"{self.folder}/{RECEIPTS}/{self.name}.json"

    @property
    def receipt(self) -> Path:
        """The file of its proof."""
        return self.root / self.receipt_key

    @property
    def is_remainder(self) -> bool:
        """Whether it is of the open remainder, of which nothing stays when it is emptied."""
        return self.name.startswith("open.")

    @property
    def bytes(self) -> int:
        """The size of the file; 0 if there is none."""
        return size_of(self.data) or 0

    @property
    def made(self) -> float | None:
        """When the proof was written, in seconds since 1970; None if it is not there."""
        with naming(self.receipt), suppress(FileNotFoundError, NotADirectoryError):
            return self.receipt.stat().st_mtime
        return None

    @property
    def rows(self) -> int | None:
        """The rows that the proof speaks of; None if there is none. SinkError if it is damaged."""
        kept = receipts.load(self.receipt)
        return kept[1].rows if kept else None

    @property
    def waits(self) -> bool:
        """Whether it is to be sent or, without rows, to be taken away."""
        rows = self.rows
        return rows == 0 or (rows is not None and size_of(self.data) is not None)


@attrs.frozen
class Pending:
    """The folder of all that waits, as the sink of the format writes it."""

    folder: Folder

    @property
    def root(self) -> Path:
        """Where it lies."""
        return self.folder.path

    def entry(self, window: Window, node: str) -> Entry:
        """Return the entry of a node's rows in a window, whether they wait or not."""
        return Entry(self.root, self.folder.relative(self.folder.target(window, node)))

    def entries(self) -> list[Entry]:
        """Return all that waits, whoever wrote it."""
        keys = []
        for folder, _, names in os.walk(self.root):  # which minds no folder that is pruned by now
            *parts, last = Path(folder).relative_to(self.root).parts or ("",)
            if last == RECEIPTS and len(parts) == 3:
                files = [name for name in names if not name.startswith(".")]
                keys += ["/".join([*parts, name.removesuffix(".json")]) for name in files]
        return sorted(Entry(self.root, key) for key in keys)

    @contextmanager
    def held(self, entry: Entry, wait: bool = True) -> Iterator[bool]:
        """Keep others from an entry, and tell whether that was done; without `wait` it may not be.

        Commit and upload of a window keep each other out, in all processes that share the folder.
        """
        path = entry.data.with_name(f".{entry.name}.lock")
        handle = None
        try:
            with naming(path):
                handle = _locked(path, wait)
            yield handle is not None
        finally:
            if handle is not None:
                with suppress(OSError):
                    path.unlink()
                os.close(handle)
                prune(path.parent, self.root)


def _locked(path: Path, wait: bool) -> int | None:
    """Return a handle that holds a lock file; None if another has it and there is no waiting."""
    how = fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB
    while True:
        with suppress(FileNotFoundError):  # another process pruned the folder while it was empty
            make_folder(path.parent)
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                fcntl.flock(handle, how)
            except BlockingIOError:
                os.close(handle)
                return None
            except OSError:  # some network disks know no locks
                return handle
            except BaseException:  # an interrupt, which may come when it is locked already
                os.close(handle)
                raise
            if _is(handle, path):
                return handle
            os.close(handle)


def _is(handle: int, path: Path) -> bool:
    """Tell whether a path still leads to an open file: its last holder removes it."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(handle), path.stat())
    return False
