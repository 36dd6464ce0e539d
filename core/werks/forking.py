"""When this process may fork."""

import multiprocessing
import sys
import threading


def may_fork() -> bool:
    """Tell whether forking is safe: only while this process has no other thread.

    It is quick, too, but macOS' own libraries do not bear it.
    """
    known = "fork" in multiprocessing.get_all_start_methods() and sys.platform != "darwin"
    return known and threading.active_count() == 1
