"""Pages that overlap, repeat and cut become one stream: every row once, in order."""

from decimal import Decimal
from typing import Any

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from werks.errors import DataError, MessageError
from werks.history import _ROWS, Pages, Span
from werks.schema import Scales, batch, nanoseconds, schema, times, word

TRADE, CANDLE = (schema(kind, Scales(2, 4)) for kind in ("TRADE", "CANDLE"))
END = 1 << 40


def _page(*rows):
    """Return trades out of (time, id)."""
    stamps, ids = [time for time, _ in rows], [str(ident) for _, ident in rows]
    columns = {"timestamp": times(np.array(stamps, np.int64)), "trade_id": ids}
    columns |= {"tick_rule": [1] * len(rows)}
    columns |= dict.fromkeys(("price", "size", "notional"), [Decimal(1)] * len(rows))
    return batch(TRADE, exchange=word("x", len(rows)), symbol=word("A", len(rows)), **columns)


def _candles(*starts):
    stamps = times(np.array(starts, np.int64))
    fixed = {"exchange": word("x", len(starts)), "symbol": word("A", len(starts))}
    return batch(CANDLE, **fixed, timestamp=stamps)


@attrs.define
class Door:
    """A door whose pages are given; it takes note of what it is asked for."""

    pages: Any
    continuity: str = "contiguous"
    schema: Any = TRADE
    asked: list[Any] = attrs.field(factory=list)
    given: int = 0

    def read(self, http, symbol, after, until):
        self.asked.append((symbol, after, until))
        for number, page in enumerate(self.pages, 1):
            self.given += 1
            yield page, f"c{number}"


def _read(*pages, start=0, stop=END, cursor=None, **door):
    """Return the pages' door, the reading, and (time, id) of what comes out of it."""
    source = Door(pages, **door)
    reading = Pages(source, None, Span("A", start, stop, cursor), "x A")
    found = [row for rows in reading for row in _plain(rows)]
    return source, reading, found


def _plain(rows):
    ids = rows["trade_id"].to_pylist() if "trade_id" in rows.schema.names else [""] * len(rows)
    numbers = [int(ident) if ident else 0 for ident in ids]
    return list(zip(nanoseconds(rows["timestamp"]).tolist(), numbers, strict=True))


def _rows(*rows, **how):
    return _read(*rows, **how)[2]


ONE, TWO, THREE = [(1, 1), (2, 2), (2, 3)], [(2, 4), (3, 5)], [(4, 6)]


def test_pages_that_join_are_one_stream():
    assert _rows(_page(*ONE), _page(*TWO), _page(*THREE)) == [*ONE, *TWO, *THREE]


def test_pages_that_overlap_give_each_row_once():
    _, reading, found = _read(_page(*ONE), _page(*ONE[1:], *TWO), _page(*TWO[1:], *THREE))
    assert found == [*ONE, *TWO, *THREE]
    assert reading.repeats == 3


def test_a_page_that_is_repeated_adds_nothing():
    _, reading, found = _read(_page(*ONE), _page(*ONE), _page(*TWO), _page(*THREE))
    assert found == [*ONE, *TWO, *THREE]
    assert reading.repeats == 3


def test_rows_that_a_page_has_twice_come_once():
    _, reading, found = _read(_page((1, 1), (1, 1), (2, 2)), _page((2, 2)))
    assert (found, reading.repeats) == ([(1, 1), (2, 2)], 2)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_rows_of_one_time_over_many_pages_are_all_there(size):
    rows = [(5, ident) for ident in range(1, 12)]
    pages = [_page(*rows[at : at + size]) for at in range(0, len(rows), size)]
    assert _rows(_page((1, 0)), *pages, _page((6, 12))) == [(1, 0), *rows, (6, 12)]


def test_rows_of_one_time_are_put_in_the_order_of_their_ids():
    pages = _page((1, 1), (5, 9), (5, 10)), _page((5, 8), (5, 7), (6, 11))
    assert _rows(*pages) == [(1, 1), (5, 7), (5, 8), (5, 9), (5, 10), (6, 11)]


def test_rows_without_numbers_stay_where_they_were():
    pages = _page((1, 1), (5, 9), (5, 10)), _page((5, 8), (6, 11))
    assert _rows(*pages, continuity="unique") == [(1, 1), (5, 9), (5, 10), (5, 8), (6, 11)]


def test_a_page_that_is_newest_first_is_turned_round():
    assert _rows(_page(*ONE[::-1]), _page(*TWO[::-1])) == [*ONE, *TWO]


@pytest.mark.parametrize("unit", [1000, 1])
def test_a_page_out_of_order_is_named(unit):
    pages = (_page(*((time * unit, ident) for time, ident in each)) for each in (ONE, THREE, TWO))
    with pytest.raises(DataError, match=r"^x A: the row of 1970.* \(id 4\) comes after later ones"):
        _rows(*pages)


def test_one_id_at_two_times_is_two_rows():
    assert _rows(_page((1, 1)), _page((2, 1))) == [(1, 1), (2, 1)]


def test_an_id_that_is_no_number_is_an_error_where_ids_are_numbers():
    page = _page((1, "one"), (2, "two"))
    with pytest.raises(DataError, match="x A: a trade id is not a whole number"):
        _rows(page)
    reading = Pages(Door([page], "unique"), None, Span("A", 0, END), "x A")
    assert [rows["trade_id"].to_pylist() for rows in reading] == [["one", "two"]]


