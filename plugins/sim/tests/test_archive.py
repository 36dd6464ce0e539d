"""The archive door keeps the rules, over HTTP and on the spot."""

import re
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pyarrow as pa
import pytest

from werks.archive import ByteStream, fetched
from werks.errors import DataError, MissingError
from werks.testing import ArchiveTests, Published, Totals
from werks_sim import Exchange, Trades
from werks_sim.market import START

STOP = START + timedelta(days=2)
SMALL = Exchange(seed=5, trades_per_day=200)


def _totals(symbol, start, stop):
    rows, size, notional = 0, 0, 0
    for day in SMALL.days(symbol, start, stop):
        tape = SMALL.tape(symbol, day)
        rows += len(tape)
        size += int(tape.sizes.sum())
        notional += int((tape.prices * tape.sizes).sum())
    lot = Decimal(1).scaleb(-tape.market.size_digits)
    return Totals(rows, size * lot, (notional * lot).scaleb(-tape.market.price_digits))


class TestPublished(ArchiveTests):
    def door(self, url):
        return Trades(seed=5, trades_per_day=200, archive_url=url)

    def publish(self, loopback):
        symbols = ("BTCUSD", "DOGEUSD")
        for symbol in symbols:
            for path, body in SMALL.published(symbol, START, STOP + timedelta(days=1)):
                loopback.put(path, body)
        return Published(START, STOP, {symbol: _totals(symbol, START, STOP) for symbol in symbols})


def _read(door, http, symbol="BTCUSD", days=1):
    batches = []
    for file in door.files([symbol], START, START + timedelta(days=days), http):
        content = None if door.archive_url else door.content
        with fetched(file, http, content=content) as path, ByteStream(path, file.url) as stream:
            batches += door.read(file, stream, [symbol])
    return pa.Table.from_batches(batches, door.schema)


def test_files_made_on_the_spot_hold_what_published_ones_hold(loopback, http):
    for path, body in SMALL.published("BTCUSD", START, STOP):
        loopback.put(path, body)
    made = Trades(seed=5, trades_per_day=200)
    assert _read(made, http, days=2) == _read(TestPublished().door(loopback.url), http, days=2)


def test_what_is_made_on_the_spot_needs_no_network():
    door = Trades(trades_per_day=10)
    (file,) = door.files(["ETHUSD"], START, START + timedelta(days=1), http=None)
    assert len(b"".join(door.content(file))) > 0
    assert file.url == "sim:///trades/ETHUSD/ETHUSD-2024-01-01.csv.gz"


def test_the_market_begins_with_2024():
    door = Trades()
    files = door.files(["BTCUSD"], date(2023, 12, 30), date(2024, 1, 3), http=None)
    assert [file.start for file in files] == [date(2024, 1, 1), date(2024, 1, 2)]


def test_a_market_that_does_not_exist_is_missing():
    with pytest.raises(MissingError, match="no market XBTUSD; it has BTCUSD, ETHUSD, DOGEUSD"):
        list(Trades().files(["XBTUSD"], START, STOP, http=None))


def test_ids_go_on_from_file_to_file(http):
    ids = [
        int(trade_id)
        for trade_id in _read(Trades(trades_per_day=50), http, days=4)["trade_id"].to_pylist()
    ]
    assert ids == list(range(1, len(ids) + 1))


def test_the_example_of_the_readme_lists_what_it_publishes(http):
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    code, live = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    names: dict[str, Any] = {}
    listing = "    days = list(door.files(['BTCUSD'], date(2024, 1, 1), date(2024, 1, 9), http))"
    exec(f"{code}{listing}\n", names | {"http": http}, names)
    assert [file.start.day for file in names["days"]] == [1, 2]
    exec(f"{live}    server.wait(lambda: course.now > NOON)\n", names, names)


def test_a_side_that_is_neither_is_named_with_its_row(loopback, http):
    text = b"id,time,side,price,size\n1,1704067200000000,buy,1,1\n2,1704067200000000,bid,1,1\n"
    day = loopback.put("trades/BTCUSD/BTCUSD-2024-01-01.csv", text)
    (made,) = Trades().files(["BTCUSD"], START, START + timedelta(days=1), http)
    file = attrs.evolve(made, url=day)
    with (
        fetched(file, http) as path,
        ByteStream(path, file.url) as stream,
        pytest.raises(DataError, match=r"2024-01-01\.csv: row 3: side cannot be 'bid'"),
    ):
        list(Trades().read(file, stream, ["BTCUSD"]))
