from collections.abc import Callable
from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from werks.archive import ByteStream, fetched
from werks.errors import ChecksumError, DataError, MessageError, MissingError
from werks.http import Http
from werks.testing import Loopback
from werks_binance import AggTrades, Trades

Read = Callable[..., pa.Table]
Publish = Callable[[Loopback, str, str], None]

_DAY = date(2024, 1, 31)
_ROW = "7,4.00000100,12.00000000,48.00001200,1706659200000,True,True\n"


@pytest.mark.parametrize(
    ("door", "market", "folder"),
    [
        (Trades, "spot", "data/spot/daily/trades/BTCUSDT/BTCUSDT-trades"),
        (Trades, "usdm", "data/futures/um/daily/trades/BTCUSDT/BTCUSDT-trades"),
        (AggTrades, "spot", "data/spot/daily/aggTrades/BTCUSDT/BTCUSDT-aggTrades"),
        (AggTrades, "usdm", "data/futures/um/daily/aggTrades/BTCUSDT/BTCUSDT-aggTrades"),
    ],
)
def test_days_are_listed_year_by_year_over_many_pages(
    loopback: Loopback, http: Http, publish: Publish, door: Any, market: str, folder: str
) -> None:
    loopback.page_size = 3
    days = [date(2023, 12, day) for day in (29, 30, 31)] + [date(2024, 1, day) for day in (1, 3)]
    for day in days:
        publish(loopback, f"{folder}-{day}.zip", _ROW)
    publish(loopback, f"{folder}-2024-01.zip", _ROW)
    component = door(market=market, archive_url=f"{loopback.url}/", listing_url=loopback.url)
    files = list(component.files(("BTCUSDT",), date(2023, 12, 30), date(2024, 1, 3), http))
    assert [file.start for file in files] == days[1:4]
    assert files[0].url == f"{loopback.url}/{folder}-2023-12-30.zip"
    assert files[0].checksum == f"{files[0].url}.CHECKSUM"
    assert files[0].stop == date(2023, 12, 31)
    assert files[0].symbols == ("BTCUSDT",)


def test_a_symbol_does_not_list_another_that_begins_like_it(
    loopback: Loopback, http: Http, publish: Publish
) -> None:
    for symbol in ("BTCUSD", "BTCUSDT", "BTCUSDT_240329"):
        publish(loopback, f"data/spot/daily/trades/{symbol}/{symbol}-trades-{_DAY}.zip", _ROW)
    door = Trades(archive_url=loopback.url, listing_url=loopback.url)
    files = list(door.files(("BTCUSDT",), _DAY, date(2024, 2, 1), http))
    assert [file.name for file in files] == [f"BTCUSDT-trades-{_DAY}.zip"]


def test_a_symbol_may_hold_any_letters(loopback: Loopback, http: Http, publish: Publish) -> None:
    symbol = "币安人生USDT"
    publish(loopback, f"data/spot/daily/trades/{symbol}/{symbol}-trades-{_DAY}.zip", _ROW)
    door: Any = Trades(archive_url=loopback.url, listing_url=loopback.url)
    (file,) = door.files((symbol,), _DAY, date(2024, 2, 1), http)
    with fetched(file, http) as path, ByteStream(path, file.url) as stream:
        (batch,) = door.read(file, stream, file.symbols)
    assert batch["symbol"].to_pylist() == [symbol]


def test_without_a_listing_every_day_is_asked_for_by_its_name(
    loopback: Loopback, http: Http
) -> None:
    door = Trades(archive_url=loopback.url, listing_url="")
    files = list(door.files(("BTCUSDT",), _DAY, date(2024, 2, 3), http))
    assert loopback.requests == []
    assert [f"{file.start}" for file in files] == ["2024-01-31", "2024-02-01", "2024-02-02"]
    absent = pytest.raises(MissingError, match="BTCUSDT-trades-2024-02-02")
    with absent, fetched(files[-1], http):
        pass


