"""Round numbers and round times, for the labels of an axis and the widths of candles."""

import math

import numpy as np
import numpy.typing as npt

SECOND = 10**9
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86_400 * SECOND
# Steps are counted from a Monday, so that weeks start on one; it is a midnight for all the others.
_MONDAY = 4 * DAY
_UNITS = (("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", SECOND))
TIMES = (
    *(n * SECOND for n in (1, 2, 5, 10, 15, 30)),
    *(n * MINUTE for n in (1, 2, 5, 10, 15, 30)),
    *(n * HOUR for n in (1, 2, 3, 4, 6, 12)),
    *(n * DAY for n in (1, 2, 7, 14, 28, 91, 182, 364)),
)


def steps(times: npt.NDArray[np.int64], step: int) -> npt.NDArray[np.int64]:
    """Return the number of the step (in ns) that each time (ns since 1970, UTC) lies in."""
    return (times - _MONDAY) // step


def start(time: int, step: int) -> int:
    """Return when the step that a time lies in began."""
    return time - (time - _MONDAY) % step


def changes(groups: npt.NDArray[np.int64]) -> npt.NDArray[np.intp]:
    """Return the first row of each run of equal numbers."""
    return np.flatnonzero(np.diff(groups, prepend=groups[0] - 1))


def width(times: npt.NDArray[np.int64], most: int) -> int | None:
    """Return the least round width (in ns) that cuts the times into at most `most` steps."""
    for step in TIMES:
        if len(changes(steps(times, step))) <= most:
            return step
    return None


def words(nanoseconds: int) -> str:
    """Return a round width as it is written in a pipeline file, such as `15m`."""
    letter, unit = next(unit for unit in _UNITS if nanoseconds % unit[1] == 0)
    return f"{nanoseconds // unit}{letter}"


def prices(low: float, high: float, most: int) -> tuple[list[float], int]:
    """Return at most `most` round numbers from low to high, and the digits that they need."""
    rough = (high - low) / most
    power = math.floor(math.log10(rough))
    step = next(n for n in (1, 2, 5, 10, 20) if n * 10.0**power >= rough)
    first, last = math.ceil(low / 10.0**power / step), math.floor(high / 10.0**power / step)
    digits = max(0, -power - (1 if step >= 10 else 0))
    return [round(n * step * 10.0**power, digits) for n in range(first, last + 1)][:most], digits


def digits(values: npt.NDArray[np.float64]) -> int:
    """Return how many digits after the point the numbers use, 12 at the most."""
    for count in range(12):
        if np.allclose(np.round(values, count), values, rtol=1e-12, atol=0.0):
            return count
    return 12
