"""What a process and those that it began have in memory together."""

import threading
from pathlib import Path

_EVERY = 0.02
_PROC = Path("/proc")


class Peak:
    """Looks at a process fifty times a second while it has others beside it.

    Pages that several share count in parts (PSS), as they take no more room than they do once.
    """

    def __init__(self, pid: int) -> None:
        self.bytes = 0
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def end(self) -> int:
        """Stop looking; return the most bytes that there were, 0 if it was always alone."""
        self._over.set()
        self._thread.join()
        return self.bytes

    def _look(self) -> None:
        while not self._over.wait(_EVERY):
            all_ = _with_children(self._pid)
            if len(all_) > 1:
                self.bytes = max(self.bytes, sum(map(_share, all_)))


def _with_children(pid: int) -> list[int]:
    try:
        text = (_PROC / str(pid) / "task" / str(pid) / "children").read_text()
    except OSError:  # it has ended, or this is no Linux
        return []
    return [pid, *(each for child in text.split() for each in _with_children(int(child)))]


def _share(pid: int) -> int:
    try:
        lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:  # it has ended
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
