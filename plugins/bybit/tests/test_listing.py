"""Which of the listed files are read."""

from datetime import date

import pytest

from werks.components import File
from werks.errors import MissingError
from werks_bybit import Trades


def _names(loopback, http, start, stop, *listed):
    for name in listed:
        loopback.put(f"spot/BTCUSDT/{name}.csv.gz", b"")
    door = Trades(market="spot", archive_url=loopback.url)
    return [
        file.name.removesuffix(".csv.gz") for file in door.files(["BTCUSDT"], start, stop, http)
    ]


DAYS = ("BTCUSDT_2022-12-01", "BTCUSDT_2022-12-02", "BTCUSDT_2022-12-03")


def test_days_win_over_their_month_wherever_the_range_begins(loopback, http):
    listed = ("BTCUSDT-2022-12", *DAYS)
    for start, stop, expected in (
        (date(2022, 12, 1), date(2022, 12, 3), list(DAYS[:2])),
        (date(2022, 12, 2), date(2022, 12, 4), list(DAYS[1:])),
    ):
        assert _names(loopback, http, start, stop, *listed) == expected


def test_a_month_wins_where_one_of_its_days_is_not_listed(loopback, http):
    listed = ("BTCUSDT-2022-12", DAYS[0], DAYS[2])
    names = _names(loopback, http, date(2022, 12, 1), date(2022, 12, 4), *listed)
    assert names == ["BTCUSDT-2022-12"]


def test_days_follow_the_months_before_them(loopback, http):
    listed = (*DAYS, "BTCUSDT-2022-11", "BTCUSDT-2022-10")
    names = _names(loopback, http, date(2022, 11, 30), date(2022, 12, 3), *listed)
    assert names == ["BTCUSDT-2022-11", *DAYS[:2]]


def test_what_is_no_file_of_the_symbol_is_passed_over(loopback, http):
    listed = ("BTCUSDT_2022-12-01", "BTCUSDT_2022-12-01.CHECKSUM", "BTC_2022-12-01", "notes")
    names = _names(loopback, http, date(2022, 12, 1), date(2022, 12, 2), *listed)
    assert names == ["BTCUSDT_2022-12-01"]


def test_a_day_that_is_not_published_yet_is_not_listed(loopback, http):
    assert _names(loopback, http, date(2022, 12, 4), date(2022, 12, 9), *DAYS) == []


def test_a_symbol_that_bybit_does_not_have_is_missing(loopback, http):
    door = Trades(market="linear", archive_url=loopback.url)
    with pytest.raises(MissingError, match="/trading/NIXUSDT/"):
        list(door.files(["NIXUSDT"], date(2024, 1, 1), date(2024, 1, 2), http))


def test_a_file_states_its_day_and_its_symbol(loopback, http):
    url = loopback.put("trading/BTCUSD/BTCUSD2019-10-01.csv.gz", b"")
    door = Trades(market="inverse", archive_url=loopback.url)
    files = list(door.files(["BTCUSD"], date(2019, 10, 1), date(2019, 10, 2), http))
    assert files == [File(url, date(2019, 10, 1), date(2019, 10, 2), ("BTCUSD",))]
