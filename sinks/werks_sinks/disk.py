"""Files that are there whole or not at all: written aside, made durable, then renamed."""

import errno
import fcntl
import os
import secrets
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from werks.errors import SinkError
from werks.processes import lives

_ADVICE = {
    errno.ENOSPC: "the disk is full; make room and run again",
    errno.EDQUOT: "the disk quota is used up; make room and run again",
    errno.EFBIG: "the file grew beyond the limit for files; raise it (ulimit -f) and run again",
    errno.EROFS: "the disk is read-only; set another path or mount it for writing",
    errno.EACCES: "this may not be written to; set another path or change its permissions",
    errno.EPERM: "this may not be written to; set another path or change its permissions",
    errno.ENOTDIR: "a file stands where a folder is needed; move it away or set another path",
    errno.EEXIST: "a file stands where a folder is needed; move it away or set another path",
    errno.EISDIR: "a folder stands where a file is needed; move it away or set another path",
    errno.ENAMETOOLONG: "the path is too long; set a shorter one",
    errno.ENOENT: "the file was removed while it was written; run again, one run at a time",
    errno.EMFILE: "too many files are open; raise the limit (ulimit -n) and run again",
}


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Turn an error of the file system into a SinkError that names the path and what to do."""
    try:
        yield
    except OSError as error:
        advice = _ADVICE.get(error.errno or 0, f"{error}; mend it and run again")
        raise SinkError(f"{path}: {advice}") from error


def require_folder(folder: Path, path: Path) -> Path:
    """Return the lowest part of a folder that is there; SinkError, naming a path, if it is no good.

    Nothing is made; the folder is good if a file can be made in it, or if it can be made itself.
    """
    there = next((p for p in (folder, *folder.parents) if os.path.lexists(p)), Path("/"))
    if not there.is_dir():
        raise SinkError(f"{path}: {there} is no folder; move it away or set another path")
    if not os.access(there, os.W_OK | os.X_OK):
        raise SinkError(
            f"{path}: {there} may not be written to; set another path or change its permissions"
        )
    return there


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, so that they outlast a power cut."""
    missing = [p for p in (folder, *folder.parents) if not p.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for made in missing:
        sync(made.parent)


def sync(folder: Path) -> None:
    """Make the names in a folder outlast a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def prune(folder: Path, root: Path) -> None:
    """Remove a folder and those above it, up to the root, as far as they are empty."""
    for there in (folder, *folder.parents):
        if there == root:
            return
        try:
            there.rmdir()
        except OSError:  # not empty, or another process was faster
            return


def remove(target: Path, root: Path) -> None:
    """Remove a file, what crashed runs left beside it, and folders that are empty then."""
    with naming(target), suppress(FileNotFoundError, NotADirectoryError):
        _sweep(target)
        target.unlink()
        sync(target.parent)
    prune(target.parent, root)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes from changing a folder meanwhile, so far as they ask for the same."""
    handle = None
    try:
        with suppress(OSError):  # it is not there, or some network disk knows no locks
            handle = os.open(folder, os.O_RDONLY)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        if handle is not None:
            os.close(handle)


class Aside:
    """A file that is written at `path`, a hidden name beside its target; locked while it is."""

    def __init__(self, target: Path, root: Path) -> None:
        self._target, self._root = target, root
        name = f".{target.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp"
        self.path = target.with_name(name)
        # Before there is a file: an interrupt may come between any two steps, and then it is this
        # that removes it, once nobody holds the object or the process ends.
        self._forgotten = weakref.finalize(self, _throw_away, self.path, root, os.getpid())
        self.file = self._created()
        with suppress(OSError):  # some network disks know no locks; nothing is swept there
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def settle(self) -> int:
        """Make the content outlast a power cut and return its bytes."""
        self.file.flush()
        os.fsync(self.file.fileno())
        return os.fstat(self.file.fileno()).st_size

    def take_place(self) -> None:
        """Put the file in place of what is at the target."""
        with naming(self._target):
            self.path.replace(self._target)
            self._forgotten.detach()
            sync(self._target.parent)
            self.file.close()

    def drop(self) -> None:
        """Throw the file away, and folders that are empty then."""
        with suppress(OSError):  # what cannot be flushed is thrown away all the same
            self.file.close()
        _throw_away(self.path, self._root, os.getpid())
        self._forgotten.detach()

    def _created(self) -> BinaryIO:
        for attempt in range(10):
            try:
                make_folder(self._target.parent)
                _sweep(self._target)
                return self.path.open("xb", buffering=1 << 20)
            except FileNotFoundError:  # another process pruned the folder while it was empty
                if attempt == 9:
                    raise
        raise AssertionError


def _throw_away(path: Path, root: Path, process: int) -> None:
    """Remove a hidden file, and folders that are empty then; a fork of its process lets it be."""
    if os.getpid() == process:
        with suppress(OSError):  # what cannot be removed now is swept by the next write
            path.unlink()
        prune(path.parent, root)


def _lives(name: str) -> bool:
    """Tell whether the process that a hidden file is named after is there, on this machine."""
    process = name.rsplit(".", 2)[1].partition("-")[0]
    return process.isdecimal() and lives(int(process))


def _sweep(target: Path) -> None:
    """Remove hidden files of a target that no process holds: a crashed run left them."""
    for name in os.listdir(target.parent):  # noqa: PTH208  (a path a name would cost more)
        if name.startswith(f".{target.name}.") and name.endswith(".tmp"):
            if _lives(name):  # between making the file and locking it, perhaps
                continue
            path = target.with_name(name)
            with suppress(OSError), path.open("rb") as file:  # held, or already gone
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
