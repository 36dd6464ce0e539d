import gzip
import itertools
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from werks.archive import ByteStream, fetched
from werks.http import Http
from werks.testing import Loopback
from werks_bitmex import Trades

Row = Mapping[str, str]
Rows = Sequence[Row]
Read = Callable[..., pa.Table]

_DAY = date(2021, 7, 22)
_SATOSHI = Decimal("0.00000001")
_GENERATIONS = [(), ("trdType",), ("trdType", "pool")]


def _total(column: pa.ChunkedArray) -> Decimal:
    return sum(column.to_pylist(), Decimal(0))


@pytest.fixture
def day(xbtusd: Rows, markets: Rows) -> Rows:
    """Return the trades of 2019-05-03 among trades of nine other markets on that day."""
    others = [row for row in markets if row["symbol"] != "XBTUSD"]
    moved = [{**row, "timestamp": "2019-05-03" + row["timestamp"][10:]} for row in others]
    return [*moved[:5], *xbtusd, *moved[5:]]


def test_the_recorded_trades_are_all_there(
    read: Read, layout: Any, day: Rows, xbtusd: Rows
) -> None:
    table = read(layout().text(day))
    assert table.num_rows == len(xbtusd) == 2928
    assert table["trade_id"].to_pylist() == [row["trdMatchID"] for row in xbtusd]
    assert _total(table["notional"]) == 9_052_717
    assert table["tick_rule"].to_pylist().count(1) == 944
    assert table["tick_rule"].to_pylist().count(-1) == 2928 - 944
    assert _total(table["size"]) == sum(int(row["grossValue"]) for row in xbtusd) * _SATOSHI
    assert table["flag"].null_count == 2928


def test_a_whole_minute_is_as_it_was(read: Read, layout: Any, day: Rows) -> None:
    table = read(layout().text(day))
    minute = table.filter(pc.equal(pc.minute(table["timestamp"]), 1))
    prices = minute["price"].to_pylist()
    assert (prices[0], max(prices), min(prices), prices[-1]) == (
        Decimal("5696.5"),
        5699,
        5688,
        Decimal("5698.5"),
    )
    assert (minute.num_rows, _total(minute["notional"])) == (1644, Decimal(5_759_695))


@pytest.mark.parametrize("more", _GENERATIONS, ids=["2018", "trdType", "pool"])
@pytest.mark.parametrize("digits", [9, 6, None], ids=["nine", "six", "as few as need be"])
def test_every_generation_gives_the_same_trades(
    read: Read, layout: Any, day: Rows, more: tuple[str, ...], digits: int | None
) -> None:
    symbols = ("XBTUSD", "BCHUSD", "XRPU21")
    assert read(layout(more, digits).text(day), symbols) == read(layout().text(day), symbols)


def test_without_a_fraction_only_the_times_differ(read: Read, layout: Any, day: Rows) -> None:
    exact, whole = read(layout().text(day)), read(layout((), 0).text(day))
    assert whole.drop_columns("timestamp") == exact.drop_columns("timestamp")
    seconds = pc.floor_temporal(exact["timestamp"], unit="second")
    assert whole["timestamp"] == seconds


def test_one_fetch_serves_many_symbols(
    loopback: Loopback, http: Http, layout: Any, markets: Rows
) -> None:
    key, symbols = f"data/trade/{_DAY:%Y%m%d}.csv.gz", ("XBTUSD", "UNIUSDT", "TRXU21")
    loopback.put(key, gzip.compress(layout().text(markets).encode()))
    door: Any = Trades(archive_url=loopback.url, listing_url=loopback.url)
    (file,) = door.files(symbols, date(2021, 1, 1), date(2022, 1, 1), http)
    assert file.symbols == symbols
    with fetched(file, http) as path, ByteStream(path, file.url) as stream:
        batches = list(door.read(file, stream, symbols))
    assert {str(batch["symbol"][0]): batch.num_rows for batch in batches} == {
        symbol: sum(row["symbol"] == symbol for row in markets) for symbol in symbols
    }
    assert loopback.asked(key) == 1


