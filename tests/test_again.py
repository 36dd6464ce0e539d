"""What a second run does: nothing, or just what has changed."""

from datetime import datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest

from .conftest import FIRST, PIPELINE, csv_gz, day_rows, exact, path_of

NODES = {"trades", "ticks", "big", "minutes", "dollars"}


def written(report) -> set[str]:
    return {node for each in report.streams.values() for node in each.written}


def test_a_second_run_does_nothing_and_says_so(market):
    market.publish()
    first = market.run()
    before = market.tree()
    again = market.run()
    assert (first.done, first.known) == (3, 0)
    assert (again.done, again.known, again.rows) == (0, 3, 0)
    assert market.tree() == before


def test_all_windows_hold_every_trade_once(market, total):
    market.publish()
    report = market.run()
    trades = market.table("trades")
    assert report.rows == len(trades) == 9000
    assert len(set(trades["trade_id"].to_pylist())) == 9000
    for node, column in (("ticks", "notional"), ("big", "total_notional"), ("dollars", "notional")):
        assert total(market.table(node), column) == total(trades, "notional")


@pytest.mark.long
def test_days_one_by_one_give_the_same_files_as_all_at_once(market):
    market.publish()
    market.run()
    at_once = market.tree()
    for days in (1, 2, 3):
        text = PIPELINE.replace("{root}/", "{root}/again-")
        market.run(market.file("q.toml", text, stop=FIRST + timedelta(days=days)))
    assert market.tree("again-data") == at_once


def test_moving_stop_on_replaces_the_bar_that_was_open(market, total):
    market.publish()
    noon = datetime(2024, 3, 1, 12, 0, 30)
    market.run(stop=noon.isoformat())
    folder = market.root / "data" / "minutes" / "bybit-linear" / "BTCUSDT"
    half = market.table("minutes")
    assert (folder / "open.feather").exists()
    assert half["complete"].to_pylist()[-1] is False
    assert total(half, "notional") == total(market.table("trades"), "notional")
    market.run(stop=FIRST + timedelta(days=1))
    whole = market.table("minutes")
    assert not (folder / "open.feather").exists()
    assert all(whole["complete"].to_pylist())
    assert total(whole, "notional") == total(market.table("trades"), "notional")
    assert len(market.table("trades")) == 3000


def test_a_run_until_the_same_moment_of_a_day_does_nothing(market):
    market.publish()
    noon = datetime(2024, 3, 1, 12, 0, 30).isoformat()
    assert market.run(stop=noon).done == 1
    assert market.run(stop=noon).done == 0


def test_the_open_bar_of_a_threshold_goes_on_with_the_next_day(market, total):
    market.publish()
    market.run(stop=FIRST + timedelta(days=1))
    one = market.table("dollars")
    assert one["complete"].to_pylist()[-1] is False
    market.run(stop=FIRST + timedelta(days=2))
    two = market.table("dollars")
    closed = one.filter(one["complete"])
    assert two.slice(0, len(closed)).equals(closed)
    assert two["complete"].to_pylist().count(False) == 1
    opened = one.slice(len(closed))["timestamp"].to_pylist()
    assert two.slice(len(closed), 1)["timestamp"].to_pylist() == opened


def test_changing_an_option_redoes_just_that_node(market):
    market.publish()
    market.run()
    before = market.tree()
    report = market.run(every=5_000_000)
    after = market.tree()
    changed = {path for path in {*before, *after} if before.get(path) != after.get(path)}
    assert written(report) == {"dollars"}
    assert {path.split("/")[0] for path in changed} == {"dollars"}
    assert all(value >= Decimal(5_000_000) for value in _closed(market, "dollars"))


def _closed(market, node) -> list[Decimal]:
    table = market.table(node)
    return table.filter(table["complete"])["notional"].to_pylist()


def test_adding_a_sink_redoes_just_its_nodes(market):
    market.publish()
    market.run()
    more = '\n[sinks.more]\ntype = "csv"\ninputs = ["minutes"]\npath = "{root}/more"\n'
    report = market.run(market.file(text=PIPELINE + more))
    assert written(report) == {"minutes"}
    names = [path.name for path in sorted((market.root / "more").rglob("*.csv"))]
    assert names == ["2024-03-01.csv", "2024-03-02.csv", "2024-03-03.csv"]


def test_a_file_that_was_removed_is_made_again(market):
    market.publish()
    market.run()
    before = market.tree()
    gone = market.root / "data/minutes/bybit-linear/BTCUSDT/2024-03-02.feather"
    gone.unlink()
    report = market.run()
    assert (report.done, written(report)) == (1, {"minutes"})
    assert market.tree() == before


