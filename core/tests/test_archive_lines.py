"""Plain lines are read as the CSV reader of pyarrow reads them; all others are left to it."""

import gzip
import io
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from werks.archive import ByteStream, blocks, parse, unpack
from werks.archive.digits import ROOM, numbers
from werks.archive.lines import plain
from werks.errors import WerksError
from werks.schema import WORD

CAPTURES = Path(__file__).parents[3] / "shared" / "captures"
KINDS = {
    "time": pa.decimal128(38, 9),
    "id": pa.int64(),
    "price": pa.decimal128(38, 4),
    "side": WORD,
    "name": pa.string(),
}
NAMES = ["time", "id", "other", "price", "side", "name"]


def block(text: bytes, names=NAMES, kinds=KINDS) -> pa.RecordBatch | None:
    return plain(bytes(ROOM) + text + bytes(ROOM), names, kinds)


def by_pyarrow(text: bytes, names=NAMES, kinds=KINDS) -> pa.Table:
    return pacsv.read_csv(
        io.BytesIO(text),
        pacsv.ReadOptions(column_names=names),
        convert_options=pacsv.ConvertOptions(
            column_types=kinds, include_columns=list(kinds), null_values=[""]
        ),
    )


def cells(table) -> dict:
    return {name: table[name].to_pylist() for name in table.schema.names}


digits = st.text("0123456789", min_size=1, max_size=20)
pointed = st.tuples(digits, digits).map(".".join)
odd = st.text(alphabet='0123456789.-+e/, "\n\r\0aé_:', max_size=20)
number = st.one_of(digits, pointed, odd)
word = st.one_of(st.sampled_from(["Buy", "Sell", "", "A long word", "\0Buy"]), odd)
name = st.one_of(st.uuids().map(str), st.text("abc", max_size=9), odd)
rows_of_anything = st.lists(
    st.tuples(number, digits | odd, word, number, word, name).map(",".join), min_size=1, max_size=9
)


@given(rows_of_anything)
@example(["1.5,1,,1.5,Buy,x"])
@example(["1/5,1,,1-5,Buy,x"])
@example(["1.,1,,.5,Buy,x"])
@example(["1..5,1,,1.2.3,Buy,x"])
@example(["99999999999999999999,1,,1.00000,Buy,x"])
@example(["1,9223372036854775808,,1,Buy,x"])
def test_what_is_read_is_what_pyarrow_reads(lines):
    text = "".join(f"{line}\n" for line in lines).encode()
    found = block(text)
    if found is not None:
        assert cells(found) == cells(by_pyarrow(text))


plain_times = st.decimals(0, 10**9, places=9).map(lambda value: f"{value:f}")
plain_rows = st.lists(
    st.tuples(
        st.one_of(plain_times.map(lambda text: text[:18].rstrip(".")), st.integers(0, 10**9)),
        st.integers(0, 10**18 - 1),
        odd.map(lambda text: text.translate(dict.fromkeys(b'",\r\n'))),
        st.integers(0, 10**8).map(lambda n: f"{n // 10000}.{n % 10000:04d}"),
        st.sampled_from(["Buy", "Sell", "Hold", ""]),
        st.one_of(st.uuids().map(str), st.text("xyz-", max_size=50)),
    ),
    min_size=1,
    max_size=200,
)


@given(plain_rows)
def test_plain_lines_are_read(table):
    text = "".join(",".join(map(str, row)) + "\n" for row in table).encode()
    found = block(text)
    assert found is not None
    found.validate(full=True)
    assert cells(found) == cells(by_pyarrow(text))


def written(values: list[str], scale: int):
    """Return what is read of numbers that stand in one column."""
    text = bytes(ROOM) + "".join(f"{value}\n" for value in values).encode() + bytes(ROOM)
    ends = np.flatnonzero(np.frombuffer(text, np.uint8) == ord("\n"))
    begins = np.append(ROOM, ends[:-1] + 1)
    found = numbers(text, begins, ends, scale)
    if found is None:
        return None
    pairs = found.limbs().tolist()
    return [Decimal(high * 2**64 + low % 2**64).scaleb(-scale) for low, high in pairs]


@pytest.mark.parametrize(
    "values",
    [
        ["0.010", "12.500", "99999.123"],
        ["1569974396.557895", "1569974394.78865", "1569974392"],
        ["1569974396.557895", "15.5", "7", "0.000001", "100000000.00000001"],
        ["1", "12", "123456789012345678"],
        ["8319.0", "8319.5"],
        ["1.25", "12.5", "1234"],
        ["000", "007", "0.10"],
        ["999999999.999999999", "1.0"],
    ],
    ids=["behind", "before", "neither", "whole", "alike", "one length", "zeros", "long"],
)
@pytest.mark.parametrize("scale", [9, 10, 18])
def test_numbers_are_exact_wherever_their_points_stand(values, scale):
    assert written(values, scale) == [Decimal(value) for value in values]


@pytest.mark.parametrize(
    "text",
    ["", ".", "1.", ".1", "1.2.3", "-1", "+1", "1e5", " 1", "1 ", "1_0", "1/2", "1-2", "１", "\0",
     "12345678901234567890", "1.12345", "9999999999999999999", "0x1"],
)  # fmt: skip
@pytest.mark.parametrize("others", [[], ["1"], ["1.25", "17"], ["1.5", "1.25"]])
def test_a_number_that_is_not_plain_is_not_read(text, others):
    for values in ([text, *others], [*others, text]):
        assert written(values, 4) is None


