"""What a client of a feed is told by an exchange's words, in their order."""

from types import SimpleNamespace

import pyarrow as pa
import pytest

from werks.testing import Venue, WordsTests, told
from werks.testing.tape import by_name, candles


class Shop:
    """Words that repeat what they are told."""

    def __init__(self, venue):
        self.on = []

    def opened(self, path):
        return f"at {path}"

    def said(self, text):
        self.on.append(text)
        yield f"on {text}"

    def trades(self, rows):
        return None if str(rows["symbol"][0]) not in self.on else f"{len(rows)} rows"


def talk(http, symbols):
    return SimpleNamespace(opened=lambda: iter(symbols))


DOOR = SimpleNamespace(url="wss://shop.example:9/live?unit=us", converse=talk)


def rows(symbol, count):
    return pa.record_batch({"symbol": pa.array([symbol] * count), "n": pa.array(range(count))})


def test_answers_are_apart_from_what_is_said_of_rows():
    answers, said = told(Shop(Venue()), DOOR, ["A", "B"], [rows("A", 2), rows("C", 1)])
    assert answers == ["at /live?unit=us", "on A", "on B"]
    assert said == ["2 rows"]


class Made(WordsTests):
    door, words, markets, begin, step, parts = DOOR, Shop, ("A", "B"), 100, 5, 2

    def make(self, symbol):
        return rows(symbol, {"A": 4, "B": 6}[symbol])


def given(kit, name, *more):
    """Return what a fixture of a kit gives."""
    return getattr(type(kit), name).__wrapped__(kit, *more)


@pytest.fixture
def spoken():
    return given(Made(), "spoken")


def test_rows_are_told_by_turns_and_frames_come_at_equal_steps(spoken):
    said = ["2 rows", "3 rows"] * 2
    frames = given(Made(), "frames", spoken)
    assert frames == [(text, 100 + 5 * n) for n, text in enumerate(said)]
    assert given(Made(), "acks", spoken) == spoken[0]
    assert len(given(Made(), "expected")) == 10


def test_without_rows_nothing_is_expected():
    class Bare(Made):
        def make(self, symbol):
            return None

    assert given(Bare(), "spoken") == (["at /live?unit=us", "on A", "on B"], [])
    assert given(Bare(), "expected") is None


def test_candles_are_of_the_times_that_have_trades():
    trades = [(0, "1", 1, 5, 2), (9, "2", 1, 7, 1), (9, "3", -1, 4, 1), (31, "4", 1, 6, 3)]
    assert candles(trades, 10) == [(0, 5, 7, 4, 4, 4), (30, 6, 6, 6, 6, 3)]


def test_rows_by_name_have_exact_times_and_amounts_as_they_are_spelt():
    made = pa.record_batch(
        {
            "timestamp": pa.array([1_704_067_200_000_000_001], pa.timestamp("ns", "UTC")),
            "price": pa.array(["1.50"]).cast(pa.decimal128(38, 2)),
        }
    )
    assert by_name(made, spelt=True) == [{"timestamp": 1_704_067_200_000_000_001, "price": "1.50"}]
    assert f"{by_name(made)[0]['price']:f}" == "1.50"
