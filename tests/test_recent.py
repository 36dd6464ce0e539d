"""The sink `memory` in a pipeline: rows for the program that runs it, and for nobody else."""

import threading
from datetime import UTC, datetime

import pytest
from pyarrow import compute as pc
from pyarrow import feather

from werks.pipeline import load, run

PIPELINE = """
[pipeline]
name = "recent"
state = "{root}/werks.db"
executor = "{executor}"
workers = 2

[sources.trades]
type = "sim.trades"
symbols = ["BTCUSD", "ETHUSD"]
start = 2024-01-01
stop = 2024-01-03

[transforms.ticks]
type = "aggregate"

[transforms.dollars]
type = "bars"
by = "notional"
every = 10_000_000

[sinks.recent]
type = "memory"
inputs = ["trades", "dollars"]
keep = "{keep}"

[sinks.files]
type = "feather"
inputs = ["trades", "dollars"]
path = "{root}/data"
"""


@pytest.fixture
def file(tmp_path):
    """Return what writes a pipeline file."""

    def write(executor="inline", keep="7d"):
        path = tmp_path / "p.toml"
        path.write_text(PIPELINE.format(root=tmp_path, executor=executor, keep=keep))
        return path

    return write


def stored(file, node, symbol):
    folder = file.parent / "data" / node / "sim" / symbol
    return [feather.read_table(path) for path in sorted(folder.glob("*.feather"))]


@pytest.mark.parametrize("node", ["trades", "dollars"])
@pytest.mark.few(1)
@pytest.mark.long
def test_memory_holds_the_rows_that_the_files_hold(file, node):
    graph = load(path := file())
    assert run(graph).errors == []
    for symbol in ("BTCUSD", "ETHUSD"):
        rows = graph.sink("recent").rows(node, "sim", symbol, open=True)
        tables = stored(path, node, symbol)
        assert len(tables) == 2 + (node == "dollars")
        assert [row for table in tables for row in table["timestamp"].to_pylist()] == rows[
            "timestamp"
        ].to_pylist()
        for name in ("notional", "symbol"):
            assert rows[name].to_pylist() == [v for t in tables for v in t[name].to_pylist()]


def test_only_the_last_hours_are_kept(file):
    graph = load(path := file(keep="6h"))
    assert run(graph).errors == []
    every = stored(path, "trades", "BTCUSD")[-1]
    since = pc.max(every["timestamp"]).as_py(), datetime(2024, 1, 2, 18, tzinfo=UTC)
    rows = graph.sink("recent").rows("trades", "sim", "BTCUSD", start=since[1])
    kept = graph.sink("recent").rows("trades", "sim", "BTCUSD")
    assert rows.num_rows == pc.sum(pc.greater_equal(every["timestamp"], since[1])).as_py()
    assert kept.num_rows - rows.num_rows < 50
    assert graph.sink("recent").bytes < every.nbytes


def test_a_process_that_goes_on_reads_nothing_twice_and_one_that_begins_reads_anew(file):
    graph = load(path := file(keep="1h"))
    assert (run(graph).done, run(graph).done) == (4, 0)
    again = load(path)
    report = run(again)
    assert report.errors == []
    assert (report.done, again.sink("recent").streams()) == (4, graph.sink("recent").streams())


@pytest.mark.long
def test_other_processes_cannot_write_to_it(file):
    report = run(load(file(executor="processes")))
    assert len(report.errors) == 4
    assert all('set executor = "inline"' in str(error) for _, error in report.errors)


@pytest.mark.long
def test_a_thread_may_read_while_the_run_goes_on(file):
    graph = load(file())
    recent, seen, ended = graph.sink("recent"), [], threading.Event()

    def read():
        while not ended.is_set():
            seen.append(sum(kept.rows for kept in recent.streams()))

    reader = threading.Thread(target=read)
    reader.start()
    report = run(graph)
    ended.set()
    reader.join()
    assert report.errors == []
    assert seen == sorted(seen)
    assert len(set(seen)) > 2
