"""How connections are made, and how often: one budget an address, for all sources of a process."""

import threading
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import attrs

from ..components import RateLimit, Request
from ..throttle import Throttle
from .recording import Tape

# What runs on this machine is a simulator, or a way to somewhere else that has a limit of its own.
_HERE = frozenset(("127.0.0.1", "localhost", "::1"))
# No exchange is left alone for longer, whatever it has said: a ban of three days is asked about.
_LONGEST = 86_400.0


class Connects:
    """Paces new connections, first ones and those that are made again, by the exchange's limit."""

    def __init__(self) -> None:
        self._throttle = Throttle()

    def wait(self, url: str, limit: RateLimit | None, over: threading.Event) -> bool:
        """Wait for the turn to connect to an address; return whether there still is a need to."""
        if urlsplit(url).hostname in _HERE:
            limit = None
        seconds = self._throttle.take(Request(url, limit=limit))
        while seconds > 0:
            if over.wait(seconds):
                return False
            seconds = self._throttle.wait(url)  # it may have asked for more in the meantime
        return not over.is_set()

    def pause(self, url: str, seconds: float) -> None:
        """Leave an address alone for so many seconds, as it has asked for."""
        self._throttle.pause(url, min(seconds, _LONGEST))


# The limit is that of this machine's address, whatever runs go on in one process.
CONNECTS = Connects()
Keep = Callable[[str, bytes, str], None]


@attrs.frozen
class Manner:
    """How a connection is handled; `keep` takes messages that cannot be read, with the reason.

    `record` gives each connection, by its number, a tape for all messages as they came.
    """

    keep: Keep
    record: Callable[[int], Tape] | None = None
    clock: Callable[[], int] = time.time_ns
    pause: float = 1.0
    connects: Connects = CONNECTS
