"""When a live run is over, what it takes up meanwhile, and what it tells of its streams."""

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from ..events import Events

if TYPE_CHECKING:
    from .graph import Graph


class Reload:
    """Has a live run take up the symbols that a pipeline names now, whenever it is called.

    `read` returns the graph as it should be, such as `lambda: load(path, now)`; by the same `now`
    as the one that runs, if its `start` counts from now. `tell` gets a line for what came of it. It
    may be called by any thread, and by the handler of a signal.
    """

    def __init__(
        self, read: "Callable[[], Graph]", tell: Callable[[str], object] = lambda _: None
    ) -> None:
        self.read, self.tell = read, tell
        self._asked = False

    def __call__(self, *_: object) -> None:
        """Ask for it; it is begun within a moment, or once the run listens."""
        self._asked = True

    def taken(self) -> bool:
        """Tell whether it was asked for since the last time."""
        asked, self._asked = self._asked, False
        return asked


@attrs.frozen
class Until:
    """When listening is over, as it is asked again and again, and by which clock (ns).

    In silence a time counts as over `grace` seconds later, by that clock. `show` gets twice a
    second what `werks top` shows, as plain data. What `is_over` or `show` raises is told as what an
    observer raises; `is_over` ends listening by it.
    """

    is_over: Callable[[], bool] = lambda: False
    clock: Callable[[], int] = time.time_ns
    grace: float = 2.0
    reload: Reload | None = None
    show: Callable[[Mapping[str, Any]], object] | None = None


def guarded(until: Until, events: Events) -> Until:
    """Return the same of which no call raises: that is told as an error of an observer is.

    Listening is over where `is_over` would raise.
    """
    is_over = events.guarded("Until.is_over", until.is_over, True)
    show = until.show and events.guarded("Until.show", until.show)
    return attrs.evolve(until, is_over=is_over, show=show)


@attrs.define
class LiveFigures:
    """What a live run tells of a stream; `waits` is why its rows wait, empty if they flow.

    `held` are the rows that wait, `refused` is why the exchange does not serve the stream, `failed`
    the error that has stopped it. `last_time` is in ns since 1970, 0 if there has been no row yet.
    `lost` is why there is no connection now, empty if there was none yet. `removed` is whether the
    file does not name it any more. Of the minutes that were `compared` with the exchange's candles
    so many `differ`. `not_asked` is why REST does not say what minutes are compared with, or what
    stands beside bars.
    """

    rows: int = 0
    holes: int = 0
    reconnects: int = 0
    waits: str = ""
    last_id: str = ""
    last_time: int = 0
    held: int = 0
    connected: bool = False
    lost: str = ""
    refused: str = ""
    failed: str = ""
    removed: bool = False
    compared: int = 0
    differ: int = 0
    not_asked: str = ""
    _connection: int = attrs.field(default=0, repr=False)
    _acked: int = attrs.field(default=0, repr=False)

    @property
    def stopped(self) -> bool:
        """Whether the stream has come to its end before the run has."""
        return bool(self.refused or self.failed)

    def opened(self, connection: int) -> None:
        """Take note of a connection; it counts as made again if the one before was lost."""
        self.reconnects += bool(self.lost)
        self.connected, self.lost, self._connection = True, "", connection

    def acked(self, connection: int) -> None:
        """Take note that the rows of a connection come."""
        self._acked = max(self._acked, connection)

    def ended(self, connection: int, why: str) -> bool:
        """Take note of a lost connection, or of one that could not be made.

        One that has been replaced by then is no loss. Return whether rows come on no other one: the
        one that replaces it may not have been answered yet.
        """
        if connection >= self._connection:
            self.connected, self.lost = False, why
        return connection >= self._acked
