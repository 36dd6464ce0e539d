"""This process and others on this machine: its cores, whether it may fork, whether they live."""

import multiprocessing
import os
import sys
import threading
import warnings
from pathlib import Path


def cores() -> int:
    """Return on how many cores this process may run."""
    known = hasattr(os, "sched_getaffinity")
    return len(os.sched_getaffinity(0)) if known else os.cpu_count() or 1


def may_fork() -> bool:
    """Tell whether forking is safe: only while this process has no other thread.

    It is quick, too, but macOS' own libraries do not bear it.
    """
    known = "fork" in multiprocessing.get_all_start_methods() and sys.platform != "darwin"
    return known and threading.active_count() == 1


def fork() -> int:
    """Fork once `may_fork` has said so; return as `os.fork` does.

    Python 3.12 warns of the threads of NumPy's and Arrow's libraries, too, which bear it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def lives(pid: int) -> bool:
    """Tell whether there is such a process; one that has ended and waits to be noticed is none."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:  # it has just gone, or this is no Linux
        return not Path("/proc/self/stat").exists()
    return state not in ("Z", "X")
