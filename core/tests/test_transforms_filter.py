"""Filter keeps the significant ticks, and in the totals all that lies between them."""

from decimal import Decimal

import pyarrow as pa
import pytest

from werks.errors import ConfigError
from werks.schema import Scales, schema
from werks.testing.streams import DAY, Work, totals, trades
from werks.transforms.aggregate import Aggregate
from werks.transforms.filter import Filter

SECOND, MINUTE = 10**9, 60 * 10**9
NOON = 1_714_521_600 * 10**9 + DAY // 2
SCALES = Scales(1, 2)
OWN = ("tick_rule", "size", "notional", "ticks")
TOTALS = tuple(
    f"total_{what}{name}" for what in ("", "buy_") for name in ("size", "notional", "ticks")
)


def made(*given, start=NOON):
    """Return trades out of (seconds after noon, side, price, size) in the least units."""
    names = ("time", "tick_rule", "price", "size")
    rows = [dict(zip(names, (start + s * SECOND, *rest), strict=True)) for s, *rest in given]
    return trades(rows, SCALES)


def through(component, *batches):
    """Return all rows that come out, closed and open, as batches."""
    work = Work(component, batches[0].schema)
    work.push(*batches)
    return [*work.out, *work.step.flush()]


def listed(batches):
    return pa.Table.from_batches(batches).drop_columns(["timestamp", "received"]).to_pylist()


def segments(component, *batches):
    return listed(through(component, *batches))


def column(rows, name):
    return [row[name] for row in rows]


def test_the_example_that_the_ancestors_documented():
    """Two ticks, 566.6479 sold and 9,376.6869 bought in 4 fills: one row of a threshold of 1000.

    Both sums are the documented ones to all their digits; the prices of the fills within the sweep
    are not known, so such are taken as give them.
    """
    sold = [(5_706_401, 993_004)]
    bought = [(5_707_119, 5_000_000), (5_707_119, 215_806)]
    bought += [(5_707_120, 11_000_000), (5_707_120, 214_000)]
    rows = [
        {"time": NOON + (side > 0), "tick_rule": side, "price": price, "size": size}
        for side, fills in ((-1, sold), (1, bought))
        for price, size in fills
    ]
    ticks = through(Aggregate(), trades(rows, Scales(2, 8)))
    assert [f"{tick['notional']:.4f}" for tick in listed(ticks)] == ["566.6479", "9376.6869"]
    (row,) = segments(Filter(min_notional=Decimal(1000)), *ticks)
    assert row["price"] == row["high"] == Decimal("57071.2")
    assert row["low"] == row["open"] == Decimal("57064.01")
    assert row["total_notional"] == Decimal("9943.3348221518")
    assert row["total_buy_notional"] == row["notional"] == Decimal("9376.6869202914")
    assert (row["tick_rule"], row["ticks"]) == (1, 4)
    assert (row["total_ticks"], row["total_buy_ticks"]) == (5, 4)
    assert (row["trade_id"], row["last_trade_id"]) == ("1", "5")


def test_small_ticks_are_added_to_the_next_significant_one():
    rows = made((0, -1, 10, 100), (1, -1, 9, 100), (2, 1, 11, 100), (2, 1, 12, 100))
    (row,) = segments(Filter(min_notional=Decimal(2)), *through(Aggregate(), rows))
    assert [row[name] for name in OWN] == [1, 2, Decimal("2.3"), 2]
    assert [row[name] for name in TOTALS] == [4, Decimal("4.2"), 4, 2, Decimal("2.3"), 2]
    assert [row[name] for name in ("open", "high", "low", "price")] == [
        *(1, Decimal("1.2"), Decimal("0.9"), Decimal("1.2"))
    ]
    assert (row["trade_id"], row["last_trade_id"]) == ("1", "4")


def test_what_is_left_in_a_window_is_a_row_without_a_tick_of_its_own():
    rows = made((0, 1, 10, 200), (1, -1, 12, 1), (2, 1, 9, 1), (60, 1, 10, 1))
    big, left, _ = segments(Filter(min_size=Decimal(2)), rows)
    assert [big[name] for name in OWN] == [1, 2, 2, 1]
    assert [left[name] for name in OWN] == [None] * 4
    assert left["price"] == Decimal("0.9")
    assert (left["open"], left["high"], left["low"]) == (*[Decimal("1.2")] * 2, Decimal("0.9"))
    assert (left["total_size"], left["total_ticks"]) == (Decimal("0.02"), 2)
    assert (left["total_buy_size"], left["total_buy_ticks"]) == (Decimal("0.01"), 1)
    assert (left["trade_id"], left["last_trade_id"]) == ("2", "3")


def test_a_row_has_the_time_of_its_last_tick():
    rows = made((1, 1, 1, 1), (2, 1, 1, 1), (3, 1, 1, 500), (4, 1, 1, 1), (5, 1, 1, 1))
    work = Work(Filter(min_size=Decimal(5)), rows.schema)
    work.push(rows)
    assert work.closed()["timestamp"].to_pylist() == [NOON + 3 * SECOND]
    assert work.open()["timestamp"].to_pylist() == [NOON + 5 * SECOND]


def test_nothing_is_carried_over_a_window():
    rows = made((59, 1, 10, 1), (60, 1, 10, 500), (119, 1, 10, 1), (185, 1, 10, 500))
    found = segments(Filter(min_size=Decimal(5)), rows)
    assert column(found, "total_ticks") == [1, 1, 1, 1]
    assert column(found, "size") == [None, 5, None, 5]


