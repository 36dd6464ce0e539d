import io
import zipfile
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pytest

from werks.archive import ByteStream, fetched
from werks.components import File
from werks.errors import DataError, MessageError, MissingError, RejectedError
from werks.http import Http
from werks_kraken import History

Put = Callable[..., Path]

_START, _STOP = date(2024, 1, 1), date(2024, 7, 1)
_Q1, _Q2 = "Kraken_Trading_History_Q1_2024.zip", "Kraken_Trading_History_Q2_2024.zip"
_WHOLE = "Kraken_Trading_History.zip"
_ROW = "1704067200,42000.1,0.00000123\n"
_NAMED = "Price,Volume,Timestamp,Type,OrderType,Misc\n"


def _zipped(files: Mapping[str, str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return packed.getvalue()


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """Return a function that puts zips into a folder: (name of the zip, files in it)."""

    def _put(name: str, **files: str) -> Path:
        folder = tmp_path / "Kraken data"
        folder.mkdir(exist_ok=True)
        members = {f"{member}.csv": text for member, text in files.items()}
        (folder / name).write_bytes(_zipped(members or {"XBTUSD.csv": _ROW}))
        return folder

    return _put


def _door(folder: Path, until: date | None = None) -> Any:
    return History(archive_url=folder.as_uri(), complete_until=until)


def _files(door: Any, http: Http, start: date = _START, stop: date = _STOP) -> list[File]:
    return list(door.files(("BTC/USD",), start, stop, http))


def _read(door: Any, file: File, http: Http) -> pa.Table:
    with fetched(file, http) as path, ByteStream(path, file.url) as stream:
        return pa.Table.from_batches(list(door.read(file, stream, file.symbols)), door.schema)


def _text(tmp_path: Path, text: str) -> pa.Table:
    (tmp_path / "x.zip").write_bytes(_zipped({"XBTUSD.csv": text}))
    door: Any = History(archive_url="file:///x")
    file = File(f"file://{quote(str(tmp_path))}/x.zip#XBTUSD.csv", _START, _STOP, ("BTC/USD",))
    with ByteStream(tmp_path / "x.zip", file.url, ahead=False) as stream:
        return pa.Table.from_batches(list(door.read(file, stream, file.symbols)), door.schema)


def test_quarters_of_the_days_asked_for_are_listed(put: Put, http: Http) -> None:
    names = (_Q1, _Q2, "Kraken_Trading_History_Q4_2023.zip", "kraken_trading_history_q32024.zip")
    for name in (*names, "Kraken_OHLCVT_Q1_2024.zip", "notes.txt"):
        folder = put(name)
    files = _files(_door(folder), http)
    assert [file.name for file in files] == [f"{_Q1}#XBTUSD.csv", f"{_Q2}#XBTUSD.csv"]
    assert [(file.start, file.stop) for file in files] == [
        (date(2024, 1, 1), date(2024, 4, 1)),
        (date(2024, 4, 1), date(2024, 7, 1)),
    ]
    later = _files(_door(folder), http, date(2023, 12, 31), date(2024, 12, 1))
    assert len(later) == 4
    assert later[-1].stop == date(2024, 10, 1)


def test_a_pairs_file_is_taken_out_of_the_zip(put: Put, http: Http) -> None:
    files = {
        "__MACOSX/TimeAndSales_Combined/._XBTUSD": "\0binary",
        "TimeAndSales_Combined/XBTUSD": _ROW,
        "TimeAndSales_Combined/XBTUSDT": _ROW.replace("42000.1", "41999"),
        "TimeAndSales_Combined/SOLEUR": _ROW.replace("42000.1", "90"),
    }
    door = _door(put(_Q1, **files))
    for symbol, price in (("BTC/USD", "42000.1"), ("BTC/USDT", "41999"), ("SOL/EUR", "90")):
        (file,) = door.files((symbol,), _START, date(2024, 1, 2), http)
        table = _read(door, file, http)
        assert table["symbol"].to_pylist() == [symbol]
        assert table["price"].to_pylist() == [Decimal(price)]


def test_a_pair_that_is_not_in_the_zip_is_missing(put: Put, http: Http) -> None:
    door = _door(put(_Q1, SOLEUR=_ROW))
    (file,) = _files(door, http, stop=date(2024, 1, 2))
    message = rf"{_Q1}#XBTUSD\.csv: there is no such file in the zip"
    with pytest.raises(MissingError, match=message):
        _read(door, file, http)


def test_a_zip_on_a_web_server_is_fetched(loopback: Any, http: Http, tmp_path: Path) -> None:
    loopback.put(f"kraken/{_Q1}", _zipped({"XBTUSD.csv": _ROW, "SOLEUR.csv": _ROW}))
    door: Any = History(archive_url=f"{loopback.url}/kraken/")
    files = list(door.files(("BTC/USD", "SOL/EUR"), _START, _STOP, http))
    cache = tmp_path / "cache"
    for file in files:
        with fetched(file, http, cache) as path, ByteStream(path, file.url) as stream:
            assert sum(map(len, door.read(file, stream, file.symbols))) == 1
    assert loopback.asked(f"kraken/{_Q1}") == 1


def test_the_complete_zip_wants_its_end(put: Put, http: Http) -> None:
    put(_WHOLE)
    folder = put(_Q2)
    message = rf"{_WHOLE}: until when it reaches .* set complete_until"
    with pytest.raises(RejectedError, match=message):
        _files(_door(folder), http)
    assert [file.name for file in _files(_door(folder), http, date(2024, 4, 1))] == [
        f"{_Q2}#XBTUSD.csv"
    ]


def test_quarters_go_on_where_the_complete_zip_ends(put: Put, http: Http) -> None:
    for name in (_WHOLE, _Q1):
        put(name)
    folder = put(_Q2)
    files = _files(_door(folder, date(2024, 4, 1)), http)
    assert [file.name for file in files] == [f"{_WHOLE}#XBTUSD.csv", f"{_Q2}#XBTUSD.csv"]
    assert files[0].stop == files[1].start == date(2024, 4, 1)
    assert files[0].start < date(2013, 10, 6)


def test_a_folder_that_is_not_there_is_missing(tmp_path: Path, http: Http) -> None:
    with pytest.raises(MissingError, match="nowhere"):
        _files(_door(tmp_path / "nowhere"), http)


def test_the_folder_is_named_by_an_address() -> None:
    with pytest.raises(ValueError, match=r"^archive_url: an address like file:///"):
        History(archive_url="/data/kraken")


@pytest.mark.parametrize("rows", [1, 40_000])
def test_rows_of_one_time_are_named_by_their_place(tmp_path: Path, rows: int) -> None:
    first = _ROW * rows + _ROW.replace("200,", "201.5,") * 2 * rows
    ids = _text(tmp_path, first)["trade_id"].to_pylist()
    assert ids[0] == "1704067200000000000-0"
    assert ids[rows - 1] == f"1704067200000000000-{rows - 1}"
    assert ids[rows] == "1704067201500000000-0"
    assert ids[-1] == f"1704067201500000000-{2 * rows - 1}"
    assert len(set(ids)) == 3 * rows


def test_a_file_that_goes_back_in_time_names_no_two_rows_alike(tmp_path: Path) -> None:
    times = [10, 10, 11, 10, 10, 11, 12, 12, 9, 9, 12, 13]
    text = "".join(f"17040672{time:02},42000.1,1\n" for time in times)
    table = _text(tmp_path, text)
    ids = table["trade_id"].to_pylist()
    assert len(set(ids)) == len(times)
    places = [int(each.partition("-")[2]) for each in ids]
    assert places == [0, 1, 0, 4, 5, 6, 0, 1, 9, 10, 11, 0]


def test_quarters_of_late_state_side_and_id(tmp_path: Path) -> None:
    rows = [
        "42000.10000,0.00100000,1704067200.1234567,b,l,,71",
        "42000.00000,0.00200000,1704067200.5,s,m,,72",
    ]
    table = _text(tmp_path, _NAMED + "".join(f"{row}\n" for row in rows))
    assert table["trade_id"].to_pylist() == ["71", "72"]
    assert table["tick_rule"].to_pylist() == [1, -1]
    times = table["timestamp"].cast(pa.int64()).to_pylist()
    assert times == [1704067200123456700, 1704067200500000000]
    assert str(table["notional"][1].as_py().normalize()) == "84"


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (_ROW + "x,1,1\n", MessageError, "row 2: time cannot be 'x'"),
        (_ROW + "1704067200,1,\n", DataError, "row 2: volume is empty"),
        (_ROW + "1704067200,1.00000000001,1\n", MessageError, "row 2: price .* 10 digits"),
        (_ROW + "1704067200000,1,1\n", DataError, "row 2: timestamp"),
        (_ROW + "1704067200,1\n", MessageError, "row 2 has 2 fields, expected 3"),
        (_NAMED + "1,1,1704067200,b,l,,x\n", MessageError, "row 2: id cannot be 'x'"),
        (_NAMED + "1,1,1704067200,c,l,,1\n", DataError, "row 2: side cannot be c"),
        (_NAMED + "1,1,1704067200,b,l,,1\n1,,1704067200,b,l,,2\n", DataError, "row 3: volume"),
        (_NAMED + "1,1,1704067200,b,l,,1\n1,1,1704067,b,l,,2\n", DataError, "row 3: timestamp"),
        (_NAMED + "1,1,1704067200,b,l,1\n", MessageError, "row 2 has 6 fields, expected 7"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, text: str, error: type, message: str) -> None:
    with pytest.raises(error, match=rf"x\.zip#XBTUSD\.csv: .*{message}"):
        _text(tmp_path, text)


@pytest.mark.parametrize("text", ["", _NAMED])
def test_a_file_without_trades_has_no_rows(tmp_path: Path, text: str) -> None:
    assert len(_text(tmp_path, text)) == 0
