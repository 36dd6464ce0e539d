"""Bars by ticks, volume or notional: what closes them, what cuts them off."""

from decimal import Decimal

import pytest

from werks.errors import ConfigError
from werks.schema import Scales, schema
from werks.testing.streams import DAY, Work, trades
from werks.transforms.aggregate import Aggregate
from werks.transforms.bars import Bars
from werks.transforms.filter import Filter

SECOND = 10**9
SCALES = Scales(1, 2)
WEDNESDAY = 1_714_521_600 * 10**9  # 2024-05-01


def sized(*sizes, price=10, start=WEDNESDAY):
    """Return trades of these sizes in least units, a second apart."""
    rows = [
        {"time": start + n * SECOND, "price": price, "size": size} for n, size in enumerate(sizes)
    ]
    return trades(rows, SCALES)


def on_days(*given):
    """Return trades of (day since Wednesday, size in least units), a second apart."""
    rows = [
        {"time": WEDNESDAY + day * DAY + n * SECOND, "price": 10, "size": size}
        for n, (day, size) in enumerate(given)
    ]
    return trades(rows, SCALES)


def through(component, *batches):
    work = Work(component, batches[0].schema)
    work.push(*batches)
    return work


def bars(component, *batches):
    work = through(component, *batches)
    return [*work.closed().to_pylist(), *work.open().to_pylist()]


def column(rows, name):
    return [row[name] for row in rows]


def volumes(component, *batches):
    """Return each bar's volume in least units, and whether it is complete."""
    return [(int(row["volume"] * 100), row["complete"]) for row in bars(component, *batches)]


def volume(every="0.10", **options):
    return Bars(by="volume", every=Decimal(every), **options)


def test_a_bar_closes_with_the_row_that_reaches_the_threshold():
    assert volumes(volume(), sized(4, 5, 1, 9, 1, 3)) == [(10, True), (10, True), (3, False)]


def test_a_row_is_never_split_and_the_count_starts_from_nothing():
    assert volumes(volume(), sized(9, 9, 9, 9, 2)) == [(18, True), (18, True), (2, False)]


def test_carried_what_is_beyond_the_threshold_counts_for_the_next_bar():
    """9+9 leaves 8; 8+9 leaves 7; 7+9 leaves 6; 6+2 is still open."""
    found = volumes(volume(overshoot="carry"), sized(9, 9, 9, 9, 2))
    assert found == [(18, True), (9, True), (9, True), (2, False)]


def test_a_row_of_several_thresholds_is_one_bar():
    assert volumes(volume(), sized(35, 4, 6)) == [(35, True), (10, True)]


def test_carried_it_closes_the_bars_after_it_early():
    """35 leaves 25, which with 1 leaves 16, with 1 leaves 7; 7+1+2 closes and leaves nothing."""
    found = volumes(volume(overshoot="carry"), sized(35, 1, 1, 1, 2, 9))
    assert found == [(35, True), (1, True), (1, True), (3, True), (9, False)]


@pytest.mark.parametrize("overshoot", ["absorb", "carry"])
def test_the_cut_of_batches_does_not_matter_to_the_count(overshoot):
    rows = sized(9, 35, 1, 1, 4, 9, 9, 9, 2)
    pieces = [rows.slice(place, 1) for place in range(len(rows))]
    component = volume(overshoot=overshoot)
    assert volumes(component, *pieces) == volumes(component, rows)


def test_a_bar_is_known_by_the_times_of_its_trades():
    one, other = bars(volume(), sized(4, 6, 1, 1))
    assert (one["timestamp"], one["end"]) == (WEDNESDAY, WEDNESDAY + SECOND)
    assert (other["timestamp"], other["end"]) == (WEDNESDAY + 2 * SECOND, WEDNESDAY + 3 * SECOND)


def test_open_is_the_first_trade_and_never_the_close_before():
    rows = trades(
        [{"time": WEDNESDAY, "price": price, "size": 10} for price in (10, 20, 30)], SCALES
    )
    assert column(bars(volume(), rows), "open") == [1, 2, 3]


