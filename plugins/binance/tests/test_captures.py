import json
import random
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from werks.archive import ByteStream, fetched
from werks.errors import ChecksumError, MessageError
from werks.http import Http
from werks.schema import nanoseconds
from werks.testing import Loopback
from werks_binance import AggTrades, Trades

Read = Callable[..., pa.Table]
Publish = Callable[[Loopback, str, str], None]
Aggregates = list[dict[str, Any]]

_DAYS = (date(2019, 10, 11), date(2019, 10, 12), date(2019, 10, 13))
_FIRST, _LAST = 13519807, 13532283
_HEADER = (
    "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker,"
    "is_best_match\n"
)


def _excerpt(captures: Path, name: str) -> str:
    return (captures / "binance" / f"archive-excerpt-{name}.csv").read_text()


def _line(row: dict[str, Any], times: int = 1, lower: bool = False) -> str:
    cells = [row[key] for key in "apqfl"] + [row["T"] * times, row["m"], row["M"]]
    line = ",".join(map(str, cells))
    return (line.lower() if lower else line) + "\n"


def _text(rows: Aggregates, **spelling: Any) -> str:
    return "".join(_line(row, **spelling) for row in rows)


def _by_day(rows: Aggregates) -> dict[date, Aggregates]:
    days: dict[date, Aggregates] = defaultdict(list)
    for row in rows:
        days[datetime.fromtimestamp(row["T"] // 1000, UTC).date()].append(row)
    return days


def _ids(table: pa.Table) -> list[int]:
    return [int(text) for text in table["trade_id"].to_pylist()]


@pytest.fixture
def served(loopback: Loopback, http: Http, publish: Publish, xrpeth: Aggregates) -> pa.Table:
    """Return all rows of the recording, listed, fetched and checked as from the archive."""
    for day, rows in _by_day(xrpeth).items():
        key = f"data/spot/daily/aggTrades/XRPETH/XRPETH-aggTrades-{day}.zip"
        publish(loopback, key, _text(rows))
    door: Any = AggTrades(archive_url=loopback.url, listing_url=loopback.url)
    batches: list[pa.RecordBatch] = []
    for file in door.files(("XRPETH",), _DAYS[0], date(2019, 12, 1), http):
        with fetched(file, http) as path, ByteStream(path, file.url) as stream:
            batches += door.read(file, stream, file.symbols)
    return pa.Table.from_batches(batches, door.schema)


def test_three_days_of_xrpeth_are_all_there(served: pa.Table, xrpeth: Aggregates) -> None:
    days = pc.strftime(served["timestamp"], "%Y-%m-%d").value_counts().to_pylist()
    counts = {count["values"]: count["counts"] for count in days}
    assert counts == {"2019-10-11": 5929, "2019-10-12": 4134, "2019-10-13": 2414}
    assert _ids(served) == list(range(_FIRST, _LAST + 1))
    assert pc.sum(served["ticks"]).as_py() == 14672
    expected = [Decimal(row["p"]) * Decimal(row["q"]) for row in xrpeth]
    assert served["notional"].to_pylist() == expected
    sides = [-1 if row["m"] else 1 for row in xrpeth]
    assert served["tick_rule"].to_pylist() == sides


def test_a_tick_is_one_price_and_its_two_ids_are_the_aggregates_own(served: pa.Table) -> None:
    assert all(served["price"] == served[name] for name in ("open", "high", "low"))
    assert served["trade_id"] == served["last_trade_id"]


def test_minutes_of_the_ticks_are_the_exchanges_candles(served: pa.Table, captures: Path) -> None:
    path = captures / "binance" / "candles-1m-XRPETH-20191011-20191013.json"
    candles = json.loads(path.read_text(), parse_float=Decimal)
    expected = {row[0]: [Decimal(cell) for cell in row[1:6]] for row in candles if row[5]}
    minutes: dict[int, list[tuple[Decimal, Decimal]]] = defaultdict(list)
    times = nanoseconds(served["timestamp"].combine_chunks()).tolist()
    prices, sizes = served["price"].to_pylist(), served["size"].to_pylist()
    for time, price, size in zip(times, prices, sizes, strict=True):
        minutes[time // 60_000_000_000 * 60_000].append((price, size))
    ours = {}
    for minute, fills in minutes.items():
        paid = [price for price, _ in fills]
        ours[minute] = [paid[0], max(paid), min(paid), paid[-1], sum(size for _, size in fills)]
    assert len(expected) == 2469
    assert ours == expected


@pytest.mark.parametrize(
    ("header", "spelling"),
    [("", {"times": 1000}), (_HEADER, {"lower": True}), (_HEADER, {})],
    ids=["microseconds", "a header and true", "a header and True"],
)
def test_another_spelling_gives_the_same(
    read: Read, xrpeth: Aggregates, header: str, spelling: dict[str, Any]
) -> None:
    rows, stem = _by_day(xrpeth)[_DAYS[2]], f"XRPETH-aggTrades-{_DAYS[2]}"
    plain = read(AggTrades(), stem, _text(rows))
    assert plain.num_rows == 2414
    assert read(AggTrades(), stem, header + _text(rows, **spelling)) == plain


def test_shuffled_rows_are_the_same_rows_in_the_files_order(read: Read, xrpeth: Aggregates) -> None:
    rows, stem = _by_day(xrpeth)[_DAYS[2]], f"XRPETH-aggTrades-{_DAYS[2]}"
    shuffled = random.Random(7).sample(rows, len(rows))
    table = read(AggTrades(), stem, _text(shuffled))
    assert _ids(table) == [row["a"] for row in shuffled]
    assert table.sort_by("trade_id") == read(AggTrades(), stem, _text(rows))


def test_a_zip_that_is_cut_short_is_refused(
    loopback: Loopback, http: Http, publish: Publish, xrpeth: Aggregates
) -> None:
    key = f"data/spot/daily/aggTrades/XRPETH/XRPETH-aggTrades-{_DAYS[2]}.zip"
    publish(loopback, key, _text(_by_day(xrpeth)[_DAYS[2]]))
    loopback.put(key, loopback.body(key)[:-100])
    door: Any = AggTrades(archive_url=loopback.url, listing_url="")
    (file,) = door.files(("XRPETH",), _DAYS[2], date(2019, 10, 14), http)
    with pytest.raises(ChecksumError, match=file.name), fetched(file, http):
        pass
    unchecked = attrs.evolve(file, checksum="")
    broken = pytest.raises(MessageError, match=f"{file.name}: cannot be unpacked")
    with broken, fetched(unchecked, http) as path, ByteStream(path, file.url) as stream:
        list(door.read(file, stream, file.symbols))


def test_the_same_fills_as_single_trades(read: Read, xrpeth: Aggregates) -> None:
    rows = [row for row in _by_day(xrpeth)[_DAYS[2]] if row["f"] == row["l"]]
    text = "".join(
        f"{row['f']},{row['p']},{row['q']},0.1,{row['T']},{row['m']},{row['M']}\n" for row in rows
    )
    trades = read(Trades(), f"XRPETH-trades-{_DAYS[2]}", text)
    ticks = read(AggTrades(), f"XRPETH-aggTrades-{_DAYS[2]}", _text(rows))
    assert _ids(trades) == [row["f"] for row in rows]
    for name in ("timestamp", "tick_rule", "price", "size", "notional"):
        assert trades[name] == ticks[name]


def test_a_short_day_is_whole(read: Read, captures: Path) -> None:
    text = _excerpt(captures, "spot-trades-BTCUSDT-2018-02-08-short-day")
    table = read(Trades(), "BTCUSDT-trades-2018-02-08", text)
    assert _ids(table) == [14764081, 14776497]
    assert table["notional"].to_pylist() == [Decimal("1708.0272300"), Decimal("25.11903254")]
    assert table["tick_rule"].to_pylist() == [-1, -1]


def test_the_end_of_2021_12_14_is_missing(read: Read, captures: Path) -> None:
    tail = _excerpt(captures, "spot-aggtrades-BTCUSDT-2021-12-14-tail")
    head = _excerpt(captures, "spot-aggtrades-BTCUSDT-2021-12-15-head")
    before = read(AggTrades(), "BTCUSDT-aggTrades-2021-12-14", tail)
    after = read(AggTrades(), "BTCUSDT-aggTrades-2021-12-15", head)
    assert _ids(before) == list(range(1031427002, 1031427012))
    assert before["tick_rule"].to_pylist() == [-1, -1, 1, 1, 1, -1, -1, -1, -1, -1]
    assert before["ticks"].to_pylist() == [2] + [1] * 9
    assert _ids(after)[0] - _ids(before)[-1] - 1 == 674_766
    assert "674,766" in AggTrades().blind_spots[0]


def test_two_interleaved_streams_of_ids_are_read_as_they_stand(read: Read, captures: Path) -> None:
    text = _excerpt(captures, "usdm-aggtrades-BTCUSDT-2023-05-unordered")
    table = read(AggTrades(market="usdm"), "BTCUSDT-aggTrades-2023-05", text)
    assert _ids(table)[:3] == [1715206948, 1750606761, 1715206949]
    assert sorted(_ids(table)) == [*range(1715206948, 1715206953), *range(1750606761, 1750606766)]
    assert table["tick_rule"].to_pylist()[:2] == [1, -1]
    assert table["ticks"].to_pylist()[:2] == [4, 2]
    assert table["exchange"].unique().to_pylist() == ["binance-usdm"]


def test_aggregates_are_contiguous_where_trade_ids_have_holes(read: Read, captures: Path) -> None:
    text = _excerpt(captures, "usdm-aggtrades-BTCUSDT-2024-07-04-gaps")
    table = read(AggTrades(market="usdm"), "BTCUSDT-aggTrades-2024-07-04", text)
    assert _ids(table) == list(range(2228503268, 2228503272))
    assert table["ticks"].to_pylist() == [2, 2, 1, 1]
    assert table["notional"].to_pylist()[0] == Decimal("60276.3") * Decimal("0.029")
