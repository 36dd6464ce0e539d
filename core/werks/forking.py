"""Whether this process may fork, and how it does."""

import multiprocessing
import os
import sys
import threading
import warnings


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
