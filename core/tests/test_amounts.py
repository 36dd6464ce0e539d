"""Amounts are Python's integers, only faster: every function is compared with them."""

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from werks import amounts

often = settings(max_examples=15 * settings.default.max_examples)

_BITS = st.sampled_from((1, 8, 31, 33, 62, 63, 64, 65, 100))
_EDGES = [0, 1, -1, 2**32, 2**63 - 1, -(2**63), 2**63, 2**64 - 1, 2**64, -(2**64), 2**100]


@st.composite
def integers(draw, least=1, signed=True):
    """Draw integers of one magnitude, now and then with one of a quite different magnitude."""
    most = 2 ** draw(_BITS)
    one = st.integers(-most if signed else 0, most)
    edges = [edge for edge in _EDGES if signed or edge >= 0]
    return draw(
        st.lists(one | st.sampled_from(edges) if draw(st.booleans()) else one, min_size=least)
    )


def limbs(values):
    return amounts.from_ints(np.array(values, dtype=object))


def whole(values):
    return [amounts.integer(pair) for pair in values]


def arrays(values):
    """Return integers as `ints` would give them."""
    return amounts.ints(limbs(values))


@often
@given(integers(least=0))
def test_integers_survive_limbs_and_columns(values):
    column = amounts.column(limbs(values), 5)
    assert whole(amounts.limbs(column)) == values
    assert amounts.ints(amounts.limbs(column)).tolist() == values
    assert column.to_pylist() == [amounts.decimal(value, 5) for value in values]


@often
@given(integers(least=0))
def test_int64_is_used_just_where_it_is_enough(values):
    enough = all(-(2**63) <= value < 2**63 for value in values)
    assert amounts.fits(limbs(values)) is enough
    assert (arrays(values).dtype == np.int64) is enough


@often
@given(integers(), st.data())
def test_slices_of_columns_are_read_at_their_place(values, data):
    column = amounts.column(limbs(values), 2)
    begin = data.draw(st.integers(0, len(values)))
    end = data.draw(st.integers(begin, len(values)))
    part = column.slice(begin, end - begin)
    assert whole(amounts.limbs(part)[: len(part)]) == values[begin:end]
    assert len(amounts.limbs(part)) == len(part)


def test_a_slice_ends_where_it_ends():
    column = amounts.column(limbs([1, 2, 3, 4]), 0)
    assert whole(amounts.limbs(column.slice(1, 2))) == [2, 3]
    assert whole(amounts.limbs(pa.record_batch([column], ["x"]).slice(2)["x"])) == [3, 4]


def test_a_column_that_pyarrow_made_is_read():
    column = pa.array([Decimal("1.50"), None, Decimal("-0.01")], pa.decimal128(38, 2))
    read = amounts.limbs(column)
    assert whole(read)[0] == 150
    assert whole(read)[2] == -1
    assert amounts.limbs(pa.array([], pa.decimal128(38, 2))).shape == (0, 2)
    assert amounts.limbs(pa.nulls(3, pa.decimal128(38, 2))).shape == (3, 2)


@often
@given(integers(), st.data())
def test_masked_rows_are_null(values, data):
    rows = len(values)
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=rows, max_size=rows)))
    column = amounts.column(limbs(values), 3, mask)
    column.validate(full=True)
    assert column.null_count == mask.sum()
    expected = [
        None if null else amounts.decimal(value, 3)
        for value, null in zip(values, mask, strict=True)
    ]
    assert column.to_pylist() == expected
    assert column.slice(1).to_pylist() == expected[1:]


@often
@given(integers(), st.data())
def test_sums_of_groups_are_exact(values, data):
    starts = sorted({0, *data.draw(st.lists(st.integers(0, len(values) - 1)))})
    expected = [
        sum(values[begin:end])
        for begin, end in zip(starts, [*starts[1:], len(values)], strict=True)
    ]
    assert whole(amounts.sums(limbs(values), np.array(starts))) == expected


