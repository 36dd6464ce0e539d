"""When a file that grows is full: by its size, or by the time of the rows that come."""

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

import attrs
import numpy as np
import numpy.typing as npt

from werks.options import duration

from .sizes import size

Ints = npt.NDArray[np.int64]

_SECOND = 10**9
_DAY = 86_400 * _SECOND
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SIZE = re.compile(r"(\d+(?:\.\d+)?) *(B|[KMGT]i?B)", re.IGNORECASE)
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?")
_EPOCH = date(1970, 1, 1)
# 1970-01-05, the first Monday: widths of days and more are counted from there.
_MONDAY = 4 * _DAY


@attrs.frozen
class BySize:
    """A file is full when the next line would make it larger than `limit` bytes."""

    limit: int

    def periods(self, times: Ints) -> Ints:
        """Return one period for all rows."""
        return np.zeros(len(times), np.int64)


@attrs.frozen
class ByWidth:
    """A file is full when a row comes of a later interval, `width` nanoseconds wide, in UTC.

    Intervals of less than a day begin anew at midnight, longer ones are counted from a Monday.
    """

    width: int
    limit: None = None

    def periods(self, times: Ints) -> Ints:
        """Return the start of the interval that each time lies in, in nanoseconds."""
        if self.width >= _DAY:
            return _floor(times - _MONDAY, self.width) + _MONDAY
        midnights = _floor(times, _DAY)
        return midnights + _floor(times - midnights, self.width)


@attrs.frozen
class ByClock:
    """A file is full when a row comes from after a time of day, every day or on one weekday."""

    clock: time
    zone: tzinfo
    weekday: int | None = None
    limit: None = None

    def periods(self, times: Ints) -> Ints:
        """Return the last such moment at or before each time, in nanoseconds."""
        if not len(times):
            return times
        # Two days more on either side for the zone, seven for the weekday.
        first, last = int(times.min()) // _DAY - 9, int(times.max()) // _DAY + 3
        days = (_EPOCH + timedelta(number) for number in range(first, last))
        wanted = [day for day in days if self.weekday in (None, day.weekday())]
        edges = np.array([self._moment(day) for day in wanted], np.int64)
        found: Ints = edges[np.searchsorted(edges, times, "right") - 1]
        return found

    def _moment(self, day: date) -> int:
        """Return when the clock shows its time; of an hour that comes twice, the first."""
        moment = datetime.combine(day, self.clock, self.zone)
        return round(moment.timestamp()) * _SECOND


Rotation = BySize | ByWidth | ByClock


def rotation(text: str, zone: str) -> Rotation | None:
    """Return what a rotation says, None if it is empty; ValueError names the option."""
    where = place(zone)
    if not text:
        return None
    if text.lower() in _WEEKDAYS:
        return ByClock(time(0), where, _WEEKDAYS.index(text.lower()))
    if found := _CLOCK.fullmatch(text):
        hour, minute, second = (int(part or 0) for part in found.groups())
        return ByClock(time(hour, minute, second), where)
    if _SIZE.fullmatch(text):
        return BySize(size(text, "rotate"))
    try:
        return ByWidth(duration(text, "rotate"))
    except ValueError as error:
        wanted = '"1 GB", "10 MiB", "1h", "00:00" or "monday"'
        raise ValueError(f"rotate: a text like {wanted} is expected, not {text!r}") from error


def place(zone: str) -> tzinfo:
    """Return a time zone by its name; ValueError names the option."""
    if zone == "UTC":  # which is there even where no list of zones is installed
        return UTC
    try:
        return ZoneInfo(zone)
    except (KeyError, ValueError, OSError) as error:
        wanted = 'a name like "UTC" or "Europe/Berlin"'
        raise ValueError(f"zone: {wanted} is expected, not {zone!r}") from error


def _floor(times: Ints, width: int) -> Ints:
    found: Ints = times - times % width
    return found
