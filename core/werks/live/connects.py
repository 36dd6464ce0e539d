"""How often connections may be made: one budget an address, for all sources of this process."""

import threading
from urllib.parse import urlsplit

from ..components import RateLimit, Request
from ..throttle import Throttle

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
