"""Real published files, read through the door; the figures are those of PROVENANCE.md."""

import gzip
from datetime import date, timedelta
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pytest

from werks.archive import ByteStream, fetched
from werks.schema import nanoseconds
from werks_bybit import Trades

WHOLE_DAY = "archive-trading-BTCUSD2019-10-01.csv.gz"


def _read(loopback, http, market, symbol, day):
    door = Trades(market=market, archive_url=loopback.url)
    (file,) = door.files([symbol], day, day + timedelta(days=1), http)
    with fetched(file, http) as path, ByteStream(path, file.url) as stream:
        return pa.Table.from_batches(door.read(file, stream, [symbol]), door.schema)


@pytest.fixture
def inverse(captures, loopback, http):
    body = (captures / "bybit" / WHOLE_DAY).read_bytes()
    loopback.put("trading/BTCUSD/BTCUSD2019-10-01.csv.gz", body)
    return _read(loopback, http, "inverse", "BTCUSD", date(2019, 10, 1))


def _plain(captures, loopback, name, path):
    loopback.put(path, gzip.compress((captures / "bybit" / name).read_bytes()))


def test_a_whole_day_comes_to_its_totals(inverse):
    assert len(inverse) == 93_598
    assert pc.sum(inverse["notional"]).as_py() == 933_178_345
    assert pc.sum(inverse["size"]).as_py() == Decimal("111415.49185099")


def test_a_whole_day_is_bought_and_sold_as_recorded(inverse):
    bought = inverse.filter(pc.equal(inverse["tick_rule"], 1))
    assert len(bought) == 47_487
    assert pc.sum(bought["notional"]).as_py() == 471_163_388


def test_a_whole_day_keeps_the_order_and_the_times_of_the_file(inverse):
    times = nanoseconds(inverse["timestamp"].combine_chunks())
    assert (times[0], times[-1]) == (1569974396_557895000, 1569888000_719213000)
    assert [str(inverse["price"][row]) for row in (0, -1)] == ["8319.5000000000", "8297.5000000000"]
    assert inverse["trade_id"][0].as_py() == "656acfd0-8b65-5070-a2f1-b5b55f8402a1"
    assert len(inverse["trade_id"].unique()) == 93_598


def test_every_inverse_size_is_the_one_that_bybit_printed(captures, inverse):
    """An inverse file's foreignNotional is the base amount, cut to eight digits."""
    printed = pacsv.read_csv(
        captures / "bybit" / WHOLE_DAY,
        convert_options=pacsv.ConvertOptions(
            column_types={"foreignNotional": inverse.schema.field("size").type},
            include_columns=["foreignNotional"],
        ),
    )
    assert inverse["size"].equals(printed["foreignNotional"])


def test_a_linear_excerpt_has_exact_notionals(captures, loopback, http):
    """The float noise of foreignNotional (0.6811349999999999) is not taken over."""
    name = "archive-excerpt-trading-FXSUSDT-2023-10-10.csv"
    _plain(captures, loopback, name, "trading/FXSUSDT/FXSUSDT2023-10-10.csv.gz")
    table = _read(loopback, http, "linear", "FXSUSDT", date(2023, 10, 10))
    rows = table.drop(["timestamp", "received"]).to_pylist()
    assert len(rows) == 15
    assert [row["notional"] for row in rows] == [row["price"] * row["size"] for row in rows]
    assert rows[1]["notional"] == Decimal("0.681135")
    assert nanoseconds(table["timestamp"].combine_chunks())[0] == 1696982287_492200000
    assert [row["tick_rule"] for row in rows] == [-1, *[1] * 14]
    assert {row["exchange"] for row in rows} == {"bybit-linear"}


def test_spot_rows_that_differ_in_id_only_are_both_kept(captures, loopback, http):
    name = "archive-excerpt-spot-BTCUSDT-2025-05-19.csv"
    _plain(captures, loopback, name, "spot/BTCUSDT/BTCUSDT_2025-05-19.csv.gz")
    table = _read(loopback, http, "spot", "BTCUSDT", date(2025, 5, 19))
    first, second, third = table.drop(["timestamp", "received"]).to_pylist()
    assert (first["trade_id"], first["tick_rule"]) == ("1", -1)
    assert second == third | {"trade_id": "2"}
    assert second["notional"] == Decimal("53.22845")
    assert nanoseconds(table["timestamp"].combine_chunks())[0] == 1747612800_074000000
    assert {row["flag"] for row in (first, second, third)} == {None}