def test_an_earlier_start_redoes_what_is_carried_and_nothing_else(market):
    market.publish()
    market.run(start=FIRST + timedelta(days=1))
    report = market.run()
    by_node = {n: c for each in report.streams.values() for n, c in each.written.items()}
    assert report.done == 3
    assert by_node["trades"] == 3000
    assert by_node["dollars"] == len(market.table("dollars"))
    again = market.tree()
    fresh = PIPELINE.replace("{root}/", "{root}/fresh-")
    market.run(market.file("q.toml", fresh))
    assert market.tree("fresh-data") == again


def test_a_missing_day_is_a_gap_that_is_said_and_closes_threshold_bars(market, total):
    market.publish(days=1)
    third = FIRST + timedelta(days=2)
    market.server.put(path_of("BTCUSDT", third), csv_gz(day_rows("BTCUSDT", third)))
    report = market.run()
    assert [str(day) for _, day in report.missing] == ["2024-03-02"]
    assert report.done == 2
    bars = market.table("dollars")
    assert bars["complete"].to_pylist().count(False) == 2
    days = [stamp.day for stamp in bars["timestamp"].to_pylist()]
    ends = [stamp.day for stamp in bars["end"].to_pylist()]
    assert days == ends
    assert total(bars, "notional") == total(market.table("trades"), "notional")


def test_a_day_that_comes_late_is_read_and_what_was_carried_past_it_is_redone(market):
    market.publish(days=1)
    second, third = (FIRST + timedelta(days=n) for n in (1, 2))
    market.server.put(path_of("BTCUSDT", third), csv_gz(day_rows("BTCUSDT", third)))
    market.run()
    market.server.put(path_of("BTCUSDT", second), csv_gz(day_rows("BTCUSDT", second)))
    report = market.run()
    by_node = {n: c for each in report.streams.values() for n, c in each.written.items()}
    assert (report.done, by_node["trades"], report.missing) == (2, 3000, {})
    late = market.tree()
    market.run(market.file("q.toml", PIPELINE.replace("{root}/", "{root}/fresh-")))
    assert market.tree("fresh-data") == late


@pytest.mark.long
def test_two_processes_give_the_same_files_as_one(market):
    for symbol in ("BTCUSDT", "ETHUSDT"):
        market.publish(symbol)
    symbols = '["BTCUSDT", "ETHUSDT"]'
    market.run(symbols=symbols)
    settings = 'tries = 1\nexecutor = "processes"\nworkers = 2'
    text = PIPELINE.replace("{root}/", "{root}/two-")
    report = market.run(market.file("q.toml", text, symbols=symbols, settings=settings))
    assert (report.done, report.errors) == (6, [])
    assert market.tree("two-data") == market.tree()


def test_newest_first_and_shuffled_files_give_the_rows_of_an_ordered_one(market):
    market.publish(days=1)
    market.run(stop=FIRST + timedelta(days=1))
    ordered = market.tree()
    lines = day_rows("BTCUSDT", FIRST)
    for name, mixed in (("newest", lines[::-1]), ("mixed", lines[1500:] + lines[:1500])):
        market.server.put(path_of("BTCUSDT", FIRST), csv_gz(mixed))
        text = PIPELINE.replace("{root}/", f"{{root}}/{name}-")
        market.run(market.file("q.toml", text, stop=FIRST + timedelta(days=1)))
        assert market.tree(f"{name}-data") == ordered


def test_repeated_trades_are_left_out_counted_and_said(market):
    lines = day_rows("BTCUSDT", FIRST)
    market.server.put(path_of("BTCUSDT", FIRST), csv_gz([*lines[:10], *lines[5:]]))
    report = market.run(stop=FIRST + timedelta(days=1))
    (stream,) = report.streams.values()
    assert (stream.rows, stream.repeats) == (3000, 5)


@pytest.mark.parametrize("executor", ["inline", "processes"])
@pytest.mark.few(1)
def test_the_ledger_names_door_file_and_sums(market, executor):
    import sqlalchemy as sa

    market.publish(days=1)
    settings = f'tries = 1\nexecutor = "{executor}"'
    market.run(settings=settings, stop=FIRST + timedelta(days=1))
    engine = sa.create_engine(f"sqlite:///{market.root}/werks.db")
    with engine.connect() as db:
        row = db.execute(sa.text("select * from werks_ledger_windows")).one()
    engine.dispose()
    trades = market.table("trades")
    assert (row.door, row.rows, row.finished) == ("archive", 3000, 1)
    assert row.url.endswith("BTCUSDT2024-03-01.csv.gz")
    assert Decimal(row.notional) == exact(trades, "notional")
    assert [row.first_id, row.last_id] == trades["trade_id"].take(pa.array([0, 2999])).to_pylist()