LINE = b"1.5,1,,1.5,Buy,x\n"


@pytest.mark.parametrize(
    "line",
    [b'1.5,1,"",1.5,Buy,x\n', LINE.replace(b"\n", b"\r\n"), LINE.replace(b",,", b",\r,"), b"\n",
     b"1.5,1,,1.5,Buy\n", b"1.5,1,,1.5,Buy,x,\n", LINE.replace(b"Buy", b"B\xff"),
     LINE.replace(b"Buy", b"\xffBuy"), LINE.replace(b"x", "é".encode()),
     LINE.replace(b"x", b"x" * (1 << 17)), LINE[:-1]],
    ids=["quotes", "carriage return", "one within", "empty", "too short", "too long",
         "no text", "no text before", "not ASCII", "endless", "no end"],
)  # fmt: skip
def test_lines_that_are_not_plain_are_not_read(line):
    assert block(LINE * 3) is not None
    assert block(LINE * 3 + line) is None
    assert block(line) is None
    if line.endswith(b"\n"):
        assert block(line + LINE * 3) is None


def test_two_short_lines_and_a_long_one_are_no_three_lines():
    assert block(b"1,2\n3,4\n", ["a", "b"], {"a": pa.int64()}) is not None
    assert block(b"1\n2,3,4\n", ["a", "b"], {"a": pa.int64()}) is None


@pytest.mark.parametrize("kind", [pa.float64(), pa.decimal128(20, 4), pa.decimal256(50, 4)])
def test_kinds_of_columns_that_are_not_known_are_not_read(kind):
    assert block(b"1,2\n", ["a", "b"], {"a": kind}) is None


@pytest.mark.parametrize("words", [1, 2, 6, 7, 500])
def test_a_column_of_words_holds_each_word_once(words):
    texts = [f"w{n % words}" for n in range(1000)]
    found = block("".join(f"{text},\n" for text in texts).encode(), ["a", "b"], {"a": WORD})
    assert found["a"].to_pylist() == texts
    assert len(found["a"].dictionary) == words


@pytest.fixture
def outcome(tmp_path, monkeypatch):
    """Return a function that reads a file, and gives its rows or what its error says."""

    def read(text: bytes, header, fast: bool):
        path = tmp_path / "file"
        path.write_bytes(text)
        with monkeypatch.context() as patch, ByteStream(path, "day.csv", ahead=False) as stream:
            patch.setattr(unpack, "CHUNK", 64)
            patch.setattr(parse, "_SOME", 100)
            patch.setattr(parse, "_ROWS", 7)
            if not fast:
                patch.setattr(parse, "plain", lambda *_: None)
            found = []
            try:
                for row, each in blocks(stream, "day.csv", KINDS, header):
                    assert row == len(found) + 1 + (header is None)
                    found += each.to_pylist()
            except WerksError as error:
                return type(error), str(error)
            return found

    return read


GOOD = [f"{n}.{n:03d},{n},?,{n}.25,{'Buy' if n % 3 else 'Sell'},name {n}" for n in range(40)]
ODD = {
    "nothing": [],
    "empty lines": ["", ""],
    "quotes": ['1,1,"a,b",1,Buy,"quoted ""name"""'],
    "an exponent": ["1,1,,1e-2,Buy,x"],
    "a sign": ["1,-1,,-1.5,Buy,x"],
    "other letters": ["1,1,é,1,é,é"],
    "a byte order mark": ["\ufeff1,1,,1,Buy,x"],
    "no number": ["1,1,,x,Buy,x"],
    "an empty number": ["1,,,1,Buy,x"],
    "too many digits": ["1,1,,1.23456,Buy,x"],
    "too few fields": ["1,1"],
}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("at", [0, 20, 40])
@pytest.mark.parametrize("header", [None, NAMES], ids=["header", "none"])
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["line feed", "carriage return"])
@pytest.mark.few(40)
def test_lines_that_are_not_plain_change_nothing(outcome, odd, at, header, end):
    lines = [*([",".join(NAMES)] if header is None else []), *GOOD[:at], *ODD[odd], *GOOD[at:]]
    for last in (end, ""):
        text = (end.join(lines) + last).encode()
        assert outcome(text, header, fast=True) == outcome(text, header, fast=False)


TABLES = sorted(CAPTURES.glob("bybit/archive-*.csv*"))
NUMBERS = {"timestamp", "size", "price", "volume"}


@pytest.mark.skipif(not TABLES, reason="the recordings are not here")
@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.name)
def test_recorded_files_are_read_as_pyarrow_reads_them(path):
    text = path.read_bytes()
    text = gzip.decompress(text) if path.suffix == ".gz" else text
    header, _, lines = text.partition(b"\n")
    names = header.decode().strip().split(",")
    kinds = {
        name: pa.decimal128(38, 10) if name in NUMBERS else WORD if name == "side" else pa.string()
        for name in names
    }
    lines = lines if lines.endswith(b"\n") else lines + b"\n"
    found = block(lines, names, kinds)
    assert found is not None
    expected = by_pyarrow(lines, names, kinds).combine_chunks()
    for name in names:
        column = expected[name].combine_chunks()
        same = found[name].cast(pa.string()) if kinds[name] == WORD else found[name]
        assert same.equals(column.cast(pa.string()) if kinds[name] == WORD else column), name
