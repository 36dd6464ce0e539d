"""Words of JSON become columns exactly as they were written, or an error that names the row."""

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from werks.errors import DataError, MessageError
from werks.wire import decimals, epoch, iso, lengths, literals, texts, ticks, utc

URL = "https://x.test/trades"
NOON = 1_704_110_400_000_000_000  # 2024-01-01 12:00


def _one(value, scale=2, **how):
    return decimals([value], scale, URL, "price", **how)[0].as_py()


@pytest.mark.parametrize(
    ("written", "number"),
    [
        *(("1.25", "1.25"), ("1.2", "1.20"), ("7", "7.00"), ("-0.01", "-0.01")),
        *(("1.250000", "1.25"), ("1E2", "100"), ("25e-2", "0.25"), ("0", "0")),
        *((7, "7.00"), (Decimal("1.25"), "1.25"), (Decimal("1E+3"), "1000")),
        ("9" * 36, "9" * 36),
    ],
)
def test_a_number_stays_what_it_is(written, number):
    assert _one(written) == Decimal(number)


def test_numbers_are_a_column_of_the_scale_and_none_is_null():
    column = decimals(["1.5", None, Decimal("1E-8")], 8, URL, "price")
    assert column.type == pa.decimal128(38, 8)
    assert column.to_pylist() == [Decimal("1.5"), None, Decimal("0.00000001")]
    assert decimals([], 8, URL, "price").type == pa.decimal128(38, 8)


@pytest.mark.parametrize("word", ["", "x", "many", "0x10", "1,5", "1.2.3", "NaN", "Infinity", "."])
def test_a_word_that_is_no_number_is_named_with_its_row(word):
    with pytest.raises(DataError, match=rf"^{URL}: row 2: price cannot be .*number is expected"):
        decimals(["1", word], 2, URL, "price")


@pytest.mark.parametrize("how", [{}, {"rounded": True}])
def test_a_number_beyond_all_digits_is_refused(how):
    with pytest.raises(DataError, match="row 1: price cannot be"):
        _one("9" * 37, **how)


@pytest.mark.parametrize("number", ["1.255", "0.001", Decimal("1E-3"), "1e-7"])
def test_digits_that_the_scale_does_not_have_are_refused(number):
    with pytest.raises(DataError, match=r"row 2: price .* more than 2 digits .*update the plugin"):
        decimals(["1", number], 2, URL, "price")


@pytest.mark.parametrize(
    ("noisy", "number"),
    [
        ("0.30000000000000004", "0.30"),
        ("1.005", "1.00"),
        ("1.015", "1.02"),
        (Decimal("-1.005"), "-1.00"),
        ("1e-30", "0"),
        (f"0.{'1' * 60}", "0.11"),
    ],
)
def test_noise_is_rounded_half_even_where_that_is_asked_for(noisy, number):
    assert _one(noisy, rounded=True) == Decimal(number)


@pytest.mark.parametrize("word", ["1_000", " 1", "٣"])
def test_what_only_python_takes_for_a_number_is_refused(word):
    with pytest.raises(DataError):
        _one(word)


