from collections.abc import Callable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from werks.archive import fetched
from werks.errors import DataError, MessageError, MissingError
from werks.http import Http
from werks.testing import Loopback
from werks_bitmex import Trades

Row = Mapping[str, str]
Read = Callable[..., pa.Table]

_ROW: Row = {
    "timestamp": "2019-05-03T12:00:09.576Z",
    "symbol": "XBTUSD",
    "side": "Sell",
    "size": "18",
    "price": "5700",
    "tickDirection": "ZeroMinusTick",
    "trdMatchID": "e9836e7b-0000-4000-8000-000000000001",
    "grossValue": "315792",
    "homeNotional": "0.00315792",
    "foreignNotional": "18",
}
# 52 contracts of 1000 × price satoshis each, at 3108 satoshis a quote unit
_QUANTO: Row = {
    **_ROW,
    "symbol": "UNIUSDT",
    "size": "52",
    "price": "17.297",
    "grossValue": "899444",
    "homeNotional": "16.73101673101673",
    "foreignNotional": "289.39639639639637",
}


def _put(loopback: Loopback, *days: date) -> None:
    for day in days:
        loopback.put(f"data/trade/{day:%Y%m%d}.csv.gz", b"")


def test_one_file_a_day_holds_all_symbols(loopback: Loopback, http: Http) -> None:
    loopback.page_size = 2
    first = date(2024, 12, 29)
    _put(loopback, *(first + timedelta(days=n) for n in range(6)))
    loopback.put("data/trade/20241230.csv.gz.part", b"")
    door = Trades(archive_url=f"{loopback.url}/", listing_url=loopback.url)
    files = list(door.files(("XBTUSD", "ETHUSD"), date(2024, 12, 30), date(2025, 1, 2), http))
    assert [file.start for file in files] == [first + timedelta(days=n) for n in (1, 2, 3)]
    assert files[0].url == f"{loopback.url}/data/trade/20241230.csv.gz"
    assert {file.symbols for file in files} == {("XBTUSD", "ETHUSD")}
    assert {file.checksum for file in files} == {""}


def test_without_a_listing_days_that_never_were_are_not_asked_for(
    loopback: Loopback, http: Http
) -> None:
    door = Trades(archive_url=loopback.url, listing_url="")
    files = list(door.files(("XBTUSD",), date(2025, 4, 10), date(2025, 4, 14), http))
    assert [file.name for file in files] == ["20250410.csv.gz", "20250413.csv.gz"]
    assert loopback.requests == []
    with pytest.raises(MissingError, match=r"20250410\.csv\.gz"), fetched(files[0], http):
        pass


def test_days_that_were_never_published_are_said_with_the_reason() -> None:
    days = ["2025-03-26", "2025-04-11", "2025-04-12", "2026-06-10"]
    assert [day.isoformat() for day in Trades.known_missing] == days
    assert all("never published" in reason for reason in Trades.known_missing.values())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3.0000000000000003E-4", "0.00030000"),
        ("1e-05", "0.00001000"),
        ("1.2345678E7", "12345678.00000000"),
        ("289.39639639639637", "289.39639640"),
        ("0.000000005", "0E-8"),
        ("0.000000015", "2E-8"),
        ("1.5e-08", "2E-8"),
        ("2.5e-08", "2E-8"),
        ("2.5000000000000001e-08", "3E-8"),
        ("123456789012.12345", "123456789012.12345000"),
    ],
)
def test_amounts_are_rounded_half_even_from_their_text(
    read: Read, layout: Any, text: str, expected: str
) -> None:
    row = {**_QUANTO, "homeNotional": text, "foreignNotional": text}
    table = read(layout().text([row]), ("UNIUSDT",))
    assert table["size"].to_pylist() == [Decimal(expected)]
    assert table["notional"].to_pylist() == [Decimal(expected)]


def test_an_inverse_amount_does_not_depend_on_the_spelling_of_a_float(
    read: Read, layout: Any
) -> None:
    row = {**_ROW, "homeNotional": "3.1579200000000003E-3", "foreignNotional": "1.8e1"}
    assert read(layout().text([row])) == read(layout().text([_ROW]))
    large = {**_ROW, "size": "2000000000", "foreignNotional": "2000000000.0"}
    large |= {"grossValue": "35088000000000", "homeNotional": "350880.00000001"}
    (trade,) = read(layout().text([large])).to_pylist()
    assert (trade["size"], trade["notional"]) == (350880, 2_000_000_000)


def test_rows_of_two_kinds_of_contract_may_have_one_symbol(read: Read, layout: Any) -> None:
    table = read(layout().text([{**_QUANTO, "symbol": "XBTUSD"}, _ROW]))
    assert table["size"].to_pylist() == [Decimal("16.73101673"), Decimal("0.00315792")]
    assert table["notional"].to_pylist() == [Decimal("289.3963964"), 18]


def test_nanoseconds_are_kept(read: Read, layout: Any) -> None:
    row = {**_ROW, "timestamp": "2018-12-05T00:00:25.948313007Z"}
    table = read(layout().text([row]), day=date(2018, 12, 5))
    assert table["timestamp"].cast(pa.int64()).to_pylist() == [1543968025948313007]