@pytest.mark.parametrize("line", ["0" * 64, "<html>404</html>"], ids=["another", "no checksum"])
def test_a_wrong_checksum_is_refused(
    loopback: Loopback, http: Http, publish: Publish, line: str
) -> None:
    publish(loopback, f"data/spot/daily/trades/BTCUSDT/BTCUSDT-trades-{_DAY}.zip", _ROW)
    door: Any = Trades(archive_url=loopback.url, listing_url="")
    (file,) = door.files(("BTCUSDT",), _DAY, date(2024, 2, 1), http)
    with fetched(file, http) as path, ByteStream(path, file.url) as stream:
        assert sum(batch.num_rows for batch in door.read(file, stream, file.symbols)) == 1
    name = f"data/spot/daily/trades/BTCUSDT/{file.name}.CHECKSUM"
    loopback.put(name, f"{line}  {file.name}\n".encode())
    with pytest.raises(ChecksumError, match=file.name), fetched(file, http):
        pass


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("id,price,qty,quote_qty,when,is_buyer_maker\n", MessageError, "no column time"),
        (_ROW.replace("4.00000100", "4.000001001"), MessageError, "row 1: price .* 8 digits"),
        (_ROW.replace("True,True", "yes,True"), DataError, "row 1: is_buyer_maker cannot be yes"),
        (_ROW.replace("True,True", ",True"), DataError, "row 1: is_buyer_maker cannot be :"),
        (_ROW.replace("1706659200000", "1706659200"), DataError, "row 1: timestamp 1706659200 "),
        (_ROW.replace("1706659200000", "1.70027E+12"), DataError, "spreadsheet"),
        (_ROW + _ROW.replace("7,", "x,"), MessageError, "row 2: id cannot be 'x'"),
        (_ROW + _ROW.replace("7,", ",", 1), DataError, "row 2: id is empty"),
        (_ROW + "8,4.0,12.0\n", MessageError, "row 2 has 3 fields, expected 7"),
    ],
)
def test_a_bad_row_is_named(read: Read, text: str, error: type, message: str) -> None:
    with pytest.raises(error, match=rf"BTCUSDT-trades-2024-01-31\.zip: .*{message}"):
        read(Trades(), "BTCUSDT-trades-2024-01-31", text)


@pytest.mark.parametrize("odd", [70_000, 1])
def test_a_file_has_one_unit_of_time(read: Read, odd: int) -> None:
    row = "{},4.0,12.0,48.0,{},True,True\n"
    rows = [row.format(n, 1735689600000 * (1000 if n == odd else 1)) for n in range(70_001)]
    message = rf"BTCUSDT-trades-2025-01-01\.zip: row {odd + 1}: timestamp 1735689600000000 "
    with pytest.raises(DataError, match=message):
        read(Trades(), "BTCUSDT-trades-2025-01-01", "".join(rows))


def test_milliseconds_and_microseconds_are_told_apart(read: Read) -> None:
    day = "BTCUSDT-trades-2025-01-01"
    millis = read(Trades(), day, "7,4.0,12.0,48.0,1735689600123,True,True\n")
    micros = read(Trades(), day, "7,4.0,12.0,48.0,1735689600123456,True,True\n")
    assert millis["timestamp"].cast(pa.int64()).to_pylist() == [1735689600123000000]
    assert micros["timestamp"].cast(pa.int64()).to_pylist() == [1735689600123456000]


def test_the_published_quote_amount_is_not_used(read: Read) -> None:
    text = (
        "id,price,qty,quote_qty,time,is_buyer_maker\n7,11494.06,0.007,80.45,1706659200000,false\n"
    )
    table = read(Trades(market="usdm"), "BTCUSDT-trades-2024-01-31", text)
    assert str(table["notional"][0]) == "80.4584200000000000"
    assert table["tick_rule"].to_pylist() == [1]


def test_aggregates_that_an_audit_found_invalid_are_left_out(read: Read) -> None:
    text = (
        "5,1.00000000,2.00000000,8,9,1706659200000,False,True\n"
        "6,0.00000000,0.00000000,-1,-1,1706659200000,False,True\n"
        "7,1.00000000,2.00000000,10,10,1706659200000,False,True\n"
    )
    table = read(AggTrades(), "BTCUSDT-aggTrades-2024-01-31", text)
    assert table["trade_id"].to_pylist() == ["5", "7"]
    assert table["ticks"].to_pylist() == [2, 1]


@pytest.mark.parametrize("fills", ["9,8", "-1,8"])
def test_an_aggregate_of_impossible_fills_is_named(read: Read, fills: str) -> None:
    text = f"5,1.0,2.0,8,9,1706659200000,True,True\n6,1.0,2.0,{fills},1706659200000,True,True\n"
    with pytest.raises(DataError, match=r"row 2: an aggregate cannot have fills from"):
        read(AggTrades(), "BTCUSDT-aggTrades-2024-01-31", text)


@pytest.mark.parametrize(
    ("door", "market", "continuity"),
    [
        (Trades, "spot", "contiguous"),
        (Trades, "usdm", "increasing"),
        (AggTrades, "spot", "contiguous"),
        (AggTrades, "usdm", "contiguous"),
    ],
)
def test_what_ids_prove_depends_on_the_market(door: Any, market: str, continuity: str) -> None:
    assert door(market=market).continuity == continuity
