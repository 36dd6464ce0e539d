"""How fast a host may be asked: one budget a host, shared by all streams of a run."""

import threading
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

import attrs

from .components import RateLimit, Request

# A fifth of the limit at once, the rest spread evenly: never more than it in any interval.
_BURST = 0.2
_NEARLY = 0.95


@attrs.define
class _Budget:
    limit: RateLimit
    have: float
    at: float

    @classmethod
    def of(cls, limit: RateLimit, now: float) -> "_Budget":
        return cls(limit, max(1.0, limit.weights * _BURST), now)

    def take(self, weight: float, now: float) -> float:
        """Spend a weight and return the seconds to wait until it may be spent."""
        most = max(1.0, self.limit.weights * _BURST)
        rate = self.limit.weights * (1 - _BURST) / self.limit.seconds
        self.have = min(most, self.have + (now - self.at) * rate) - weight
        self.at = now
        return max(0.0, -self.have / rate)


class Throttle:
    """The budgets of all hosts, and the times before which hosts asked not to be asked again.

    Several threads may ask.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # An exchange may count some requests of a host apart from the others.
        self._budgets: dict[tuple[str, RateLimit], _Budget] = {}
        self._ready: dict[str, float] = {}

    def wait(self, url: str) -> float:
        """Return the seconds to wait because the host said so."""
        return max(0.0, self._ready.get(_host(url), 0.0) - time.monotonic())

    def pause(self, url: str, seconds: float) -> None:
        """Take note that a host wants to be left alone for so long."""
        host = _host(url)
        with self._lock:
            self._ready[host] = max(self._ready.get(host, 0.0), time.monotonic() + seconds)

    def take(self, request: Request) -> float:
        """Spend what a request weighs and return the seconds to wait before it is sent."""
        if request.limit is None:
            return self.wait(request.url)
        key = _host(request.url), request.limit
        with self._lock:
            now = time.monotonic()
            budget = self._budgets.get(key)
            if budget is None:
                budget = self._budgets[key] = _Budget.of(request.limit, now)
            return max(self.wait(request.url), budget.take(request.weight, now))

    def heard(self, request: Request, headers: Mapping[str, str]) -> None:
        """Take note of what an answer says of the limit: another program may share the address."""
        limit = request.limit
        if limit is None:
            return
        used, left = _number(headers, limit.used), _number(headers, limit.left)
        if used is not None and used + request.weight > limit.weights * _NEARLY:
            # Counters of this kind begin anew with each interval of the clock.
            self.pause(request.url, limit.seconds - time.time() % limit.seconds)
        elif left is not None and left < request.weight:
            self.pause(request.url, limit.seconds * request.weight / limit.weights)


def _host(url: str) -> str:
    return urlsplit(url).netloc


def _number(headers: Mapping[str, str], name: str) -> float | None:
    try:
        return float(headers[name]) if name else None
    except (KeyError, ValueError):
        return None
