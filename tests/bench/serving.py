"""A server of an exchange's REST interface, in a process of its own."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.request import urlopen

from place import HERE


@contextmanager
def served(*given: str) -> Iterator[str]:
    """Run `serve_rest.py` with these options and yield its address."""
    command = [sys.executable, str(HERE / "serve_rest.py"), *given]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as server:
        assert server.stdout
        assert server.stdin
        try:
            yield server.stdout.readline().strip()
        finally:
            server.stdin.close()


def asked(url: str, path: str) -> int:
    """Return how often a server was asked for a path so far."""
    with urlopen(f"{url}/asked?path={path}") as answer:
        return int(answer.read())