def test_amounts_of_every_contract_are_as_its_instrument_says(
    read: Read, layout: Any, markets: Rows, instruments: dict[str, Any]
) -> None:
    checks = {"inverse": _check_inverse, "linear": _check_linear, "quanto": _check_quanto}
    seen = []
    for symbol in {row["symbol"]: 0 for row in markets}:
        rows = [row for row in markets if row["symbol"] == symbol]
        table = read(layout().text(markets), (symbol,), _DAY)
        assert table.num_rows == len(rows)
        instrument = instruments[symbol]
        kind = "inverse" if instrument["isInverse"] else "linear"
        kind = "quanto" if instrument["isQuanto"] else kind
        for row, trade in zip(rows, table.to_pylist(), strict=True):
            checks[kind](row, trade, instrument)
            seen.append(kind)
    assert {kind: seen.count(kind) for kind in checks} == {"inverse": 16, "linear": 2, "quanto": 9}


def _check_inverse(row: Row, trade: dict[str, Any], instrument: dict[str, Any]) -> None:
    lots, left = divmod(int(row["size"]), 100)
    assert left == 0
    price = Decimal(row["price"])
    gross = (100 * 10**8 / price).to_integral_value() * lots
    assert trade["notional"] == int(row["size"]) == Decimal(row["foreignNotional"])
    assert trade["size"] == gross * _SATOSHI == Decimal(row["homeNotional"])


def _check_linear(row: Row, trade: dict[str, Any], instrument: dict[str, Any]) -> None:
    assert trade["size"] == Decimal(row["size"]) / instrument["underlyingToPositionMultiplier"]
    assert trade["notional"] == trade["price"] * trade["size"]


def _check_quanto(row: Row, trade: dict[str, Any], instrument: dict[str, Any]) -> None:
    gross = int(row["grossValue"])
    assert gross == Decimal(row["size"]) * Decimal(row["price"]) * instrument["multiplier"]
    rate = round(gross / Decimal(row["foreignNotional"]))
    assert rate in range(3102, 3112)
    assert trade["notional"] == (Decimal(gross) / rate).quantize(_SATOSHI, ROUND_HALF_EVEN)
    base = Decimal(gross) / rate / Decimal(row["price"])
    assert trade["size"] == base.quantize(_SATOSHI, ROUND_HALF_EVEN)


def test_inverse_trades_of_2022_are_whole_numbers(read: Read, layout: Any, reverse: Rows) -> None:
    table = read(layout(("trdType",)).text(reverse), day=date(2022, 9, 25))
    assert table["trade_id"].to_pylist() == [row["trdMatchID"] for row in reverse]
    assert table["notional"].to_pylist() == [int(row["size"]) for row in reverse]
    assert table["size"].to_pylist() == [int(row["grossValue"]) * _SATOSHI for row in reverse]
    assert table["tick_rule"].to_pylist() == [1 if r["side"] == "Buy" else -1 for r in reverse]


def test_the_first_row_of_all_is_another_contract(
    read: Read, layout: Any, captures: Path, rows_of: Callable[[str], Rows]
) -> None:
    rows = rows_of((captures / "bitmex" / "rest-trade-first-XBTUSD-20150925.json").read_text())
    table = read(layout().text(rows), day=date(2015, 9, 25))
    assert [str(table[name][0]) for name in ("price", "size", "notional")] == [
        "239.9900000000",
        "0.00239990",
        "0.575952000000000000",
    ]


def test_index_ticks_are_no_trades(
    read: Read, layout: Any, markets: Rows, captures: Path, rows_of: Callable[[str], Any]
) -> None:
    path = captures / "bitmex" / "ws-fixtures-2025-roq.jsonl"
    messages = [rows_of(line)["raw"] for line in path.read_text().splitlines()]
    index = [row for raw in messages if '"Referential"' in raw for row in rows_of(raw)["data"]]
    assert len(index) == 2
    symbols = ("XBTUSD", *{row["symbol"]: 0 for row in index})
    for more in _GENERATIONS:
        rows = itertools.chain(index, markets)
        assert read(layout(more).text(rows), symbols, _DAY).num_rows == 16
