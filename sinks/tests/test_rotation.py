from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from werks.options import structure
from werks_sinks.csv import Csv
from werks_sinks.rotation import BySize, rotation

SECOND = 10**9
HOUR = 3600 * SECOND
BERLIN = ZoneInfo("Europe/Berlin")


def ns(*moment, zone=UTC):
    return int(datetime(*moment, tzinfo=zone).timestamp()) * SECOND


def periods(text, times, zone="UTC"):
    return rotation(text, zone).periods(np.array(times, np.int64)).tolist()


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1 GB", 10**9),
        ("500 MB", 500 * 10**6),
        ("10 MiB", 10 * 2**20),
        ("1 KB", 1000),
        ("1KiB", 1024),
        ("0.5 gb", 5 * 10**8),
        ("7 B", 7),
        ("2 TB", 2 * 10**12),
    ],
)
def test_a_size_is_counted_in_bytes(text, size):
    assert rotation(text, "UTC") == BySize(size)


def test_nothing_is_no_rotation():
    assert rotation("", "UTC") is None


@pytest.mark.parametrize(
    "text",
    ["1", "GB", "-1 GB", "0 B", "0.0001 B", "1 XB", "24:00", "12:60", "1 month", "someday", "0h"],
)
def test_what_is_no_rotation_is_told_in_a_line(text):
    component, ((name, what),) = structure(Csv, {"path": "data", "rotate": text})
    assert component is None
    assert name == "rotate"
    assert "is expected, not " in what
    assert "\n" not in what


@pytest.mark.parametrize("zone", ["Mars", "", "../etc/passwd", "Europe", "UTC+1"])
def test_an_unknown_zone_is_told_in_a_line(zone):
    component, ((name, what),) = structure(Csv, {"path": "data", "zone": zone})
    assert component is None
    assert (name, what) == (
        "zone",
        f'a name like "UTC" or "Europe/Berlin" is expected, not {zone!r}',
    )


def test_an_hour_is_that_of_the_clock_in_utc():
    start = ns(2024, 5, 1, 13)
    assert periods("1h", [start - 1, start, start + HOUR - 1, start + HOUR]) == [
        start - HOUR,
        start,
        start,
        start + HOUR,
    ]


def test_an_odd_width_begins_anew_at_midnight():
    midnight = ns(2024, 5, 2)
    found = periods("7h", [midnight - 1, midnight, midnight + 22 * HOUR])
    assert found == [midnight - 3 * HOUR, midnight, midnight + 21 * HOUR]


def test_weeks_begin_on_monday_and_the_years_before_1970_are_no_trap():
    monday = ns(2024, 4, 29)
    assert periods("1w", [monday - 1, monday, monday + 6 * 24 * HOUR]) == [
        monday - 7 * 24 * HOUR,
        monday,
        monday,
    ]
    assert periods("1h", [-1]) == [-HOUR]


def test_a_weekday_begins_at_midnight():
    wednesday = ns(2024, 5, 1)
    assert periods("Wednesday", [wednesday - 1, wednesday]) == [
        wednesday - 7 * 24 * HOUR,
        wednesday,
    ]


@pytest.mark.parametrize(("day", "hours"), [((2024, 3, 31), 23), ((2024, 10, 27), 25)])
def test_a_day_may_have_23_or_25_hours(day, hours):
    begin = ns(*day, zone=BERLIN)
    end = begin + hours * HOUR
    assert periods("00:00", [begin, end - 1, end], "Europe/Berlin") == [begin, begin, end]


def test_a_time_that_the_clock_leaves_out_is_when_it_was_due():
    before, due = ns(2024, 3, 30, 2, 30, zone=BERLIN), ns(2024, 3, 31, 1, 30)
    assert periods("02:30", [due - 1, due], "Europe/Berlin") == [before, due]


def test_a_time_that_comes_twice_is_the_first():
    first = ns(2024, 10, 27, 0, 30)  # 02:30 in summer; an hour later it is 02:30 again
    assert periods("02:30", [first, first + HOUR], "Europe/Berlin") == [first, first]
    assert periods("02:30", [first + 25 * HOUR], "Europe/Berlin") == [first + 25 * HOUR]


def test_a_zone_may_leave_out_a_whole_day():
    """Samoa had no 30th of December 2011."""
    apia = ZoneInfo("Pacific/Apia")
    times = [ns(2011, 12, 29, 9, 59), ns(2011, 12, 30, 10), ns(2011, 12, 31, 10)]
    days = [datetime.fromtimestamp(t // SECOND, apia).day for t in times]
    assert days == [28, 31, 1]
    found = periods("00:00", times, "Pacific/Apia")
    assert [datetime.fromtimestamp(t // SECOND, apia).day for t in found] == [28, 31, 1]


@pytest.mark.parametrize("text", ["1h", "7h", "3d", "00:00", "02:30", "23:59:59", "sunday"])
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Pacific/Apia", "Asia/Kolkata"])
def test_each_time_lies_in_its_period_whatever_comes_with_it(text, zone):
    random = np.random.default_rng(7)
    times = np.sort(random.integers(ns(2023, 12, 1), ns(2024, 12, 1), 500))
    found = periods(text, times, zone)
    assert all(0 <= time - begin <= 7 * 25 * HOUR for time, begin in zip(times, found, strict=True))
    assert found == sorted(found)
    assert found == [periods(text, [time], zone)[0] for time in times]
    assert periods(text, found, zone) == found


def test_the_clock_shows_its_time_at_each_change():
    start = datetime(2024, 1, 1, tzinfo=UTC)
    times = [int((start + timedelta(hours=h)).timestamp()) * SECOND for h in range(24 * 366)]
    for begin in sorted(set(periods("06:15", times, "Europe/Berlin"))):
        shown = datetime.fromtimestamp(begin // SECOND, BERLIN)
        assert (shown.hour, shown.minute, shown.second) == (6, 15, 0)
