"""The views that all sinks with tables make."""

import runpy
from contextlib import closing
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from werks.components import Window
from werks.schema import Scales, schema
from werks.testing.sink import DAY, REMAINDER, SCHEMAS, prove, sample

store = runpy.run_path(str(Path(__file__).with_name("stores.py")))["store"]

OTHER = Window("bazaar", "ETHUSD", DAY.day)


def bars(days):
    """Return one bar a day whose amounts are easy to sum, the last of them not complete."""
    of = schema("BAR", Scales(1, 2))
    rows = [
        {
            **dict.fromkeys(("exchange", "symbol"), "x"),
            "timestamp": n,
            "end": n + 1,
            **dict.fromkeys(("open", "high", "low", "close", "volume", "notional"), n),
            "complete": n < days - 1,
        }
        for n in range(days)
    ]
    return of, pa.RecordBatch.from_pylist(rows, schema=of)


@pytest.mark.few(1)
def test_the_latest_complete_bar_of_each_stream_is_a_view(store):
    of, given = bars(3)
    for exchange, symbol in (("x", "x"), ("y", "x"), ("y", "y")):
        window = Window(exchange, symbol, date(2024, 5, 1))
        words = {"exchange": exchange, "symbol": symbol}
        for day, rows in ((date(2024, 5, 1), 2), (date(2024, 5, 2), 3), (None, 3)):
            batch = given.slice(3 - rows)
            for place, (name, word) in enumerate(words.items()):
                array = pa.array([word] * rows).dictionary_encode()
                batch = batch.set_column(place, of.field(name), array)
            window = Window(exchange, symbol, day)
            store.write(window, "bars", batch.cast(of), schemas={"bars": of})
    sql = "SELECT exchange, symbol, n, CAST(close AS INTEGER) FROM werks_latest_bars ORDER BY 1, 2"
    assert store.query(sql) == [("x", "x", 1, 1), ("y", "x", 1, 1), ("y", "y", 1, 1)]
    sql = "SELECT exchange, symbol, CAST(day AS TEXT), rows, CAST(volume AS INTEGER) "
    found = store.query(sql + "FROM werks_daily_bars WHERE exchange = 'y' ORDER BY 2, 3")
    days = [("2024-05-01", 2, 3), ("2024-05-02", 3, 3)]
    assert found == [("y", symbol, *day) for symbol in "xy" for day in days]


@pytest.mark.few(1)
def test_the_days_that_are_complete_are_a_view(store):
    store.write(DAY, "trades", sample("trades"))
    store.write(OTHER, "bars", sample("bars", OTHER))
    store.write(REMAINDER, "bars", sample("bars", rows=1))
    store.write(OTHER, "ticks")
    with closing(store.sink.open(SCHEMAS)) as writer:
        writer.write(DAY, "bars", sample("bars", rows=3))
        writer.append(DAY, ["bars"])
    sql = "SELECT node, symbol, CAST(day AS TEXT), rows, proven, first_id, last_id, complete"
    found = store.query(f"{sql} FROM werks_completeness ORDER BY 1, 2, 3")
    assert found == [
        ("bars", "ETHUSD", "2024-05-01", 40, 40, *ids("bars", OTHER), True),
        ("bars", "XBTUSD", "2024-05-01", 3, None, None, None, False),
        ("ticks", "ETHUSD", "2024-05-01", 0, 0, None, None, True),
        ("trades", "XBTUSD", "2024-05-01", 40, 40, *ids("trades", DAY), True),
    ]
    store.run("DELETE FROM trades WHERE n = 39")
    found = store.query("SELECT complete FROM werks_completeness WHERE node = 'trades'")
    assert found == [(False,)]


def ids(node, window):
    proof = prove(node, sample(node, window))
    return proof.first_id, proof.last_id


def test_a_view_that_was_dropped_comes_back(store):
    store.write(DAY, "bars", sample("bars"))
    store.run("DROP VIEW werks_latest_bars")
    store.write(OTHER, "bars", sample("bars", OTHER))
    assert len(store.query("SELECT * FROM werks_latest_bars")) == 2


def test_trades_off_the_book_are_no_part_of_the_day(store):
    of = SCHEMAS["trades"]
    rows = [
        {"exchange": "bazaar", "symbol": "XBTUSD", "size": n + 1, "notional": 10, "flag": flag}
        for n, flag in enumerate((None, "block", "off_book"))
    ]
    store.write(DAY, "trades", pa.RecordBatch.from_pylist(rows, schema=of))
    found = store.query(
        "SELECT rows, CAST(volume AS INTEGER), CAST(notional AS INTEGER) FROM werks_daily_trades"
    )
    assert found == [(3, 3, 20)]
