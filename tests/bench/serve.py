"""Serves a folder tree on 127.0.0.1 in a process of its own, and prints its address."""

import sys
import threading
from pathlib import Path

from werks.testing import Loopback


def main() -> None:
    """Serve until standard input ends."""
    root = Path(sys.argv[1])
    with Loopback() as server:
        for path in root.rglob("*.csv.gz"):
            server.put(path.relative_to(root).as_posix(), path)
        sys.stdout.write(server.url + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    threading.stack_size(1 << 18)
    main()
