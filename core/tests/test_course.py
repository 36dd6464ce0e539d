"""A course of time: each row is told once, by its time, and none before it is."""

from datetime import date
from itertools import count
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from werks import amounts
from werks.schema import Scales, nanoseconds, schema, times
from werks.testing import Course, respelt, uuids

HOUR = 3600 * 10**9
MIDNIGHT = 1_704_067_200_000_000_000  # 2024-01-01
DOOR = SimpleNamespace(exchange="shop", schema=schema("TRADE", Scales(4, 6)))


def made(hours):
    """Return a trade each hour, one ns late, as `respelt` takes them."""
    number = np.arange(hours)
    exact = {"price": (4200 + number, 2), "size": (1 + number, 3)}
    exact["notional"] = (exact["price"][0] * exact["size"][0], 5)
    return pa.record_batch(
        {
            "timestamp": times(MIDNIGHT + number * HOUR + 1),
            "tick_rule": pa.array(np.where(number % 2, 1, -1), pa.int8()),
            **{n: amounts.column(amounts.from_ints(of), scale) for n, (of, scale) in exact.items()},
        }
    )


@pytest.fixture
def course():
    rows = {name: respelt(made(60), DOOR, name, count(first)) for name, first in SYMBOLS.items()}
    return Course(rows, MIDNIGHT, files, rest)


SYMBOLS = {"A": 1, "B": 101}


def files(course, day):
    for symbol in course.rows:
        yield f"{symbol}/{day}", str(ids(course.day(symbol, day))).encode()


def rest(course):
    return {"/last": lambda query: str(ids(course.past(query["symbol"]))[-1]).encode()}


def ids(rows):
    return [int(each) for each in rows["trade_id"].to_pylist()]


def test_each_row_is_told_once_as_its_time_comes(course):
    assert list(course.advance(MIDNIGHT)) == []
    assert [ids(rows) for rows in course.advance(MIDNIGHT + 2 * HOUR)] == [[1, 2], [101, 102]]
    assert list(course.advance(MIDNIGHT + 2 * HOUR)) == []
    assert [ids(rows) for rows in course.advance(MIDNIGHT + 3 * HOUR)] == [[3], [103]]


def test_time_does_not_go_back(course):
    list(course.advance(MIDNIGHT + 2 * HOUR))
    assert list(course.advance(MIDNIGHT)) == []
    assert course.now == MIDNIGHT + 2 * HOUR


def test_a_row_at_the_very_time_is_still_to_come(course):
    list(course.advance(MIDNIGHT + HOUR + 1))
    assert ids(course.past("A")) == [1]
    list(course.advance(MIDNIGHT + HOUR + 2))
    assert ids(course.past("A")) == [1, 2]
    assert ids(course.past("A", MIDNIGHT + HOUR)) == [2]
    assert ids(course.past("A", MIDNIGHT + 9 * HOUR)) == []


def test_what_should_come_out_is_told_whatever_the_time_is(course):
    rows = course.trades("B", MIDNIGHT + HOUR, MIDNIGHT + 3 * HOUR)
    assert isinstance(rows, pa.Table)
    assert ids(rows) == [102, 103]
    assert len(course.trades("B", 0, MIDNIGHT + 100 * HOUR)) == 60


def test_a_day_is_published_once_it_is_over_and_not_again(course):
    start = date(2023, 12, 31)
    assert [path for path, _ in course.published(start)] == ["A/2023-12-31", "B/2023-12-31"]
    list(course.advance(MIDNIGHT + 48 * HOUR - 10**9))
    found = dict(course.published(start))
    assert list(found) == ["A/2024-01-01", "B/2024-01-01"]
    assert found["A/2024-01-01"] == str([*range(1, 25)]).encode()
    assert list(course.published(start)) == []
    list(course.advance(MIDNIGHT + 48 * HOUR))
    assert [path for path, _ in course.published(start)] == ["A/2024-01-02", "B/2024-01-02"]


def test_an_answer_is_of_the_time_at_which_it_is_asked_for(course):
    last = course.answers()["/last"]
    list(course.advance(MIDNIGHT + 5 * HOUR))
    assert last({"symbol": "B"}) == b"105"


def test_an_exchange_may_have_neither_files_nor_rest(course):
    bare = Course(course.rows, MIDNIGHT + 30 * HOUR)
    assert list(bare.published(date(2024, 1, 1))) == []
    assert bare.answers() == {}


def test_trades_are_respelt_exactly_by_the_door(course):
    rows = respelt(made(3).slice(1), DOOR, "A", count(7, 2), grain=1000)
    assert rows.schema.equals(DOOR.schema, check_metadata=True)
    assert rows["received"].null_count == 2
    assert nanoseconds(rows["timestamp"]).tolist() == [MIDNIGHT + HOUR, MIDNIGHT + 2 * HOUR]
    names = ("exchange", "symbol", "trade_id", "tick_rule", "price", "size", "notional")
    first, _ = rows.select(names).to_pylist()
    said = ("shop", "A", "7", 1, "42.0100", "0.002000", "0.0840200000")
    assert tuple(map(str, first.values())) == tuple(map(str, said))


def test_an_amount_that_a_door_cannot_say_is_an_error():
    coarse = SimpleNamespace(exchange="shop", schema=schema("TRADE", Scales(1, 3)))
    with pytest.raises(pa.ArrowInvalid):
        respelt(made(3), coarse, "A", count(1))


def test_ids_that_are_no_numbers_are_the_same_again_and_differ_by_symbol():
    found = [respelt(made(60), DOOR, name, uuids(name))["trade_id"] for name in ("AB", "BA", "AB")]
    assert found[0] == found[2]
    assert len({*found[0].to_pylist(), *found[1].to_pylist()}) == 120
