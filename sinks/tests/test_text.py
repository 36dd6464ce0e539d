from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from werks.schema import TIME
from werks_sinks import floats, text

whole = st.integers(-(10**38) + 1, 10**38 - 1) | st.integers(-(2**65), 2**65)
near = st.sampled_from([2**63, 2**64, 2**96, 10**9, 10**18, 10**27]).flatmap(
    lambda edge: st.integers(-3, 3).map(lambda step: edge + step)
)
numbers = st.lists(st.none() | whole | st.integers(-(10**6), 10**6) | near)


def decimals(values, scale):
    exact = [None if v is None else Decimal(f"{v}E-{scale}") for v in values]
    return pa.array(exact, pa.decimal128(38, scale))


def plain(value):
    """Python's own way to write a decimal, without exponent and trailing zeros."""
    written = format(value, "f")
    return written.rstrip("0").rstrip(".") if "." in written else written


@pytest.fixture(scope="module", params=["few", "many"], autouse=True)
def way(request):
    """Write each row by itself, as if there were few, or all at once, as if there were many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text, "_FEW", 10**9 if request.param == "few" else -1)
        yield


@given(numbers, st.integers(0, 38), st.integers(0, 3))
def test_amounts_are_written_as_python_would(values, scale, start):
    column = decimals(values, scale)
    expected = [None if v is None else plain(v if v else abs(v)) for v in column.to_pylist()]
    found = text.amounts(column.slice(start))
    found.validate(full=True)
    assert found.to_pylist() == expected[start:]


@pytest.mark.parametrize(
    ("value", "scale", "written"),
    [
        (1, 8, "0.00000001"),
        (0, 8, "0"),
        (-12, 8, "-0.00000012"),
        (100, 0, "100"),
        (1250, 2, "12.5"),
        (123 * 10**7, 18, "0.00000000123"),
    ],
)
def test_amounts_have_no_exponents_and_keep_the_zeros_of_whole_numbers(value, scale, written):
    assert text.amounts(decimals([value], scale)).to_pylist() == [written]


times = st.lists(st.none() | st.integers(-(2**63) + 10**9, 2**63 - 1) | st.integers(0, 10**12))


@given(times, st.integers(0, 3))
def test_times_have_nine_digits_and_arrow_reads_them_back(values, start):
    column = pa.array(values, pa.int64()).view(TIME).slice(start)
    found = text.times(column)
    found.validate(full=True)
    assert {len(word) for word in found.to_pylist() if word} <= {30}
    assert found.cast(TIME).equals(column)


def test_a_time_is_iso_8601_in_utc():
    moment = datetime(2019, 10, 1, 0, 0, 20, 901823, UTC)
    assert text.times(pa.array([moment], TIME)).to_pylist() == ["2019-10-01T00:00:20.901823000Z"]


@given(st.lists(st.integers(-(10**20), 10**20), min_size=1), st.integers(0, 18))
def test_floats_are_the_nearest(values, scale):
    column = decimals(values, scale)
    rows = pa.record_batch({"price": column, "ticks": np.arange(len(values))})
    found = floats.batch(rows)
    assert found["price"].to_pylist() == [float(value) for value in column.to_pylist()]
    assert found["ticks"].equals(rows["ticks"])
