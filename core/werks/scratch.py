"""Folders for what is needed for a while; those that killed processes have left are removed."""

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .processes import lives

if sys.platform != "win32":
    import fcntl

_OURS = re.compile(r"werks-(\d+)-\w+")


@contextmanager
def scratch() -> Iterator[Path]:
    """Yield an empty folder, which is removed after, at the latest by who asks for the next one.

    It lies where TMPDIR says. OSError if none can be made there.
    """
    _sweep(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=f"werks-{os.getpid()}-") as name:
        # A process that this one does not see, in another container perhaps, sees the lock.
        handle = _locked(Path(name))
        try:
            yield Path(name)
        finally:
            if handle is not None:
                os.close(handle)


def _sweep(root: Path) -> None:
    for name in os.listdir(root):  # noqa: PTH208  (a path a name would cost more)
        ours = _OURS.fullmatch(name)
        if ours and not lives(int(ours[1])):
            handle = _locked(root / name)
            if handle is not None:
                shutil.rmtree(root / name, ignore_errors=True)
                os.close(handle)


def _locked(folder: Path) -> int | None:
    """Return a handle that holds the lock of a folder of ours; None if another process has it."""
    if sys.platform == "win32":
        return None
    handle = None
    with suppress(OSError):  # another's lock, another user's folder, or a disk without locks
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        if os.fstat(handle).st_uid == os.getuid():
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return handle
    if handle is not None:
        os.close(handle)
    return None
