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
    """What a live run tells of a stream; `waits` is why its rows wait, empty if they flow."""

    rows: int = 0
    holes: int = 0
    reconnects: int = 0
    waits: str = ""
    last_id: str = ""
    last_time: int = 0