@pytest.mark.parametrize(
    ("kind", "side", "flag", "sign"),
    [
        ("Regular", "Buy", None, 1),
        ("Regular", "Sell", None, -1),
        ("Settlement", "", "off_book", 0),
        ("Settlement", "Buy", "off_book", 0),
        ("BlockTrade", "Sell", "block", -1),
        ("Xx", "Sell", None, -1),
    ],
)
def test_kinds_of_trades_are_flagged(
    read: Read, layout: Any, kind: str, side: str, flag: str | None, sign: int
) -> None:
    row = {**_ROW, "trdType": kind, "side": side}
    (trade,) = read(layout(("trdType",)).text([row])).to_pylist()
    assert (trade["flag"], trade["tick_rule"]) == (flag, sign)
    assert trade["notional"] == 18


def test_a_referential_row_is_dropped_whatever_its_symbol(read: Read, layout: Any) -> None:
    rows = [{**_ROW, "trdType": "Referential", "size": "0", "trdMatchID": ""}, _ROW]
    assert read(layout(("trdType",)).text(rows))["trade_id"].to_pylist() == [_ROW["trdMatchID"]]


def test_a_settlement_of_an_older_file_has_no_side(read: Read, layout: Any) -> None:
    (trade,) = read(layout().text([{**_ROW, "side": ""}])).to_pylist()
    assert (trade["flag"], trade["tick_rule"]) == ("off_book", 0)


def test_a_missing_id_is_made_of_the_time_and_the_place_in_it(read: Read, layout: Any) -> None:
    bare = {**_ROW, "trdMatchID": ""}
    zero = {**_ROW, "trdMatchID": "00000000-0000-0000-0000-000000000000"}
    later = {**bare, "timestamp": "2019-05-03T12:00:09.577Z"}
    rows = [bare, _ROW, {**bare, "symbol": "UNIUSDT"}, later, zero]
    ids = [
        "1556884809576000000-0",
        _ROW["trdMatchID"],
        "1556884809577000000-0",
        "1556884809576000000-1",
    ]
    assert read(layout().text(rows))["trade_id"].to_pylist() == ids
    both = read(layout().text(rows), ("UNIUSDT", "XBTUSD"))["trade_id"].to_pylist()
    assert both == ["1556884809576000000-0", *ids]


def test_places_are_counted_across_blocks(read: Read, layout: Any) -> None:
    text = layout().text([{**_ROW, "trdMatchID": ""}])
    header, row = text.splitlines(keepends=True)
    ids = read(header + row * 70_000)["trade_id"].to_pylist()
    assert ids == [f"1556884809576000000-{n}" for n in range(70_000)]


def test_columns_are_found_by_name(read: Read, layout: Any) -> None:
    lines = [line.split(",") for line in layout(("trdType", "new")).text([_ROW]).splitlines()]
    turned = "".join(",".join(reversed(cells)) + "\n" for cells in lines)
    assert read(turned) == read(layout().text([_ROW]))


@pytest.mark.parametrize(
    ("cells", "error", "message"),
    [
        ({"timestamp": "1556884809576"}, DataError, "timestamp cannot be '1556884809576'"),
        (
            {"timestamp": "2019-05-03T12:00Z"},
            DataError,
            "timestamp .*12:00': a time",
        ),
        ({"timestamp": "2019-13-03T12:00:09.5Z"}, MessageError, "timestamp cannot be '2019-13-03D"),
        ({"timestamp": "2019-05-03T12:00:09,5"}, MessageError, " has 11 fields, expected 10"),
        ({"side": "Hold"}, DataError, "side cannot be 'Hold'"),
        ({"size": "1.5"}, MessageError, "size cannot be '1.5': a whole number"),
        ({"price": "0.00000000001"}, MessageError, "price cannot be .* at most 10 digits"),
        ({"price": ""}, MessageError, "price cannot be ''"),
        ({"grossValue": "nan"}, MessageError, "grossValue cannot be 'nan'"),
        ({"homeNotional": "many"}, MessageError, "homeNotional cannot be 'many': a number"),
        ({"foreignNotional": "nan"}, MessageError, "foreignNotional cannot be 'nan': a number"),
    ],
)
def test_a_bad_row_is_named(read: Read, layout: Any, cells: Row, error: type, message: str) -> None:
    rows = [_QUANTO] * 3 + [_ROW] * 2 + [{**_ROW, **cells}] + [_ROW] * 2
    with pytest.raises(error, match=rf"20190503\.csv\.gz: row 7.*{message}"):
        read(layout((), None).text(rows))


def test_an_odd_number_of_another_market_does_not_stop_the_day(read: Read, layout: Any) -> None:
    odd = {**_QUANTO, "price": "0.000000000000123", "side": "Hold", "foreignNotional": "?"}
    assert read(layout().text([odd, _ROW])).num_rows == 1


def test_a_file_of_bybit_is_not_taken_for_one(read: Read, layout: Any) -> None:
    text = layout().text([_ROW]).replace("2019-05-03D12:00:09.576000000", "1556884809.576")
    with pytest.raises(DataError, match=r"row 2: timestamp cannot be '1556884809.576'"):
        read(text)