@often
@given(integers(least=0))
def test_totals_are_exact(values):
    assert amounts.total(limbs(values)) == sum(values)


@pytest.mark.parametrize("value", [2**63 - 1, 2**62, 2**64 - 1, -(2**63), 10**30])
def test_many_large_rows_do_not_overflow(value):
    assert amounts.total(limbs([value] * 1000)) == 1000 * value


def test_no_groups_have_no_sums():
    assert amounts.sums(limbs([]), np.zeros(0, np.int64)).shape == (0, 2)


@often
@given(st.integers(-(10**38) + 1, 10**38 - 1))
def test_one_integer_is_one_row(value):
    column = amounts.single(value, 7)
    column.validate(full=True)
    assert column.to_pylist() == [amounts.decimal(value, 7)]
    assert amounts.at(column, 0) == value


@often
@given(integers(), st.data())
def test_an_integer_is_found_in_its_row(values, data):
    row = data.draw(st.integers(0, len(values) - 1))
    column = amounts.column(limbs(values), 2)
    assert amounts.at(column, row) == values[row]
    assert amounts.at(column.slice(row), 0) == values[row]


_POSITIVE = st.integers(0, 2**63 - 1) | st.integers(0, 10**6) | st.integers(0, 2**66)
_ANY = _POSITIVE | _POSITIVE.map(lambda value: -value)


@often
@given(st.lists(st.tuples(_ANY, st.integers(0, 10**6) | st.integers(-(2**58), 2**58))))
@example([(-3, 2), (2**63 - 1, 2**58)])
def test_products_are_exact(pairs):
    left, right = [one for one, _ in pairs], [other for _, other in pairs]
    found = amounts.product(arrays(left), arrays(right))
    assert whole(found) == [one * other for one, other in pairs]


def test_the_largest_product_of_64_bits_is_exact():
    most = 2**63 - 1
    found = amounts.product(np.array([most, most, 1]), np.array([most, 1, most]))
    assert whole(found) == [most * most, most, most]


@often
@given(
    st.lists(
        st.tuples(_POSITIVE, st.integers(1, 2**40) | st.integers(1, 99).map(lambda n: n * 10**9))
    ),
    st.sampled_from((1, 10, 10**8, 10**19, 10**20, 7)),
)
@example([(0, 3)], 10**20)
@example([], 10**20)
def test_quotients_are_truncated_exactly(pairs, factor):
    dividend, divisor = [one for one, _ in pairs], [other for _, other in pairs]
    found = amounts.quotient(arrays(dividend), factor, arrays(divisor))
    assert whole(found) == [one * factor // other for one, other in pairs]


@often
@given(st.lists(_ANY.filter(lambda value: abs(value) < 2**60)), st.integers(0, 19))
def test_rescaling_multiplies_by_a_power_of_ten(values, up):
    assert whole(amounts.rescaled(arrays(values), up)) == [value * 10**up for value in values]


@pytest.mark.parametrize(
    ("amount", "scale", "expected"),
    [
        (1000, 2, 100_000),
        (Decimal("0.5"), 0, 1),
        (Decimal("0.015"), 2, 2),
        (Decimal("0.01"), 2, 1),
        (Decimal("1E+3"), 1, 10_000),
        (Decimal("1E-30"), 8, 1),
        (-3, 1, -30),
        (Decimal("123456789012345678901234567890.1"), 1, 1234567890123456789012345678901),
    ],
)
def test_a_threshold_is_scaled_up_to_the_next_unit(amount, scale, expected):
    assert amounts.scaled(amount, scale) == expected


@pytest.mark.parametrize(
    ("value", "scale", "text"),
    [(0, 2, "0.00"), (150, 2, "1.50"), (-1, 3, "-0.001"), (12, 0, "12"), (2**100, 10, None)],
)
def test_a_scaled_integer_is_shown_with_all_its_digits(value, scale, text):
    shown = format(amounts.decimal(value, scale), "f")
    assert shown == text or text is None
    assert int(shown.replace(".", "")) == value
