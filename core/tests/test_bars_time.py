"""Bars by the clock: what opens them, where they end, and what is filled in between."""

import itertools
import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pyarrow as pa
import pytest
from hypothesis import given, settings

from werks.schema import Scales, schema
from werks.testing.streams import DAY, Work, difference, nanosecond, streams, totals, trades
from werks.transforms.aggregate import Aggregate
from werks.transforms.bars import Bars
from werks.transforms.filter import Filter

often = settings(max_examples=7 * settings.default.max_examples)
SECOND, MINUTE, HOUR = 10**9, 60 * 10**9, 3600 * 10**9
SCALES = Scales(1, 2)
MIDNIGHT = 1_714_521_600 * 10**9  # 2024-05-01, a Wednesday
MINUTES = Bars(by="time", every="1m")
FILLED = Bars(by="time", every="1m", empty="carry")


def at(*given_, step=SECOND):
    """Return trades out of (steps after midnight, price[, size, side]) in the least units."""
    rows = []
    for after, price, *rest in given_:
        size, side = rest or (1, 1)
        time = MIDNIGHT + after * step
        rows.append({"time": time, "price": price, "size": size, "tick_rule": side})
    return trades(rows, SCALES)


def bars(component, *batches, until=None):
    """Return all bars as dicts, those that are open too."""
    work = Work(component, batches[0].schema)
    work.push(*batches)
    if until is not None:
        work.advance(until)
    return [*work.closed().to_pylist(), *work.open().to_pylist()]


def column(rows, name):
    return [row[name] for row in rows]


