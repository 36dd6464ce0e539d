"""When a live run is over, and what it tells of its streams."""

import time
from collections.abc import Callable

import attrs


@attrs.frozen
class Until:
    """When listening is over, as it is asked again and again, and by which clock (ns).

    In silence a time counts as over `grace` seconds later, by that clock.
    """

    is_over: Callable[[], bool] = lambda: False
    clock: Callable[[], int] = time.time_ns
    grace: float = 2.0


@attrs.define
class LiveFigures:
    """What a live run tells of a stream; `waits` is why its rows wait, empty if they flow.

    `held` are the rows that wait, `refused` is why the exchange does not serve the stream.
    `last_time` is in ns since 1970, 0 if there has been no row yet. `lost` is why there is no
    connection now, empty if there was none yet.
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
    _connection: int = attrs.field(default=0, repr=False)

    def opened(self, connection: int) -> None:
        """Take note of a connection; it counts as made again if the one before was lost."""
        self.reconnects += bool(self.lost)
        self.connected, self.lost, self._connection = True, "", connection

    def ended(self, connection: int, why: str) -> None:
        """Take note of a lost connection, or of one that could not be made.

        One that has been replaced by then is no loss.
        """
        if connection >= self._connection:
            self.connected, self.lost = False, why