def test_ticks_count_the_trades_behind_a_row():
    rows = trades([{"time": WEDNESDAY + n // 3, "price": 10, "size": 1} for n in range(8)], SCALES)
    by_ticks = Bars(by="ticks", every=4)
    assert column(bars(by_ticks, rows), "ticks") == [4, 4]
    ticks = through(Aggregate(), rows)
    assert column(bars(by_ticks, *ticks.out, *ticks.step.flush()), "ticks") == [6, 2]


def test_filtered_rows_count_with_their_totals():
    rows = sized(1, 1, 9, 1, 1, 9, 1)
    filtered = through(Filter(min_size=Decimal("0.05")), rows)
    given = [*filtered.out, *filtered.step.flush()]
    assert volumes(volume("0.11"), *given) == [(11, True), (11, True), (1, False)]
    assert column(bars(Bars(by="ticks", every=6), *given), "ticks") == [6, 1]


def test_notional_is_price_times_size():
    found = bars(Bars(by="notional", every=Decimal("2.5")), sized(100, 149, 1, 250, price=10))
    assert column(found, "notional") == [Decimal("2.5"), Decimal("2.5")]


def test_a_threshold_finer_than_the_scale_is_rounded_up():
    assert volumes(volume("0.0101"), sized(1, 1, 1)) == [(2, True), (1, False)]


def test_off_book_rows_do_not_count():
    flags = (None, "off_book", "block", "off_book")
    rows = [{"time": WEDNESDAY, "price": 10, "size": 6, "flag": flag} for flag in flags]
    assert volumes(volume(), trades(rows, SCALES)) == [(12, True)]


def test_sums_beyond_64_bits_close_bars():
    size = 10**18
    found = bars(Bars(by="notional", every=Decimal(10) ** 28), sized(*[size] * 7, price=10**13))
    assert column(found, "ticks") == [1] * 7
    found = bars(Bars(by="notional", every=Decimal(3) * 10**28), sized(*[size] * 7, price=10**13))
    assert column(found, "ticks") == [3, 3, 1]
    assert column(found, "complete") == [True, True, False]


class TestReset:
    @pytest.mark.parametrize(
        ("reset", "last_day", "first_day"),
        [("day", 0, 1), ("week", 4, 5), ("month", 30, 31), ("quarter", 60, 61), ("year", 244, 245)],
    )
    def test_a_boundary_closes_the_bar_incomplete(self, reset, last_day, first_day):
        """From Wednesday 2024-05-01: Monday is 5 days away, June 31, July 61, 2025 245."""
        rows = on_days((0, 3), (last_day, 3), (first_day, 3), (first_day, 8))
        assert volumes(volume(reset=reset), rows) == [(6, False), (11, True)]

    def test_without_a_reset_bars_cross_all_boundaries(self):
        assert volumes(volume(), on_days((0, 3), (5, 3), (245, 3), (999, 1))) == [(10, True)]

    def test_a_bar_that_is_full_at_the_boundary_is_complete(self):
        rows = on_days((0, 10), (1, 9), (2, 1))
        assert volumes(volume(reset="day"), rows) == [(10, True), (9, False), (1, False)]

    def test_what_was_carried_ends_there(self):
        component = volume(reset="day", overshoot="carry")
        assert volumes(component, on_days((0, 19), (1, 1), (1, 9))) == [(19, True), (10, True)]
        pieces = [on_days((0, 19)), on_days((1, 1)), on_days((1, 9))]
        assert volumes(component, *pieces) == [(19, True), (10, True)]

    def test_the_time_alone_closes_a_bar(self):
        work = through(volume(reset="day"), on_days((0, 3)))
        work.advance(WEDNESDAY + DAY - 1)
        assert not len(work.closed())
        work.advance(WEDNESDAY + DAY)
        assert work.closed()["complete"].to_pylist() == [False]
        assert not len(work.open())

    def test_a_time_before_the_last_row_closes_nothing(self):
        work = through(volume(reset="day"), on_days((1, 3)))
        work.advance(WEDNESDAY)
        assert not len(work.closed())

    def test_without_a_reset_time_closes_nothing(self):
        work = through(volume(), on_days((0, 3)))
        work.advance(WEDNESDAY + 999 * DAY)
        assert not len(work.closed())


class TestAdaptive:
    """`every` is 0.10 until two whole days are known; then a fifth of what they had a day."""

    component = volume(adaptive={"days": 2, "per_day": 5})

    def test_the_threshold_is_that_of_the_last_whole_days(self):
        """50 and 150 in two days: 200 / 2 / 5 = 20 on the third, 30 on the fourth."""
        rows = on_days((0, 50), (1, 150), (2, 19), (2, 131), (3, 29), (3, 1), (3, 29))
        found = volumes(self.component, rows)
        assert found == [(50, True), (150, True), (150, True), (30, True), (29, False)]

    def test_every_is_the_threshold_until_there_are_enough_days(self):
        found = volumes(self.component, on_days((0, 9), (0, 1), (1, 9), (1, 1)))
        assert found == [(10, True), (10, True)]

    def test_days_without_a_trade_are_whole_days(self):
        """100 and 0 in two days: 10 on the third."""
        rows = on_days((0, 100), (2, 9), (2, 1), (2, 9))
        assert volumes(self.component, rows) == [(100, True), (10, True), (9, False)]

    def test_it_is_rounded_up(self):
        rows = on_days((0, 100), (1, 101), (2, 20), (2, 1))
        assert volumes(self.component, rows)[2:] == [(21, True)]

    def test_days_that_nothing_was_traded_on_make_every_trade_a_bar(self):
        rows = on_days((0, 100), (9, 1), (9, 1))
        assert volumes(self.component, rows) == [(100, True), (1, True), (1, True)]

    def test_a_new_threshold_holds_for_the_bar_that_is_open_already(self):
        """20 and 20 make 4 a bar, and 40 are in the open one when that becomes known."""
        component = volume("1.00", adaptive={"days": 2, "per_day": 5})
        rows = on_days((0, 20), (1, 20), (2, 1), (2, 3), (2, 1), (2, 1))
        assert volumes(component, rows) == [(41, True), (4, True), (1, False)]

    def test_the_time_alone_ends_a_day(self):
        work = through(self.component, on_days((0, 50), (1, 150)))
        work.advance(WEDNESDAY + 2 * DAY)
        work.resume()
        work.push(on_days((2, 19), (2, 1)))
        assert work.closed()["volume"].to_pylist()[2:] == [Decimal("0.20")]

    def test_a_day_with_a_gap_in_it_is_no_whole_day(self):
        """Days 0 and 2 are whole, and of day 1 nothing counts: 100 and 300 make 40 a bar."""
        work = through(self.component, on_days((0, 100), (1, 700)))
        work.cut()
        work.resume()
        work.push(on_days((1, 900), (2, 300), (3, 39), (3, 1)))
        assert work.closed()["volume"].to_pylist()[-1] == Decimal("0.40")

    def test_a_day_that_is_missing_altogether_does_not_count(self):
        """As in a run over days of which one cannot be had: 100 and 300 make 40 a bar."""
        work = through(self.component, on_days((0, 100)))
        work.advance(WEDNESDAY + DAY)
        work.cut()
        work.push(on_days((2, 300)))
        work.advance(WEDNESDAY + 3 * DAY)
        work.push(on_days((3, 39), (3, 1)))
        assert work.closed()["volume"].to_pylist()[-1] == Decimal("0.40")

    def test_ticks_and_notional_adapt_as_well(self):
        rows = on_days(*[(0, 100)] * 6, *[(1, 100)] * 4, *[(2, 100)] * 3)
        ticks = Bars(by="ticks", every=5, adaptive={"days": 2, "per_day": 5})
        assert column(bars(ticks, rows), "ticks") == [5, 5, 1, 1, 1]
        notional = Bars(by="notional", every=5, adaptive={"days": 1, "per_day": 2})
        assert column(bars(notional, rows), "ticks") == [5, 3, 3, 2]


class TestGap:
    def test_a_gap_closes_the_bar_incomplete(self):
        work = through(volume(), sized(4, 4))
        work.cut()
        work.push(sized(4, 5, 1))
        found = work.closed()
        assert found["volume"].to_pylist() == [Decimal("0.08"), Decimal("0.10")]
        assert found["complete"].to_pylist() == [False, True]

    def test_what_was_carried_ends_there(self):
        work = through(volume(overshoot="carry"), sized(19))
        work.cut()
        work.push(sized(1))
        assert work.closed()["complete"].to_pylist() == [True]
        assert work.open()["volume"].to_pylist() == [Decimal("0.01")]

    def test_a_second_gap_adds_nothing(self):
        work = through(volume(), sized(4))
        work.cut()
        work.cut()
        assert len(work.closed()) == 1
        assert not len(work.open())


@pytest.mark.parametrize(
    ("options", "seam"),
    [
        ({}, "never"),
        ({"reset": "day"}, "day"),
        ({"reset": "day", "overshoot": "carry"}, "day"),
        ({"reset": "week"}, "never"),
        ({"reset": "day", "adaptive": {"days": 1, "per_day": 1}}, "never"),
    ],
)
def test_the_seam_is_midnight_where_nothing_crosses_it(options, seam):
    assert volume(**options).seam == seam


def test_bars_of_bars_are_refused():
    with pytest.raises(ConfigError, match=r"^bars takes TRADE, TICK, SIGNIFICANT and not BAR of x"):
        volume().output({"x": schema("BAR", SCALES)})
