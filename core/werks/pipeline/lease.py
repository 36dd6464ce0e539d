"""Who is at a window: one run at a time, as the ledger has it."""

import os
import socket
import uuid

from ..processes import lives

# A window is another run's for so many seconds; that of a process that has died is free at once.
LEASE = 3600.0


def owner() -> str:
    """Return a name for this run: host, process and a few letters of its own."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


def dead(name: str) -> bool:
    """Tell whether the process that took a lease is known to be gone: it ran on this host."""
    host, pid, _ = name.rsplit(":", 2)
    return host == socket.gethostname() and not lives(int(pid))