def test_a_window_is_right_open():
    """A tick at exactly the boundary belongs to the next window."""
    rows = trades(
        [{"time": NOON + t, "price": 1, "size": 1} for t in (0, MINUTE - 1, MINUTE, MINUTE + 1)],
        SCALES,
    )
    assert column(segments(Filter(min_size=Decimal(9)), rows), "total_ticks") == [2, 2]


@pytest.mark.parametrize(
    ("window", "expected"), [("1s", [1] * 6), ("7m", [2, 1, 2, 1]), ("1h", [3, 3]), ("1d", [3, 3])]
)
def test_windows_are_counted_from_midnight(window, expected):
    """23:55 begins a window of 7 minutes that midnight ends after five."""
    midnight = NOON + DAY // 2
    minutes = (-7, -6, -5, 0, 6, 7)
    rows = trades([{"time": midnight + m * MINUTE, "price": 1, "size": 1} for m in minutes], SCALES)
    assert column(segments(Filter(min_size=Decimal(9), window=window), rows), "total_ticks") == (
        expected
    )


def test_a_tick_of_just_the_threshold_is_significant():
    rows = made((0, 1, 10, 199), (1, 1, 10, 200))
    assert column(segments(Filter(min_notional=Decimal(2)), rows), "notional") == [2]
    assert column(segments(Filter(min_notional=Decimal("2.0001")), rows), "notional") == [None]
    assert column(segments(Filter(min_size=Decimal(2)), rows), "size") == [2]


def test_significant_ticks_in_a_row_are_rows_of_their_own():
    found = segments(Filter(min_size=Decimal(1)), made(*[(n, 1, 10, 100 + n) for n in range(3)]))
    assert column(found, "total_size") == column(found, "size")
    assert column(found, "trade_id") == column(found, "last_trade_id") == ["1", "2", "3"]


def test_a_significant_tick_comes_out_at_once():
    rows = made((0, 1, 10, 1), (1, 1, 10, 500))
    work = Work(Filter(min_size=Decimal(5)), rows.schema)
    work.push(rows)
    assert len(work.closed()) == 1
    assert not len(work.open())


def test_what_is_left_comes_out_when_the_window_is_over():
    work = Work(Filter(min_size=Decimal(5)), schema("TRADE", SCALES))
    work.push(made((59, 1, 10, 1)))
    work.advance(NOON + MINUTE - 1)
    assert not len(work.closed())
    work.advance(NOON + MINUTE)
    assert work.closed()["total_ticks"].to_pylist() == [1]
    assert not len(work.open())


def test_filtered_rows_can_be_filtered_again():
    rows = made(
        *((0, 1, 10, 300), (1, -1, 14, 1), (2, 1, 8, 300), (3, -1, 10, 900), (4, 1, 11, 1)),
        *((61, 1, 10, 300), (70, -1, 15, 20)),
    )
    fine = through(Filter(min_size=Decimal(3)), rows)
    twice = segments(Filter(min_size=Decimal(9)), *fine)
    assert twice == segments(Filter(min_size=Decimal(9)), rows)
    assert column(twice, "size") == [9, None, None]
    assert column(twice, "total_ticks") == [4, 1, 2]
    assert column(twice, "high") == [Decimal("1.4"), Decimal("1.1"), Decimal("1.5")]
    assert column(twice, "low") == [Decimal("0.8"), Decimal("1.1"), 1]


def test_a_row_without_a_tick_of_its_own_is_never_significant():
    """The totals of such a row may well be above the threshold."""
    rows = made(*[(n, 1, 10, 100) for n in range(5)])
    fine = through(Filter(min_size=Decimal(2), window="3s"), rows)
    assert column(listed(fine), "total_size") == [3, 2]
    assert column(segments(Filter(min_size=Decimal(2)), *fine), "size") == [None]


def test_totals_are_the_same_at_every_level():
    rows = made(
        *[(n * 7 % 90 + n, 1 - n % 3, 900 + n * n % 77, 1 + n**5 % 1009) for n in range(90)]
    )
    rows = rows.take(pa.compute.sort_indices(rows["timestamp"]))
    ticks = through(Aggregate(), rows)
    fine = through(Filter(min_size=Decimal(2)), *ticks)
    coarse = through(Filter(min_notional=Decimal(800), window="1h"), *fine)
    expected = totals([rows], rows.schema)
    assert all(totals(level, level[0].schema) == expected for level in (ticks, fine, coarse))
    assert len(rows) > sum(map(len, fine)) > sum(map(len, coarse)) > 2


def test_off_book_rows_are_left_out():
    flags = ("off_book", None, "off_book", "block")
    rows = [{"time": NOON, "price": 5 + n, "size": 100, "flag": f} for n, f in enumerate(flags)]
    (row,) = segments(Filter(min_size=Decimal(9)), trades(rows, SCALES))
    assert (row["trade_id"], row["last_trade_id"], row["total_ticks"]) == ("2", "4", 2)
    assert row["total_size"] == 2


def test_bars_cannot_be_filtered():
    with pytest.raises(
        ConfigError, match=r"^filter takes TRADE, TICK, SIGNIFICANT and not BAR of x"
    ):
        Filter(min_size=Decimal(1)).output({"x": schema("BAR", SCALES)})
