"""Comma-separated text comes out as typed columns, or as an error that names file and row."""

from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from werks.amounts import limbs
from werks.archive import Apart, ByteStream, blocks, check, stamped, whole
from werks.errors import DataError, MessageError

COLUMNS = {"id": pa.int64(), "name": pa.string(), "price": pa.decimal128(38, 4)}
HEADER = "id,name,price\n"
ROWS = [(1, "a", Decimal("2.5")), (2, "b", Decimal(3))]


@pytest.fixture(scope="module")
def process():
    """A process that reads files; here other threads may be about, which have nothing to do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("werks.archive.apart.may_fork", lambda: True)
        patch.setattr("werks.archive.apart.cores", lambda: 2)
        made = Apart(whole)
        yield made
        made.close()


@pytest.fixture(params=["ahead", "in turn", "apart"])
def opened(tmp_path, request, process):
    """Return a function that opens text as the file `day.csv`."""
    streams, ahead = [], request.param != "in turn"
    apart = process if request.param == "apart" else None

    def stream(text: str | bytes) -> ByteStream:
        path = tmp_path / "file"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        assert apart is None or apart.ready()
        streams.append(ByteStream(path, "day.csv", ahead, apart))
        return streams[-1]

    yield stream
    for each in streams:
        each.close()


@pytest.fixture
def read(opened):
    """Return a function that reads text and returns its rows as tuples."""

    def rows(text, header=None, **given) -> list[tuple]:
        found = blocks(opened(text), "day.csv", COLUMNS, header, **given)
        return [tuple(row.values()) for _, block in found for row in block.to_pylist()]

    return rows


TEXTS = {
    "plain": f"{HEADER}1,a,2.5\n2,b,3\n",
    "no end of the last line": f"{HEADER}1,a,2.5\n2,b,3",
    "carriage returns": f"{HEADER}1,a,2.5\n2,b,3\n".replace("\n", "\r\n"),
    "a byte order mark": f"\ufeff{HEADER}1,a,2.5\n2,b,3\n",
    "quoted": '"id","name","price"\n"1","a","2.5"\n"2","b","3"\n',
    "empty lines": f"{HEADER}1,a,2.5\n\n\n2,b,3\n\n",
    "more columns": "x,price,y,id,name,z\n0,2.5,,1,a,0\n0,3,?,2,b,0\n",
    "blanks and exponents": f"{HEADER} 1,a, 25e-1\n2 ,b,0.3e1\n",
}


@pytest.mark.parametrize("manner", TEXTS)
def test_rows_are_read_however_the_text_is_written(read, manner):
    assert read(TEXTS[manner]) == ROWS


@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["", "byte order mark"])
def test_a_file_without_a_header_is_read_by_the_names_given(read, mark):
    assert read(f"{mark}1,a,2.5\n2,b,3\n", list(COLUMNS)) == ROWS
    assert read(f"{mark}2.5,0,1,a\n3,0,2,b\n", ["price", "x", "id", "name"]) == ROWS


@pytest.mark.parametrize("text", [HEADER, HEADER.strip(), f"\ufeff{HEADER}", f"{HEADER}\n\n"])
def test_a_header_alone_is_a_day_without_rows(read, text):
    assert read(text) == []


def test_blocks_have_the_columns_that_were_asked_for_and_no_others(opened):
    ((row, block),) = blocks(opened("x,price,id,name\n0,1,2,a\n"), "day.csv", COLUMNS)
    assert row == 2
    assert dict(zip(block.schema.names, block.schema.types, strict=True)) == COLUMNS


def test_an_optional_column_is_there_where_the_file_has_it(opened):
    optional = {"flag": pa.string(), "other": pa.int64()}
    ((_, block),) = blocks(
        opened("id,name,price,flag\n1,a,2,x\n"), "day.csv", COLUMNS, optional=optional
    )
    assert block["flag"].to_pylist() == ["x"]
    assert "other" not in block.schema.names
    with pytest.raises(DataError, match=r"^day\.csv: row 2: other is empty; fetch the file again$"):
        list(blocks(opened("id,name,price,other\n1,a,2,\n"), "day.csv", COLUMNS, None, optional))


def test_text_is_text_even_where_it_looks_like_nothing(read):
    text = f"{HEADER}1,NA,1\n2,null,1\n3,nan,1\n4,007,1\n5,,1\n"
    assert [name for _, name, _ in read(text)] == ["NA", "null", "nan", "007", ""]


LARGE = 150_000  # rows of more than one megabyte together, so that there are several blocks


@pytest.fixture(scope="module")
def large() -> list[str]:
    return [f"{n},name of {n},{n}.{n % 10_000:04d}\n" for n in range(LARGE)]


@pytest.mark.parametrize("header", [HEADER, ""], ids=["header", "none"])
def test_a_block_says_the_number_of_its_first_row(opened, large, header):
    stream = opened(header + "".join(large))
    names = None if header else list(COLUMNS)
    found = list(blocks(stream, "day.csv", COLUMNS, names))
    first = 2 if header else 1
    assert len(found) > 1
    assert [row - first for row, _ in found] == [block["id"][0].as_py() for _, block in found]
    assert sum(block.num_rows for _, block in found) == LARGE
    assert all(block.num_rows >= 1 << 15 for _, block in found[:-1])


@pytest.mark.parametrize("at", [70_000, LARGE - 1])
@pytest.mark.parametrize(
    ("line", "error", "said"),
    [
        ("7,x,many\n", MessageError, ": price cannot be 'many': a number with at most 4 digits"),
        ("7,x,\n", DataError, ": price is empty"),
        ("7,x\n", MessageError, " has 2 fields, expected 3"),
    ],
    ids=["no number", "empty", "too short"],
)
@pytest.mark.few(4)
def test_a_bad_row_is_named_wherever_it_lies(opened, large, at, line, error, said):
    stream = opened(HEADER + "".join([*large[:at], line, *large[at + 1 :]]))
    found = []
    with pytest.raises(error, match=rf"^day\.csv: row {at + 2}{said}"):
        found.extend(blocks(stream, "day.csv", COLUMNS))
    assert sum(block.num_rows for _, block in found) <= at


WHOLE, DIGITS = "a whole number is expected", "a number with at most 4 digits after the point is"


@pytest.mark.parametrize(
    ("line", "error", "said"),
    [
        ("x,a,1", MessageError, f"row 3: id cannot be 'x': {WHOLE}"),
        ("1.0,a,1", MessageError, f"row 3: id cannot be '1.0': {WHOLE}"),
        ("1_0,a,1", MessageError, f"row 3: id cannot be '1_0': {WHOLE}"),
        ("١,a,1", MessageError, f"row 3: id cannot be '١': {WHOLE}"),
        ("9223372036854775808,a,1", MessageError, "row 3: id cannot be '9223372036854775808'"),
        (",a,1", DataError, "row 3: id is empty"),
        ("1,a,", DataError, "row 3: price is empty"),
        ("1,a,1.23456", MessageError, f"row 3: price cannot be '1.23456': {DIGITS}"),
        ("1,a,1e-5", MessageError, f"row 3: price cannot be '1e-5': {DIGITS}"),
        ("1,a,nan", MessageError, f"row 3: price cannot be 'nan': {DIGITS}"),
        ("1,a,inf", MessageError, f"row 3: price cannot be 'inf': {DIGITS}"),
        ("1,a,1_0", MessageError, f"row 3: price cannot be '1_0': {DIGITS}"),
        ("1,a," + "9" * 100 + "x", MessageError, "row 3: price cannot be '" + "9" * 80 + "': "),
        ("1,a", MessageError, "row 3 has 2 fields, expected 3"),
        ("1,a,1,2", MessageError, "row 3 has 4 fields, expected 3"),
        ("1,a,1,", MessageError, "row 3 has 4 fields, expected 3"),
        ('1,"a,1', MessageError, "row 3 has 2 fields, expected 3"),
    ],
)
def test_a_field_that_cannot_be_is_named(read, line, error, said):
    with pytest.raises(error, match=f"^day.csv: {said}"):
        read(f"{HEADER}1,a,1\n{line}\n")


def test_zeros_at_the_end_are_no_digits(read):
    assert read(f"{HEADER}1,a,1.230000000\n") == [(1, "a", Decimal("1.23"))]


def test_empty_lines_are_no_rows(read):
    for line, said in (("2,b,", "row 3: price is empty"), ("2,b,x", "row 3: price cannot be 'x'")):
        with pytest.raises((DataError, MessageError), match=said):
            read(f"{HEADER}1,a,1\n\n\n{line}\n")


def test_bytes_that_are_no_text_are_named(read):
    with pytest.raises(MessageError, match=r"^day\.csv: row 3: name cannot be .*UTF-8 is expected"):
        read(HEADER.encode() + b"1,a,1\n2,\xff\xfe,1\n")


def test_a_field_without_an_end_is_named(read):
    with pytest.raises(
        MessageError, match=r"^day\.csv: row 3 is no line of CSV: field larger than"
    ):
        read(f"{HEADER}1,a,1\n2,{'b' * 3_000_000},1\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id,cost\n1,2\n", "unknown header 'id,cost': there is no column name, price"),
        ("1,a,2\n", "unknown header '1,a,2': there is no column id, name, price"),
        ("\n1,a,2\n", "unknown header '': there is no column id, name, price"),
        (f"{HEADER}1,a,2\n".replace("\n", "\r"), "unknown header 'id,name,price.r1,a,2': there"),
        ("x" * 3_000_000, f"unknown header '{'x' * 200}': there is no column id, name, price"),
        ("\0\1" * 100_000, r"unknown header '(.x00.x01)+': there is no column id, name, price"),
    ],
    ids=["other names", "none", "empty", "carriage returns only", "no line at all", "bytes"],
)
def test_a_header_that_is_not_the_one_is_named(read, text, said):
    with pytest.raises(MessageError, match=rf"^day\.csv: {said}"):
        read(text)


def test_an_error_of_the_stream_comes_through(read):
    with pytest.raises(DataError, match=r"^day\.csv: holds a number that a spreadsheet has cut"):
        read(f"{HEADER}{'1,a,1' * 300_000}\n1,a,1.70027E+12\n")
    with pytest.raises(DataError, match=r"^day\.csv: the file is empty"):
        read("")


def test_check_names_the_first_row_that_is_not_good():
    good = np.array([True, True, False, False])
    check(good[:2], "day.csv", 10, lambda bad: "never said")
    with pytest.raises(DataError, match=r"^day\.csv: row 12: at 2; fetch the file again$"):
        check(good, "day.csv", 10, lambda bad: f"at {bad}")


MOMENT = datetime(2024, 5, 1, 12, 0, 0, 123_000, tzinfo=UTC)


@pytest.mark.parametrize(("unit", "number"), [(10**6, 1714564800123), (10**3, 1714564800123000)])
def test_whole_numbers_of_a_unit_become_times(unit, number):
    for values in (pa.array([number]), np.array([number])):
        assert stamped(values, unit, "day.csv", 2).to_pylist() == [MOMENT]


def test_limbs_of_a_decimal_become_times():
    column = pa.array([Decimal("1714564800.123")], pa.decimal128(38, 9))
    assert stamped(limbs(column), 1, "day.csv", 2).to_pylist() == [MOMENT]


@pytest.mark.parametrize(
    ("unit", "number"),
    [(10**6, 1714564800), (10**6, 1714564800123000), (10**3, 1714564800123), (10**6, 0), (1, -1)],
)
def test_a_time_in_another_unit_is_named(unit, number):
    good = 1714564800123000000 // unit
    with pytest.raises(DataError) as raised:
        stamped(pa.array([good, number]), unit, "day.csv", 7)
    said = f"timestamp {number} is not a time in units of {unit} ns; fetch the file again"
    assert str(raised.value) == f"day.csv: row 8: {said}"