def begins(found):
    """Return the bars' starts as seconds after midnight."""
    return [(row["timestamp"] - MIDNIGHT) // SECOND for row in found]


def day(moment):
    return str(datetime.fromtimestamp(moment // SECOND, UTC))[:10]


def test_a_bar_holds_what_was_traded_in_its_minute():
    rows = at((10, 1000, 5, 1), (20, 1030, 7, -1), (30, 990, 2, 0), (40, 1010, 3, 1))
    (bar,) = bars(MINUTES, rows, until=MIDNIGHT + MINUTE)
    assert bar == {
        "exchange": "bazaar",
        "symbol": "XBTUSD",
        "timestamp": MIDNIGHT,
        "end": MIDNIGHT + MINUTE,
        "open": 100,
        "high": 103,
        "low": 99,
        "close": 101,
        "volume": Decimal("0.17"),
        "notional": Decimal("17.220"),
        "buy_volume": Decimal("0.08"),
        "buy_notional": Decimal("8.030"),
        "ticks": 4,
        "buy_ticks": 2,
        "realized_variance": bar["realized_variance"],
        "first_trade_id": "1",
        "last_trade_id": "4",
        "complete": True,
    }


def test_open_is_the_first_trade_and_never_the_close_before():
    found = bars(MINUTES, at((50, 1000), (70, 1200), (130, 900)))
    assert column(found, "open") == [100, 120, 90]
    assert column(found, "close") == [100, 120, 90]


def test_a_trade_at_the_border_belongs_to_the_next_bar():
    rows = at((0, 1), (MINUTE - 1, 2), (MINUTE, 3), (MINUTE + 1, 4), step=1)
    found = bars(MINUTES, rows)
    assert begins(found) == [0, 60]
    assert column(found, "ticks") == [2, 2]
    assert column(found, "end") == [MIDNIGHT + MINUTE, MIDNIGHT + 2 * MINUTE]


def test_a_bar_is_open_until_its_window_is_over():
    work = Work(MINUTES, schema("TRADE", SCALES))
    work.push(at((10, 1000)))
    work.advance(MIDNIGHT + MINUTE - 1)
    assert not len(work.closed())
    assert work.open()["complete"].to_pylist() == [False]
    work.advance(MIDNIGHT + MINUTE)
    assert work.closed()["complete"].to_pylist() == [True]
    assert not len(work.open())


def test_minutes_without_a_trade_are_left_out():
    assert begins(bars(MINUTES, at((10, 1), (300, 1)))) == [0, 300]


@pytest.mark.parametrize(
    ("every", "seconds", "expected", "lengths"),
    [
        ("1s", (0, 1, 3), (0, 1, 3), (1, 1, 1)),
        ("4h", (3600, 14_400, 86_399), (0, 14_400, 72_000), (14_400,) * 3),
        ("7m", (0, 420, 86_399, 86_400), (0, 420, 86_100, 86_400), (420, 420, 300, 420)),
        ("5h", (86_399, 86_400), (72_000, 86_400), (14_400, 18_000)),
        ("1d", (86_399, 86_400), (0, 86_400), (86_400, 86_400)),
        ("24h", (86_399, 86_400), (0, 86_400), (86_400, 86_400)),
    ],
)
def test_windows_are_counted_from_midnight(every, seconds, expected, lengths):
    """A width that does not divide a day ends its last window at midnight."""
    found = bars(Bars(by="time", every=every), at(*((second, 1) for second in seconds)))
    assert begins(found) == list(expected)
    assert [(row["end"] - row["timestamp"]) // SECOND for row in found] == list(lengths)


@pytest.mark.parametrize("every", ["7d", "1w"])
def test_a_week_begins_on_monday(every):
    (bar,) = bars(Bars(by="time", every=every), at((0, 1)))
    assert (day(bar["timestamp"]), day(bar["end"])) == ("2024-04-29", "2024-05-06")


@pytest.mark.parametrize("every", ["2d", "3d", "5d"])
def test_several_days_follow_each_other_without_a_hole(every):
    found = bars(Bars(by="time", every=every), at(*((n * 86_400, 1) for n in range(40))))
    assert all(one["end"] == other["timestamp"] for one, other in itertools.pairwise(found))
    monday = datetime(2024, 4, 29, tzinfo=UTC)
    weeks = (datetime.fromtimestamp(found[0]["timestamp"] // SECOND, UTC) - monday) / timedelta(1)
    anchor = datetime(1970, 1, 5, tzinfo=UTC)
    assert (monday + timedelta(weeks) - anchor).days % int(every[0]) == 0


@often
@given(streams(SCALES))
def test_coarse_bars_are_fine_ones_folded(rows):
    fine, coarse = (bars(Bars(by="time", every=every), rows) for every in ("7m", "1d"))
    for bar in coarse:
        group = [row for row in fine if bar["timestamp"] <= row["timestamp"] < bar["end"]]
        assert bar["open"] == group[0]["open"]
        assert bar["close"] == group[-1]["close"]
        assert bar["high"] == max(column(group, "high"))
        assert bar["low"] == min(column(group, "low"))
        for name in ("ticks", "buy_ticks", "volume", "notional", "buy_volume", "buy_notional"):
            assert bar[name] == sum(map(Fraction, column(group, name))), name
        assert bar["first_trade_id"] == group[0]["first_trade_id"]
        assert bar["last_trade_id"] == group[-1]["last_trade_id"]
    assert len(fine) >= len(coarse)


@often
@given(streams(Scales(2, 8)))
def test_ticks_give_the_bars_that_trades_give(rows):
    """In every column but the realized variance, which knows of fewer prices."""
    ticks = Work(Aggregate(), rows.schema)
    ticks.push(rows)
    given_ = [*ticks.out, *ticks.step.flush()]
    one = Work(MINUTES, rows.schema)
    one.push(rows)
    other = Work(MINUTES, ticks.schema)
    other.push(*given_)
    for each in ("closed", "open"):
        tables = [getattr(work, each)().drop_columns("realized_variance") for work in (one, other)]
        assert not difference(*tables)


@often
@given(streams(Scales(2, 8)))
def test_filtered_rows_give_the_sums_that_trades_give(rows):
    """Bars read the totals, whatever was significant; the minute's first open is kept."""
    fine = Work(Filter(min_size=Decimal("0.1")), rows.schema)
    fine.push(rows)
    found = bars(MINUTES, *fine.out, *fine.step.flush(), rows_of(fine))
    expected = bars(MINUTES, rows)
    for name in set(expected[0] if expected else ()) - {"realized_variance"}:
        assert column(found, name) == column(expected, name), name


def rows_of(work):
    """Return an empty batch of what a transform gives."""
    return pa.RecordBatch.from_arrays(
        [pa.array([], f.type) for f in work.schema], schema=work.schema
    )


def test_off_book_rows_are_left_out():
    rows = [
        {"time": MIDNIGHT + n, "price": 9 - n, "size": 1, "flag": flag}
        for n, flag in enumerate(("off_book", "block", "off_book", None))
    ]
    (bar,) = bars(MINUTES, trades(rows, SCALES))
    assert (bar["open"], bar["ticks"]) == (Decimal("0.8"), 2)
    assert (bar["first_trade_id"], bar["last_trade_id"]) == ("2", "4")


class TestVariance:
    def variance(self, *prices, size=1):
        (bar,) = bars(
            Bars(by="time", every="1d"), at(*((n, price) for n, price in enumerate(prices)))
        )
        return bar["realized_variance"]

    def test_one_price_has_none(self):
        assert self.variance(1000) == self.variance(1000, 1000, 1000) == 0

    def test_it_is_the_sum_of_squared_log_returns(self):
        expected = math.log(1.01) ** 2 + math.log(990 / 1010) ** 2 + math.log(1000 / 990) ** 2
        found = self.variance(1000, 1010, 1010, 990, 1000)
        assert float(found) == pytest.approx(expected, rel=1e-12)
        assert -found.as_tuple().exponent == 18

    @pytest.mark.parametrize("factor", [2, 21, 10**6, 10**18, 3 * 10**19])
    def test_a_deep_fall_is_as_long_as_the_way_back(self, factor):
        assert self.variance(1, factor) == self.variance(factor, 1)
        assert float(self.variance(factor, 1)) == pytest.approx(math.log(factor) ** 2, rel=1e-12)

    def test_a_price_that_is_not_above_0_counts_for_nothing(self):
        expected = math.log(2) ** 2
        assert float(self.variance(1000, 0, 1000, 2000)) == pytest.approx(expected, rel=1e-12)
        assert float(self.variance(1000, 2000, -5)) == pytest.approx(expected, rel=1e-12)

    def test_returns_from_bar_to_bar_are_in_neither(self):
        found = bars(MINUTES, at((10, 1000), (70, 2000)))
        assert column(found, "realized_variance") == [0, 0]

    def test_returns_from_batch_to_batch_are_in_it(self):
        rows = at((10, 1000), (20, 2000))
        (one,), (other,) = bars(MINUTES, rows), bars(MINUTES, rows.slice(0, 1), rows.slice(1))
        assert one["realized_variance"] == other["realized_variance"] > 0


class TestFilled:
    def test_a_minute_without_a_trade_has_a_flat_bar(self):
        found = bars(FILLED, at((10, 1000, 5, 1), (20, 1030, 5, 1), (200, 990, 5, 1)))
        assert begins(found) == [0, 60, 120, 180]
        flat = found[1]
        assert [flat[name] for name in ("open", "high", "low", "close")] == [103] * 4
        nothing = ("volume", "notional", "buy_volume", "buy_notional", "ticks", "buy_ticks")
        assert [flat[name] for name in (*nothing, "realized_variance")] == [0] * 7
        assert flat["first_trade_id"] is flat["last_trade_id"] is None
        assert flat["end"] == MIDNIGHT + 2 * MINUTE
        assert column(found, "complete") == [True, True, True, False]
        assert (flat["exchange"], flat["symbol"]) == ("bazaar", "XBTUSD")

    def test_nothing_is_filled_before_the_first_trade(self):
        assert begins(bars(FILLED, at((190, 1)))) == [180]

    @pytest.mark.parametrize("price", [2**63 - 1, 2**63, 2**64 - 1, 2**64, 3 * 2**64 + 1])
    def test_a_flat_bar_has_the_close_however_high_it_is(self, price):
        found = bars(FILLED, at((10, price), (200, 1)))
        assert [bar["close"] * 10 for bar in found] == [price, price, price, 1]

    def test_flat_bars_reach_up_to_the_time(self):
        until = MIDNIGHT + 4 * MINUTE
        assert begins(bars(FILLED, at((10, 1)), until=until - 1)) == [0, 60, 120]
        assert begins(bars(FILLED, at((10, 1)), until=until)) == [0, 60, 120, 180]

    def test_each_flat_bar_comes_once(self):
        work = Work(FILLED, schema("TRADE", SCALES))
        work.push(at((10, 1000)))
        for seconds in (90, 130, 130, 200, 10, 250):
            work.advance(MIDNIGHT + seconds * SECOND)
            work.resume()
        work.push(at((400, 1000)))
        assert begins(work.closed().to_pylist()) == [0, 60, 120, 180, 240, 300]
        assert begins(work.open().to_pylist()) == [360]

    def test_flat_bars_before_the_open_one_do_not_wait_for_it(self):
        work = Work(FILLED, schema("TRADE", SCALES))
        work.push(at((10, 1000), (190, 1000)))
        assert begins(work.closed().to_pylist()) == [0, 60, 120]

    def test_whole_days_are_filled_over_batches(self):
        hours = Bars(by="time", every="5h", empty="carry")
        rows = at((1, 1000), (2 * 86_400 + 40_000, 900))
        found = bars(hours, rows.slice(0, 1), rows.slice(1), until=MIDNIGHT + 3 * DAY)
        days = [n * 86_400 + n5 for n in range(3) for n5 in range(0, 86_400, 18_000)]
        assert begins(found) == days
        assert column(found, "close") == [100] * 12 + [90] * 3
        assert column(found, "ticks") == [1, *[0] * 11, 1, 0, 0]

    @pytest.mark.parametrize("every", ["2d", "1w"])
    def test_windows_of_several_days_are_filled(self, every):
        component = Bars(by="time", every=every, empty="carry")
        found = bars(component, at((1, 1000), (30 * 86_400, 900)), until=MIDNIGHT + 60 * DAY)
        assert all(one["end"] == two["timestamp"] for one, two in itertools.pairwise(found))
        assert (
            found[-1]["end"] <= MIDNIGHT + 60 * DAY < 2 * found[-1]["end"] - found[-1]["timestamp"]
        )
        assert sum(column(found, "ticks")) == 2

    def test_nothing_is_filled_across_a_gap(self):
        work = Work(FILLED, schema("TRADE", SCALES))
        work.push(at((10, 1000)))
        work.advance(MIDNIGHT + MINUTE)
        work.cut()
        work.advance(MIDNIGHT + 3 * MINUTE)
        work.push(at((310, 1000), (430, 1000)))
        assert begins(work.closed().to_pylist()) == [0, 300, 360]

    @pytest.mark.parametrize("by_time", [True, False])
    def test_nothing_is_filled_after_a_bar_that_a_gap_tore(self, by_time):
        work = Work(FILLED, schema("TRADE", SCALES))
        work.push(at((10, 1000)))
        work.cut()
        work.resume()
        if by_time:
            work.advance(MIDNIGHT + 3 * MINUTE)
        work.push(at((310, 1000), (430, 1000)))
        found = [*work.closed().to_pylist(), *work.open().to_pylist()]
        assert begins(found) == [0, 300, 360, 420]
        assert column(found, "complete") == [False, True, True, False]

    def test_filling_goes_on_after_a_gap_within_a_bar(self):
        work = Work(FILLED, schema("TRADE", SCALES))
        work.push(at((10, 1000)))
        work.cut()
        work.push(at((20, 1000), (190, 1000)))
        assert begins(work.closed().to_pylist()) == [0, 60, 120]
        assert work.closed()["complete"].to_pylist() == [False, True, True]


class TestGap:
    def test_a_bar_of_the_clock_runs_across_and_is_marked(self):
        work = Work(Bars(by="time", every="3d"), schema("TRADE", SCALES))
        work.push(at((10, 1000)))
        work.cut()
        assert not len(work.closed())
        work.resume()
        work.push(at((86_400, 1100)))
        work.advance(MIDNIGHT + 9 * DAY)
        (bar,) = work.closed().to_pylist()
        assert (bar["open"], bar["close"], bar["ticks"]) == (100, 110, 2)
        assert bar["complete"] is False

    def test_the_bars_after_it_are_complete(self):
        work = Work(MINUTES, schema("TRADE", SCALES))
        work.push(at((10, 1000)))
        work.cut()
        work.push(at((70, 1000), (130, 1000)))
        assert work.closed()["complete"].to_pylist() == [False, True]

    def test_without_an_open_bar_nothing_is_marked(self):
        work = Work(MINUTES, schema("TRADE", SCALES))
        work.cut()
        work.push(at((10, 1000), (70, 1000)))
        assert work.closed()["complete"].to_pylist() == [True]


@often
@given(streams(SCALES))
def test_filling_adds_nothing_to_the_sums(rows):
    hours = Bars(by="time", every="6h", empty="carry")
    work = Work(hours, rows.schema)
    work.push(rows)
    work.advance(nanosecond(rows, -1) + 3 * DAY)
    assert totals(work.out, work.schema) == totals([rows], rows.schema)
    found = work.closed().to_pylist()
    assert all(one["end"] == two["timestamp"] for one, two in itertools.pairwise(found))


@pytest.mark.parametrize(
    ("component", "seam"),
    [
        (MINUTES, "day"),
        (Bars(by="time", every="7m"), "day"),
        (Bars(by="time", every="1d"), "day"),
        (Bars(by="time", every="2d"), "never"),
        (FILLED, "never"),
    ],
)
def test_the_seam_is_midnight_where_nothing_crosses_it(component, seam):
    assert component.seam == seam
