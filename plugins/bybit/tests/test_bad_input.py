"""What is wrong with a file is said in one line that names file and row."""

import gzip
from datetime import date

import pyarrow as pa
import pytest

from werks.archive import ByteStream
from werks.components import File
from werks.errors import DataError, MessageError
from werks_bybit import Trades

HEADER = (
    "timestamp,symbol,side,size,price,tickDirection,trdMatchID,grossValue,homeNotional,"
    "foreignNotional"
)
GOOD = "1696982287.4922,FXSUSDT,Sell,0.86,5.2390,ZeroMinusTick,f7496ecb,4.50554e+08,0.86,4.50554"
SPOT = "id,timestamp,price,volume,side,rpi"


@pytest.fixture
def read(tmp_path):
    """Return a reader of lines, or of bytes as they are, through the door of a market."""

    def reader(*lines, market="linear", body=None):
        path = tmp_path / "FXSUSDT2023-10-10.csv.gz"
        text = "".join(f"{line}\n" for line in lines)
        path.write_bytes(gzip.compress(text.encode()) if body is None else body)
        file = File(path.as_uri(), date(2023, 10, 10), date(2023, 10, 11), ("FXSUSDT",))
        door = Trades(market=market)
        with ByteStream(path, file.url) as stream:
            return pa.Table.from_batches(door.read(file, stream, ["FXSUSDT"]), door.schema)

    return reader


@pytest.mark.parametrize(
    ("old", "new", "error", "said"),
    [
        ("1696982287.4922", "1696982287492", DataError, "timestamp .* is not a time"),
        ("1696982287.4922", "today", MessageError, "timestamp cannot be 'today'"),
        ("FXSUSDT", "FXSUSD", DataError, "is of FXSUSD, not of FXSUSDT"),
        ("Sell", "Short", DataError, "side cannot be 'Short'"),
        ("Sell", "", DataError, "side cannot be ''"),
        ("0.86,5", "0.86x,5", MessageError, "size cannot be '0.86x'"),
        ("5.2390", "5.23900000001", MessageError, "price cannot be '5.23900000001'.* 10 digits"),
        ("5.2390", "", DataError, "price is empty"),
        (",4.50554e+08", "", MessageError, "9 fields, expected 10"),
    ],
)
def test_a_bad_field_is_named_with_file_and_row(read, old, new, error, said):
    assert len(read(HEADER, GOOD, GOOD)) == 2
    with pytest.raises(error, match=rf"^\S*/FXSUSDT2023-10-10\.csv\.gz: row 3\b.*{said}"):
        read(HEADER, GOOD, GOOD.replace(old, new, 1))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("1,1747612800,106453.8,0.003718,sell,0", "timestamp 1747612800 is not a time"),
        ("1,1747612800.074,106453.8,0.003718,sell,0", "timestamp cannot be '1747612800.074'"),
        ("1,1747612800074,106453.8,0.003718,maker,0", "side cannot be 'maker'"),
    ],
)
def test_a_bad_spot_field_is_named_with_file_and_row(read, row, said):
    with pytest.raises((DataError, MessageError), match=rf"csv\.gz: row 2\b.*{said}"):
        read(SPOT, row, market="spot")


def test_a_number_that_a_spreadsheet_has_cut_is_named_with_the_file(read):
    with pytest.raises(DataError, match=r"FXSUSDT2023-10-10\.csv\.gz: .*spreadsheet"):
        read(HEADER, GOOD, GOOD.replace("1696982287.4922", "1.70027E+12"))


def test_a_derivatives_file_is_no_spot_file(read):
    with pytest.raises(MessageError, match=r"unknown header .*no column id, volume"):
        read(HEADER, GOOD, market="spot")


def test_a_gzip_that_is_cut_off_is_named(read):
    whole = gzip.compress("\n".join([HEADER, *[GOOD] * 1000]).encode())
    with pytest.raises(MessageError, match=r"FXSUSDT2023-10-10\.csv\.gz: .*cut off"):
        read(body=whole[:-20])


def test_a_page_in_a_files_place_is_named(read):
    with pytest.raises(MessageError, match="not the kind of file"):
        read(body=b"<html>Access denied</html>")


def test_an_empty_file_is_named(read):
    with pytest.raises(DataError, match=r"FXSUSDT2023-10-10\.csv\.gz: the file is empty"):
        read(body=b"")


def test_a_flag_marks_retail_price_improvement(read):
    rows = ["1,1747612800074,1.5,2,sell,1", "2,1747612800075,1.5,2,buy,0"]
    assert read(SPOT, *rows, market="spot")["flag"].to_pylist() == ["rpi", None]
    marked = [f"{GOOD},{mark}" for mark in ("true", "false", "1", "0")]
    assert read(f"{HEADER},RPI", *marked)["flag"].to_pylist() == ["rpi", None, "rpi", None]


def test_columns_are_found_by_name_in_any_order(read):
    header = ",".join(reversed(SPOT.split(",")))
    row = ",".join(reversed(["1", "1747612800074", "1.5", "2", "sell", "0"]))
    (trade,) = read(header, row, market="spot").drop(["timestamp", "received"]).to_pylist()
    assert (trade["trade_id"], trade["price"], trade["size"]) == ("1", 1.5, 2)