def test_candles_are_told_apart_by_their_times():
    pages = _candles(60, 120), _candles(120, 180), _candles(240)
    told = _rows(*pages, continuity="none", schema=CANDLE)
    assert [time for time, _ in told] == [60, 120, 180, 240]


def test_a_span_is_what_is_asked_for():
    assert _read(_page(*ONE), start=2, stop=3)[0].asked == [("A", 2, 3)]
    assert _read(_page(*ONE), start=2, stop=3, cursor="c9")[0].asked == [("A", "c9", 3)]


def test_rows_before_and_behind_the_span_are_left_out():
    _, reading, found = _read(_page(*ONE), _page(*TWO), _page(*THREE), start=2, stop=3)
    assert found == [(2, 2), (2, 3), (2, 4)]
    assert reading.before == "1"


def test_the_id_before_the_span_is_the_last_one():
    pages = _page((1, 1), (2, 2)), _page((2, 2), (2, 3)), _page((3, 4))
    assert _read(*pages, start=3)[1].before == "3"
    assert _read(*pages, start=1)[1].before is None


def test_reading_stops_with_the_page_that_goes_beyond():
    source, reading, found = _read(_page(*ONE), _page(*TWO), _page(*THREE), stop=3)
    assert found == [*ONE, (2, 4)]
    assert (source.given, reading.resume) == (2, "c1")


def test_what_is_left_to_go_on_from_has_all_that_follows():
    pages = _page(*ONE), _page(*TWO), _page(*THREE)
    assert _read(*pages)[1].resume == "c3"
    assert _read(*pages, stop=2)[1].resume is None
    assert _read(*pages, stop=2, cursor="c0")[1].resume == "c0"


def test_an_empty_span_and_an_empty_past_give_nothing():
    assert _rows() == _rows(_page()) == []
    assert _rows(_page(*ONE), start=2, stop=2) == []


def test_an_exchange_that_goes_round_in_a_circle_is_named():
    source = Door([_page(*ONE)] * 50)
    reading = Pages(source, None, Span("A", 0, END), "x A")
    with pytest.raises(MessageError, match=r"^x A: .*pages without a new row.*repeats itself"):
        list(reading)
    assert source.given < 10


def test_pages_without_rows_are_a_quiet_time_and_no_circle():
    quiet = [_page()] * 20
    assert _rows(_page(*ONE), *quiet, _page(*TWO)) == [*ONE, *TWO]


def test_pages_before_the_span_are_no_circle():
    early = [_page((time, time)) for time in range(1, 20)]
    assert _rows(*early, _page((50, 50)), start=40) == [(50, 50)]


def test_a_quiet_page_does_not_make_it_forget_what_it_has_seen():
    pages = _page((1, 1), (2, 2), (2, 3)), _page(), _page((2, 2), (2, 3), (3, 4))
    assert _rows(*pages) == [(1, 1), (2, 2), (2, 3), (3, 4)]


def test_small_pages_come_as_large_batches():
    many = [_page(*[(1000 * n + k, 1000 * n + k) for k in range(1000)]) for n in range(70)]
    reading = Pages(Door(many), None, Span("A", 0, END), "x A")
    sizes = [len(rows) for rows in reading]
    assert sum(sizes) == 70_000
    assert all(_ROWS <= size < _ROWS + 1001 for size in sizes[:-1])
    assert len(sizes) == 3


def test_rows_come_before_all_pages_are_read():
    rows = [[(_ROWS * n + k, _ROWS * n + k) for k in range(_ROWS)] for n in range(4)]
    source = Door(_page(*each) for each in rows)
    reading = iter(Pages(source, None, Span("A", 0, END), "x A"))
    next(reading)
    assert source.given < 4


@st.composite
def _walks(draw):
    """Draw rows of a stream and pages of it that overlap as exchanges' pages do."""
    steps = draw(st.lists(st.integers(0, 2), min_size=1, max_size=30))
    rows = [(time, ident) for ident, time in enumerate(np.cumsum([1, *steps]).tolist())]
    pages, end = [], 0
    while end < len(rows):
        back = draw(st.integers(0, len(pages[-1]) - 1 if pages else 0))
        begin, end = max(0, end - back), end + draw(st.integers(1, 6))
        pages.append(rows[begin:end])
    return rows, [page for page in pages for _ in range(draw(st.integers(1, 2)))]


@given(_walks(), st.data())
def test_every_row_of_the_span_comes_once(walk, data):
    rows, pages = walk
    start, stop = sorted(data.draw(st.tuples(st.integers(0, 40), st.integers(0, 40))))
    if start >= stop:
        return
    wanted = [row for row in rows if start <= row[0] < stop]
    assert _rows(*(_page(*page) for page in pages), start=start, stop=stop) == wanted


@given(_walks(), st.integers(1, 40))
def test_two_spans_are_one(walk, middle):
    rows, pages = walk
    made = [_page(*page) for page in pages]
    _, reading, first = _read(*made, stop=middle)
    behind = int(reading.resume[1:]) if reading.resume else 0
    assert first + _rows(*made[behind:], start=middle) == rows
