"""The connections of a live source: sharded, replaced before they are cut, taken apart."""

import time
from collections.abc import Collection, Sequence
from typing import Any

from ..components import Feed
from ..live import Failed, Inbox, Listener

# How many seconds a connection is still heard beside the one that replaces it.
_OVERLAP = 10.0
# So often a source's connections are taken apart to find the symbol that ends them: this finds one
# among a million, or several among a few.
_MOST_SPLITS = 20


class Connections:
    """Listens to symbols over as many connections as the exchange's limit asks for.

    They are numbered from `base` on.
    """

    def __init__(self, feed: Feed, inbox: Inbox, given: Any, base: int) -> None:
        self._feed, self._inbox, self._given, self._next = feed, inbox, given, base
        self._now: list[Listener] = []
        # Each with the one that takes its place.
        self._old: list[tuple[Listener, Listener]] = []
        self._ended: list[Listener] = []
        self._splits = 0

    @property
    def listen(self) -> bool:
        """Whether any of them goes on."""
        return any(each.is_alive() for each in self._now)

    @property
    def alive(self) -> bool:
        """Whether any of them has not come to its end yet, those that are to end included."""
        return any(each.is_alive() for each in self._all())

    def open(self, symbols: Sequence[str]) -> None:
        """Listen to more symbols."""
        most = max(1, self._feed.most_symbols)
        for at in range(0, len(symbols), most):
            self._now.append(self._started(symbols[at : at + most]))

    def heard(self) -> dict[str, int]:
        """Return when each symbol's connection has shown last that it lives, in ns."""
        found: dict[str, int] = {}
        for each in (*(old for old, _ in self._old), *self._now):
            for symbol in tuple(each.symbols):
                found[symbol] = max(found.get(symbol, 0), each.heard)
        return found

    def renew(self) -> None:
        """Replace those that the exchange will soon cut; both are heard for a while."""
        for each in list(self._now):
            if each.is_old:
                self._replace(each, each.symbols)
        for old, new in list(self._old):
            # One that replaces another may have to wait until it may connect, and for answers.
            joined = new.since and time.monotonic() - new.since > _OVERLAP
            if joined or not new.is_alive() or not old.is_alive():
                self._end(old)
                self._old.remove((old, new))

    def drop(self, symbols: Collection[str]) -> None:
        """Listen to symbols no more: a connection goes on without them, or ends."""
        for each in list(self._now):
            left = [symbol for symbol in each.symbols if symbol not in symbols]
            if not left:
                self._now.remove(each)
                self._end(each)
            elif len(left) < len(each.symbols):
                self._replace(each, left)

    def split(self, failed: Failed) -> bool:
        """Listen on two connections to what has failed on one; False if its symbols are given up.

        The error may come from one of them, and no other symbol stops for that.
        """
        found = [each for each in self._now if each.number == failed.connection]
        if not found:
            return True  # another has taken its place by now
        self._now.remove(found[0])
        symbols = failed.symbols
        if failed.every or len(symbols) < 2 or self._splits >= _MOST_SPLITS:
            return False
        self._splits += 1
        middle = len(symbols) // 2
        self._now += [self._started(part) for part in (symbols[:middle], symbols[middle:])]
        return True

    def stop(self) -> None:
        """Ask all to end."""
        for each in self._all():
            each.stop()

    def _all(self) -> list[Listener]:
        return [*self._now, *(old for old, _ in self._old), *self._ended]

    def _started(self, symbols: Sequence[str]) -> Listener:
        new = Listener(self._next, self._feed, symbols, self._inbox, self._given)
        self._next += 1
        new.start()
        return new

    def _replace(self, each: Listener, symbols: Sequence[str]) -> None:
        new = self._started(symbols)
        self._now[self._now.index(each)] = new
        self._old.append((each, new))

    def _end(self, each: Listener) -> None:
        each.stop()
        self._ended = [other for other in (*self._ended, each) if other.is_alive()]
