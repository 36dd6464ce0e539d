"""Addends and their running sums are Python's integers, only faster."""

from itertools import accumulate

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from werks import amounts
from werks.transforms.addends import Addends
from werks.transforms.bars.prefix import Prefix

often = settings(max_examples=15 * settings.default.max_examples)

_BITS = st.sampled_from((1, 8, 31, 33, 62, 63, 64, 65, 100))
_EDGES = [0, 1, -1, 2**32, 2**63 - 1, -(2**63), 2**63, 2**64 - 1, 2**64, -(2**64), 2**100]
_TENS = st.sampled_from((0, 0, 1, 2, 3, 10, 15, 18, 19, 20))


@st.composite
def integers(draw, least=1, signed=True):
    """Draw integers that mostly share zeros at their end, now and then with one that does not."""
    most, ten = 2 ** draw(_BITS), 10 ** draw(_TENS)
    one = st.integers(-most if signed else 0, most).map(lambda value: value * ten)
    one = one.filter(lambda value: abs(value) < 2**115)
    edges = [edge for edge in _EDGES if signed or edge >= 0]
    return draw(
        st.lists(one | st.sampled_from(edges) if draw(st.booleans()) else one, min_size=least)
    )


def limbs(values):
    return amounts.from_ints(np.array(values, dtype=object))


def addends(values):
    return Addends.of(limbs(values))


def whole(given_):
    return [amounts.integer(pair) for pair in given_.limbs()]


@often
@given(integers(least=0))
def test_addends_are_the_amounts(values):
    found = addends(values)
    assert whole(found) == values
    assert whole(Addends.of_ints(amounts.ints(limbs(values)))) == values
    if found.narrow:
        assert [int(each) * found.unit for each in found.values] == values


@often
@given(integers(), st.data())
def test_sums_of_sums_are_exact(values, data):
    for _ in range(2):
        starts = sorted({0, *data.draw(st.lists(st.integers(0, len(values) - 1)))})
        ends = [*starts[1:], len(values)]
        found = addends(values).sums(np.array(starts))
        values = [sum(values[begin:end]) for begin, end in zip(starts, ends, strict=True)]
        assert whole(found) == values
    again = found.sums(np.zeros(1, np.int64))
    assert whole(again) == [sum(values)]
    assert whole(found.to(1)) == values[:1]


@pytest.mark.parametrize("rows", [1, 10, 1000])
@pytest.mark.parametrize("every", [1, 3, 100])
def test_many_groups_and_few_are_summed_alike(rows, every):
    values = [(-7) ** (row % 20) * 10**5 for row in range(rows)]
    starts = np.arange(0, rows, every)
    found = addends(values).sums(starts)
    assert whole(found) == [sum(values[begin : begin + every]) for begin in starts]


@often
@given(integers(), st.data())
def test_rows_that_are_not_kept_are_zero(values, data):
    rows = len(values)
    keep = np.array(data.draw(st.lists(st.booleans(), min_size=rows, max_size=rows)))
    before = addends(values)
    kept = before.where(-keep.astype(np.int64))
    assert whole(kept) == [value * bool(on) for value, on in zip(values, keep, strict=True)]
    assert whole(before) == values


@often
@given(integers(least=0), integers())
def test_another_can_be_put_in_front(values, more):
    for head in more[:3]:
        found = addends(values).after(head)
        assert whole(found) == [head, *values]
        assert whole(found.sums(np.zeros(1, np.int64))) == [head + sum(values)]
        assert whole(found.after(head)) == [head, head, *values]


@often
@given(integers(), st.data())
def test_a_threshold_is_compared_exactly(values, data):
    near = st.sampled_from(values).flatmap(lambda value: st.integers(value - 1, value + 1))
    least = data.draw(near | st.integers(-(2**130), 2**130))
    assert addends(values).at_least(least).tolist() == [value >= least for value in values]


@often
@given(integers(), st.integers(0, 17), st.data())
def test_one_row_that_shares_no_zeros_is_not_overlooked(values, zeros, data):
    assume(all(abs(value) < 2**100 for value in values))
    values = [value * 1000 for value in values] * 40  # more rows than are looked at closely
    row = data.draw(st.integers(0, len(values) - 1))
    values[row] += data.draw(st.sampled_from((1, -1, 2**64, -(2**64), 2**70, 5**20))) << zeros
    assert whole(addends(values)) == values
    assert amounts.total(limbs(values)) == sum(values)


def test_notionals_of_ten_and_ten_digits_fit_into_words():
    found = addends([price * size * 10**16 for price in (634_001, 9) for size in (1, 25_000)])
    assert found.narrow
    assert found.unit >= 10**16


def prefix_of(values):
    return Prefix(addends(values))


@often
@given(integers(signed=False), st.data())
def test_running_sums_are_searched_exactly(values, data):
    prefix = prefix_of(values)
    sums = [0, *accumulate(values)]
    assert [prefix.before(row) for row in range(len(sums))] == sums
    near = st.sampled_from(sums).flatmap(lambda total: st.integers(total - 2, total + 2))
    goal = data.draw(near | st.integers(-(2**130), 2**130))
    expected = next((row for row, total in enumerate(sums[1:]) if total >= goal), len(values))
    assert prefix.first(goal) == expected


def closing(values, begin, goal):
    """Return what `Prefix.closing` should yield, row by row."""
    found, total = [], 0
    for row in range(begin, len(values)):
        total += values[row]
        if total >= goal:
            found.append(row)
            total = 0
    return found


@often
@given(integers(signed=False), st.data())
def test_rows_that_close_a_sum_are_found_exactly(values, data):
    prefix = prefix_of(values)
    begin = data.draw(st.integers(0, len(values)))
    likely = st.sampled_from([*values, sum(values), max(sum(values) // 3, 1)]).flatmap(
        lambda total: st.integers(max(total - 1, 1), total + 1)
    )
    goal = data.draw(likely | st.integers(1, 2**130))
    assert prefix.closing(begin, goal, len(values)) == closing(values, begin, goal)


@pytest.mark.parametrize("top", [2**63 - 1, 2**63, 2**64 - 1, 2**64, 2**100 - 1, 2**100])
def test_running_sums_are_exact_at_the_edges_of_words(top):
    for values in ([top], [top - 1, 1], [1, top - 1], [0, top, 0], [top, 1, top, 1]):
        prefix = prefix_of(values)
        for goal in (1, top - 1, top, top + 1, 2 * top, 2**63, 2**64, 2**127):
            expected = closing(values, 0, goal)
            assert prefix.closing(0, goal, len(values)) == expected
            assert prefix.first(goal) == (expected[0] if expected else len(values))


@pytest.mark.parametrize("scale", [1, 10**4, 10**9, 10**15])
def test_long_running_sums_are_closed_exactly(scale):
    random = np.random.default_rng(scale)
    values = [int(value) * scale for value in random.integers(0, 10**9, 5_000)]
    prefix = prefix_of(values)
    for goal in (1, 10**9 * scale, 7 * 10**9 * scale + 1, sum(values), sum(values) + 1):
        assert prefix.closing(3, goal, len(values)) == closing(values, 3, goal)