@pytest.mark.parametrize("unit", [1, 1000, 10**6, 10**9])
def test_a_time_since_1970_is_in_nanoseconds(unit):
    assert epoch([NOON // unit, NOON // unit + 60], unit, URL).tolist() == [NOON, NOON + 60 * unit]


@pytest.mark.parametrize("unit", [1000, 10**6, 10**9])
def test_a_time_in_another_unit_is_named_with_its_row(unit):
    for other in (unit * 1000, unit // 1000):
        with pytest.raises(DataError, match=rf"^{URL}: row 2: timestamp \d+ is not a time in"):
            epoch([NOON // unit, NOON // other], unit, URL)


@pytest.mark.parametrize("time", [0, -1, 2**63 - 1])
def test_a_time_that_is_none_is_refused(time):
    with pytest.raises(DataError, match="row 1: timestamp"):
        epoch([time], 10**6, URL)


def test_a_time_that_fits_into_no_column_is_refused():
    with pytest.raises(DataError, match="too great"):
        epoch([2**64], 1, URL)


@pytest.mark.parametrize("time", [1_704_110_400.5, Decimal("1704110400.5")])
def test_a_part_of_a_unit_is_not_cut(time):
    with pytest.raises((DataError, TypeError)):
        epoch([time], 10**9, URL)


@pytest.mark.parametrize(
    ("text", "more"),
    [
        *(("2024-01-01T12:00:00Z", 0), ("2024-01-01 12:00:00", 0)),
        *(("2024-01-01T12:00:00.5Z", 500_000_000), ("2024-01-01T12:00:00.123456789Z", 123_456_789)),
        *(("2024-01-01T12:00:00+00:00", 0), ("2024-01-01T12:00:00.000001-0000", 1000)),
    ],
)
def test_a_written_time_is_exact_to_the_nanosecond(text, more):
    assert iso([text], URL).tolist() == [NOON + more]


@pytest.mark.parametrize(
    "text",
    [
        *("", "yesterday", "2024-01-01", "2024-01-01T12:00:00+01:00", "2024-01-01T12:00"),
        *("2024-01-01T12:00:00.1234567890Z", "٢٠٢٤-01-01T12:00:00Z"),
    ],
)
def test_a_text_that_is_no_time_in_utc_is_named_with_its_row(text):
    with pytest.raises(MessageError, match=rf"^{URL}: row 2: .* is not a time in UTC"):
        iso(["2024-01-01T12:00:00Z", text], URL)


@pytest.mark.parametrize("text", ["2024-02-30T00:00:00Z", "2024-01-01T24:00:00Z"])
def test_a_day_or_an_hour_that_there_is_not_is_refused(text):
    with pytest.raises(MessageError, match=rf"^{URL}: .*out of range"):
        iso([text], URL)


@pytest.mark.parametrize("text", ["9999-12-31T00:00:00Z", "0001-01-01T00:00:00Z"])
def test_a_year_beyond_the_column_is_refused(text):
    with pytest.raises((MessageError, DataError)):
        iso([text], URL)


def test_no_rows_are_no_rows():
    assert len(iso([], URL)) == len(epoch([], 1, URL)) == len(ticks([])) == 0


def test_a_datetime_is_cut_to_the_microsecond():
    assert utc(NOON + 1_999) == datetime(2024, 1, 1, 12, 0, 0, 1, tzinfo=UTC)
    assert utc(-1) == datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)


def test_the_taker_bought_sold_or_is_unknown():
    rules = ticks([True, False, None])
    assert (rules.tolist(), rules.dtype.name) == ([1, -1, 0], "int8")


@pytest.mark.parametrize("how", [{}, {"rounded": True}])
def test_text_and_numbers_beside_each_other_are_the_same_as_text_alone(how):
    mixed = ["1.5", 2, None, Decimal("0.25"), "-3"]
    column = decimals(mixed, 2, URL, "price", **how)
    assert column.equals(decimals(["1.5", "2", None, "0.25", "-3"], 2, URL, "price", **how))


def test_a_word_among_numbers_is_named_with_its_row():
    with pytest.raises(DataError, match=rf"^{URL}: row 3: price cannot be 'x'"):
        decimals([1, Decimal("2.5"), "x"], 2, URL, "price")


@pytest.mark.parametrize("wrong", ["1704110400", None, 1_704_110_400.0, [1_704_110_400]])
def test_what_is_no_whole_number_is_no_time_and_named_with_its_row(wrong):
    with pytest.raises(DataError, match=rf"^{URL}: row 2: the timestamp cannot be "):
        epoch([NOON // 10**9, wrong], 10**9, URL)


@pytest.mark.parametrize("row", [0, 1])
def test_a_truth_is_no_time(row):
    times = [NOON // 10**9, NOON // 10**9]
    times[row] = True
    with pytest.raises(DataError, match=rf"^{URL}: row {row + 1}: timestamp 1 is not a time"):
        epoch(times, 10**9, URL)


@pytest.mark.parametrize("time", [2**63, -(2**63) - 1])
def test_a_time_beyond_64_bits_is_refused_beside_good_ones(time):
    with pytest.raises(DataError, match="too great"):
        epoch([NOON, time], 1, URL)


@pytest.mark.parametrize(
    "text", ["2024-01-01T12:00:00+01:00Z", "2024-01-01T12:00:00 Z", "2024-01-01T12:00:00.Z"]
)
def test_a_time_that_only_ends_as_one_is_named_with_its_row(text):
    with pytest.raises(MessageError, match=rf"^{URL}: row 2: .* is not a time in UTC"):
        iso(["2024-01-01T12:00:00.5Z", text], URL)


@pytest.mark.parametrize("year", ["1677", "2263", "1600", "2600"])
def test_a_year_that_nanoseconds_do_not_hold_is_named_with_its_row(year):
    with pytest.raises(MessageError, match=rf"^{URL}: row 2: '{year}-"):
        iso(["2024-01-01T12:00:00Z", f"{year}-06-01T00:00:00Z"], URL)


@pytest.mark.parametrize("digits", range(1, 10))
def test_times_are_exact_whichever_way_they_are_written(digits):
    part = f"{123_456_789 // 10 ** (9 - digits):0{digits}}"
    text = f"2024-01-01T12:00:00.{part}"
    wanted = [NOON + int(part.ljust(9, "0"))]
    assert iso([f"{text}Z"], URL).tolist() == iso([text], URL).tolist() == wanted


def test_the_taker_is_told_by_plain_truths_too():
    rules = ticks([True, False, True])
    assert (rules.tolist(), rules.dtype.name) == ([1, -1, 1], "int8")
    assert ticks(np.array([True, False]).tolist()).flags.writeable


def test_numbers_of_json_stay_as_they_were_written():
    written = b'[1.50,-2e-3,0,"x",null,[1,\n2]]'
    tokens = msgspec.json.decode(written, type=list[msgspec.Raw])
    assert texts(tokens[:-1]) == ["1.50", "-2e-3", "0", '"x"', "null"]
    assert texts(tokens) == ["1.50", "-2e-3", "0", '"x"', "null", "[1,\n2]"]


@pytest.mark.parametrize(
    "written",
    [
        [],
        ["1.50"],
        ["1.50", "-2e-3", "0", "12345678901234567890.5"],
        ["1", '"\u20ac"', "2"],
        ["1", "[1,\n2]"],
        ["null", '""', "[]"],
    ],
)
def test_literals_are_the_texts_of_tokens_as_a_column(written):
    tokens = [msgspec.Raw(each.encode()) for each in written]
    assert literals(tokens).equals(pa.array(texts(tokens), pa.string()))


def test_a_column_of_text_gives_the_decimals_that_a_list_of_it_does():
    written = ["0.1", "-12.34", "7", "1e2"]
    column = pa.array(["9", *written, "8"]).slice(1, 4)
    assert decimals(column, 2, "a", "b").equals(decimals(written, 2, "a", "b"))
    for wrong in ("x", "1.234", "1" * 50):
        with pytest.raises(DataError, match="a: row 2: b"):
            decimals(pa.array(["1", wrong]), 2, "a", "b")
    assert decimals(pa.array(["1", "1.005"]), 2, "a", "b", rounded=True)[1].as_py() == Decimal("1")


def test_lengths_are_those_of_a_part_too():
    column = pa.array(["", "a", None, "\u20acuro", "bc"], pa.string())
    assert lengths(column).tolist() == [0, 1, 0, 6, 2]
    assert lengths(column.slice(3, 2)).tolist() == [6, 2]
    assert lengths(column.slice(2, 0)).tolist() == []
    assert lengths(pa.array([], pa.string())).tolist() == []
