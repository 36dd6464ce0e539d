"""Rows out of any sink into one file: all of them, in order, exactly, or a clear line why not."""

import gzip
import importlib
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import closing
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner
from pyarrow import feather, parquet

from werks import cli
from werks.components import Stream, Window
from werks.errors import ConfigError
from werks.export import ROWS, Export, Wanted
from werks.ledger import Ledger
from werks.pipeline import load, run
from werks.pipeline.place import Place
from werks.pipeline.streaming import Mark
from werks.proof import Digest
from werks.schema import batch, nanoseconds, word

FIRST = date(2024, 1, 1)
MIDNIGHT = 1_704_067_200 * 10**9
STORES = ("files", "columns", "lines", "table")

PIPELINE = """
[pipeline]
name = "export"
state = "{root}/werks.db"

[sources.trades]
type = "sim.trades"
symbols = ["BTCUSD", "ETHUSD"]
start = 2024-01-01
stop = 2024-01-04

[transforms.ticks]
type = "aggregate"

[transforms.minutes]
type = "bars"
inputs = ["ticks"]
by = "time"
every = "1m"

[transforms.dollars]
type = "bars"
inputs = ["ticks"]
by = "notional"
every = 10_000_000

[sinks.files]
type = "feather"
inputs = ["trades", "minutes", "dollars"]
path = "{root}/files"

[sinks.columns]
type = "parquet"
inputs = ["trades", "minutes", "dollars"]
path = "{root}/columns"

[sinks.lines]
type = "csv"
inputs = ["trades", "minutes", "dollars"]
path = "{root}/lines"

[sinks.table]
type = "sqlite"
inputs = ["trades", "minutes", "dollars"]
path = "{root}/rows.db"
"""

SOME = """
[sinks.some]
type = "csv"
inputs = ["minutes"]
path = "{root}/some"
columns = ["timestamp", "close"]

[sinks.recent]
type = "memory"
inputs = ["minutes"]
"""


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """Return a pipeline file whose sinks are filled: two markets, three days."""
    root = tmp_path_factory.mktemp("export")
    file = root / "p.toml"
    file.write_text((PIPELINE + SOME).format(root=root))
    assert run(load(file)).errors == []
    return file


@pytest.fixture
def export(filled, tmp_path):
    """Return what runs `werks export` in a folder of its own."""

    def call(to, *arguments, sink="files", node="minutes", code=0, file=filled):
        target = to if to == "-" else str(tmp_path / to)
        given = ["export", str(file), "--to", target, *map(str, arguments)]
        given += ["--sink", sink] if sink else []
        given += ["--node", node] if node else []
        done = CliRunner().invoke(cli.main, given)
        assert done.exit_code == code, done.output
        call.said, call.out, call.err = done.output, done.stdout, done.stderr
        return tmp_path / to

    return call


def stored(file: Path, node: str, symbol: str, ending: str = "????-??-??") -> pa.Table:
    """Return the rows of a node as the sink `files` has them, days in order."""
    folder = file.parent / "files" / node / "sim" / symbol
    return pa.concat_tables(
        [feather.read_table(p) for p in sorted(folder.glob(f"{ending}.feather"))]
    )


def whole(file: Path, node: str) -> pa.Table:
    """Return a node's rows of both markets."""
    return pa.concat_tables([stored(file, node, symbol) for symbol in ("BTCUSD", "ETHUSD")])


def plain(table: pa.Table) -> pa.Table:
    """Return rows so that they compare exactly, however their words are encoded."""
    columns = [
        column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column
        for column in table.columns
    ]
    return pa.table(columns, names=table.column_names)


# All rows, exactly


@pytest.mark.parametrize("node", ["trades", "minutes", "dollars"])
@pytest.mark.parametrize("sink", STORES)
@pytest.mark.few(2)
def test_every_store_gives_the_same_rows_in_every_format(export, filled, sink, node):
    expected = plain(whole(filled, node))
    assert len(expected) > 50
    assert plain(feather.read_table(export("a.feather", sink=sink, node=node))) == expected
    assert plain(parquet.read_table(export("a.parquet", sink=sink, node=node))) == expected
    lines = export("a.csv", sink=sink, node=node).read_bytes()
    assert gzip.decompress(export("a.csv.gz", sink=sink, node=node).read_bytes()) == lines
    days = [
        (filled.parent / "lines" / node / "sim" / symbol / f"{FIRST + timedelta(days=n)}.csv")
        for symbol in ("BTCUSD", "ETHUSD")
        for n in range(3)
    ]
    texts = [path.read_bytes().partition(b"\n") for path in days]
    assert lines == texts[0][0] + b"\n" + b"".join(rows for _, _, rows in texts)


def test_the_schema_is_the_nodes_own(export, filled):
    of = load(filled).branches[0].schemas["minutes"]
    assert feather.read_table(export("a.feather")).schema.equals(of, check_metadata=True)
    assert parquet.read_schema(export("a.parquet")).metadata == of.metadata


def test_what_was_written_is_told(export):
    to = export("a.parquet", "--symbol", "BTCUSD")
    rows = len(parquet.read_table(to))
    when = "2024-01-01T00:00:00Z to 2024-01-03T23:59:00Z"
    assert export.out == f"{to}: {rows:,} rows of minutes, {when}, 3 windows\n"
    assert export.err == ""


def test_csv_can_be_printed(export, filled):
    """In a process of its own, as what is printed is the bytes of the file."""
    lines = export("a.csv", sink="lines").read_bytes()
    command = [sys.executable, "-m", "werks", "export", str(filled), "--to", "-"]
    given = ["--sink", "lines", "--node", "minutes"]
    done = subprocess.run([*command, *given], capture_output=True, check=True)
    assert done.stdout == lines
    assert done.stderr.startswith(b"-: ")
    assert b" rows of minutes, 2024-01-01T00:00:00Z to " in done.stderr


def test_small_windows_are_gathered_into_large_batches(filled):
    wanted = Export(load(filled), Wanted("files", "trades"))
    sizes = list(map(len, wanted.batches()))
    assert sizes[:-1] == [ROWS] * (len(sizes) - 1)
    assert sum(sizes) == wanted.told.rows == len(whole(filled, "trades")) > 2 * ROWS


def test_symbols_are_chosen_by_name(export, filled):
    to = export("a.feather", "--symbol", "ETHUSD")
    assert plain(feather.read_table(to)) == plain(stored(filled, "minutes", "ETHUSD"))
    to = export("a.feather", "--symbol", "ETHUSD", "--symbol", "BTCUSD")
    assert plain(feather.read_table(to)) == plain(whole(filled, "minutes"))


def test_columns_are_chosen_in_the_order_given(export, filled):
    to = export("a.csv", "--columns", "close, symbol", "--start", "2024-01-02", sink="table")
    assert to.read_text().splitlines()[0] == "close,symbol"
    to = export("a.parquet", "--columns", "close,end")
    assert parquet.read_table(to).equals(whole(filled, "minutes").select(["close", "end"]))


def test_amounts_may_be_floats(export, filled):
    to = export("a.parquet", "--amounts", "float64", "--columns", "close")
    exact = whole(filled, "minutes")["close"].to_pylist()
    assert parquet.read_table(to)["close"].to_pylist() == [float(value) for value in exact]


def test_the_open_remainder_comes_last_where_it_is_asked_for(export, filled):
    parts = [
        stored(filled, "dollars", symbol, ending)
        for symbol in ("BTCUSD", "ETHUSD")
        for ending in ("????-??-??", "open")
    ]
    expected = plain(pa.concat_tables(parts))
    for sink in STORES:
        to = export("a.feather", "--open", node="dollars", sink=sink)
        assert plain(feather.read_table(to)) == expected
    assert expected["complete"].to_pylist().count(False) == 2


# Ranges


@pytest.mark.parametrize("sink", STORES)
@pytest.mark.few(1)
def test_a_range_is_cut_at_the_nanosecond(export, filled, sink):
    every = stored(filled, "trades", "BTCUSD")
    times = nanoseconds(every["timestamp"].combine_chunks())
    row = int((times >= MIDNIGHT + 86_400 * 10**9 - 100 * 10**9).argmax())
    until = int((times > MIDNIGHT + 86_400 * 10**9 + 100 * 10**9).argmax())
    for start, stop in ((0, 0), (1, 0), (0, 1), (-1, -1)):
        begin, end = int(times[row]) + start, int(times[until]) + stop
        given = ["--symbol", "BTCUSD", "--start", text(begin), "--stop", text(end)]
        to = export("a.feather", *given, sink=sink, node="trades")
        wanted = every.filter(pa.array((times >= begin) & (times < end)))
        assert len(wanted) > 10
        assert plain(feather.read_table(to)) == plain(wanted)


def text(time_: int) -> str:
    seconds, fraction = divmod(time_ - MIDNIGHT, 10**9)
    day, seconds = divmod(seconds, 86_400)
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{FIRST + timedelta(days=day)}T{clock}.{fraction:09}Z"


def test_a_bar_that_is_filed_with_the_next_day_is_found_by_its_own_time(export, filled):
    """A bar that runs over midnight lies in the second file and bears a time of the first day."""
    every = plain(whole(filled, "dollars"))
    days = every["timestamp"].cast(pa.date32()).to_numpy()
    expected = every.filter(pa.array(days == np.datetime64(FIRST)))
    filed = sum(
        len(stored(filled, "dollars", symbol, "2024-01-01")) for symbol in ("BTCUSD", "ETHUSD")
    )
    to = export("a.feather", "--start", "2024-01-01", "--stop", "2024-01-02", node="dollars")
    assert plain(feather.read_table(to)) == expected
    assert len(expected) == filed + 2


def test_a_range_without_rows_gives_a_file_without_rows(export):
    given = ["--start", "2024-01-02T00:00:00.1", "--stop", "2024-01-02T00:00:00.2"]
    to = export("a.csv", *given, node="minutes")
    assert to.read_text().count("\n") == 1
    assert ": 0 rows of minutes, 2 windows" in export.out
    assert parquet.read_table(export("a.parquet", *given)).num_rows == 0


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (["--start", "2024-01-02", "--stop", "2024-01-02"], "--stop: it is not after --start"),
        (["--start", "soon"], "--start: a day like 2024-05-01"),
        (["--stop", "2024-01-01T00:00:00.1234567891"], "--stop: at most nine digits of a second"),
        (["--start", "2024-01-01T25:00:00.5"], "--start: a day like"),
    ],
)
def test_a_range_that_cannot_be_is_refused(export, given, problem):
    to = export("a.csv", *given, code=2)
    assert problem in export.err
    assert export.err.count("\n") == 1
    assert not to.exists()


# What is not there


def test_days_that_are_missing_are_named_and_the_exit_code_tells(export):
    given = ["--symbol", "BTCUSD", "--start", "2023-12-30", "--stop", "2024-01-05T00:00:00.1"]
    to = export("a.csv", *given, code=1)
    assert export.err.splitlines() == [
        "missing: sim BTCUSD 2023-12-30 … 2023-12-31: not in files",
        "missing: sim BTCUSD 2024-01-04 … 2024-01-05: not in files",
    ]
    assert to.read_text().count("\n") > 4000


@pytest.fixture
def copied(filled, tmp_path):
    """Return a pipeline file whose filled sinks may be damaged."""
    root = tmp_path / "copied"
    shutil.copytree(filled.parent, root)
    file = root / "p.toml"
    file.write_text(file.read_text().replace(str(filled.parent), str(root)))
    return file


def test_a_day_without_a_receipt_is_named(copied, export):
    folder = copied.parent / "files/minutes/sim/BTCUSD"
    (folder / "_receipts/2024-01-02.feather.json").unlink()
    (folder / "2024-01-02.feather").unlink()
    export("a.csv", code=1, file=copied)
    assert export.err == "missing: sim BTCUSD 2024-01-02: not in files\n"
    (folder.with_name("ETHUSD") / "_receipts/2024-01-03.feather.json").unlink()
    export("a.csv", code=1, file=copied)
    said = "unproven: sim ETHUSD 2024-01-03: no receipt says that it is whole"
    assert export.err.splitlines()[1:] == [said]


@pytest.fixture
def the_third_is_heard(copied, monkeypatch):
    """Return what marks the third day of some markets as heard, but for its last 1.5 s.

    Whatever day it is: that one is today, and no receipt speaks of it.
    """
    folder = copied.parent / "files/minutes/sim"
    for symbol in ("BTCUSD", "ETHUSD"):
        (folder / symbol / "_receipts/2024-01-03.feather.json").unlink()
    last = date(2024, 1, 3)
    module = importlib.import_module("werks.cli.export")  # the package has a command of that name
    monkeypatch.setattr(module, "_today", lambda: last)

    def heard(*streams):
        mark = Mark(last, Place(MIDNIGHT + 3 * 86_400 * 10**9 - 1_500_000_000), {}, {}, {}, {}, {})
        with closing(Ledger(str(copied.parent / "werks.db"), "export")) as ledger:
            ledger.go_on({Stream(*stream): mark.text() for stream in streams})

    return heard


def test_today_may_be_heard_still_and_nothing_is_missing(
    copied, export, the_third_is_heard, monkeypatch
):
    the_third_is_heard(("sim", "BTCUSD", "sim.trades"))
    to = export("a.csv", "--symbol", "BTCUSD", code=0, file=copied)
    told = "live: sim BTCUSD 2024-01-03: so far kept up to 2024-01-03T23:59:58.5Z"
    assert export.err.splitlines() == [told]
    assert to.read_text().count("\n") > 4000
    export("a.csv", code=1, file=copied)
    said = "unproven: sim ETHUSD 2024-01-03: no receipt says that it is whole"
    assert export.err.splitlines() == [told, said]
    monkeypatch.undo()
    export("a.csv", "--symbol", "BTCUSD", code=1, file=copied)
    assert export.err == said.replace("ETH", "BTC") + "\n"


def test_a_market_of_which_only_other_rows_are_heard_is_unproven(
    copied, export, the_third_is_heard
):
    """The candles of the market are heard; the minutes here are made of its trades."""
    the_third_is_heard(("sim", "BTCUSD", "sim.candles"))
    export("a.csv", "--symbol", "BTCUSD", code=1, file=copied)
    said = "unproven: sim BTCUSD 2024-01-03: no receipt says that it is whole"
    assert export.err.splitlines() == [said]


def test_a_sink_that_holds_nothing_writes_no_file(export):
    to = export("a.csv", sink="recent", code=1)
    assert export.err == "error: recent: it holds no rows of minutes to export\n"
    assert not to.exists()


def test_a_symbol_that_is_only_in_the_file_is_missing(filled, export, tmp_path):
    more = filled.read_text().replace('"ETHUSD"]', '"ETHUSD", "SOLUSD"]')
    (tmp_path / "p.toml").write_text(more)
    to = export("a.csv", "--symbol", "SOLUSD", code=1, file=tmp_path / "p.toml")
    assert export.err.startswith("missing: sim SOLUSD: nothing is in files\n")
    assert not to.exists()
    export("a.csv", "--symbol", "SOLUSD", "--symbol", "BTCUSD", code=1, file=tmp_path / "p.toml")
    assert export.err == "missing: sim SOLUSD: nothing is in files\n"
    assert to.exists()


@pytest.mark.parametrize(
    ("to", "given", "problem"),
    [
        ("a.csv", {"sink": "filse"}, 'sinks.filse: there is no such sink; did you mean "files"?'),
        ("a.csv", {"sink": None}, "name one by --sink: files, columns, lines, table, some, recent"),
        ("a.csv", {"node": "minute"}, 'takes no node "minute"; did you mean "minutes"?'),
        ("a.csv", {"node": None}, "name one by --node: trades, minutes, dollars"),
        (
            "a.csv",
            {"more": ["--symbol", "BTCUSDT"]},
            '"BTCUSDT" is not there; did you mean "BTCUSD"?',
        ),
        ("a.csv", {"more": ["--columns", "close,opn"]}, 'no column "opn"; did you mean "open"?'),
        ("a.csv", {"more": ["--columns", " ,"]}, "--columns: names of columns are expected"),
        ("a.csv", {"more": ["--amounts", "float64"]}, "CSV holds amounts as text"),
        ("-", {"more": ["--amounts", "float64"]}, "CSV holds amounts as text"),
        ("a.xlsx", {}, "ends in one of .parquet, .feather, .csv, .csv.gz, .csv.zst is expected"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(export, to, given, problem):
    given = dict(given)
    written = export(to, *given.pop("more", []), **given, code=2)
    assert problem in export.err
    assert export.err.count("\n") == 1
    assert not written.exists()


def test_a_sink_with_one_node_needs_no_name_of_it(export):
    export("a.csv", sink="recent", node=None, code=1)
    assert "no rows of minutes" in export.err


def test_a_csv_that_leaves_columns_out_says_so(export):
    to = export("a.csv", sink="some", node=None, code=1)
    assert "this csv leaves out exchange, symbol, end, " in export.err
    assert export.err.count("\n") == 1
    assert list(to.parent.iterdir()) == []


def test_rows_without_a_time_are_named_and_nothing_is_written(copied, export):
    path = copied.parent / "files/minutes/sim/ETHUSD/2024-01-02.feather"
    rows = feather.read_table(path)
    field = rows.schema.field("timestamp")
    place = rows.schema.get_field_index("timestamp")
    none = pa.nulls(len(rows), field.type)
    feather.write_feather(rows.set_column(place, field, none), path)
    export("a.parquet", code=1, file=copied)
    said = "error: files: minutes, sim ETHUSD 2024-01-02 is damaged: rows of it have no time\n"
    assert export.err == said


def test_a_damaged_file_is_named_and_nothing_is_written(copied, export):
    path = copied.parent / "files/minutes/sim/ETHUSD/2024-01-02.feather"
    path.write_bytes(path.read_bytes()[:-100])
    to = export("a.parquet", code=1, file=copied)
    assert str(path) in export.err
    assert list(to.parent.iterdir()) == [copied.parent]


MARKETS = """
[pipeline]
name = "markets"

[sources.one]
type = "bitmex.trades"
symbols = ["XBTUSD"]
start = 2024-01-01
stop = 2024-01-02

[sources.other]
type = "bybit.trades"
symbols = ["BTCUSDT"]
start = 2024-01-01
stop = 2024-01-02

[transforms.ticks]
type = "aggregate"
inputs = ["one", "other"]

[sinks.files]
type = "feather"
path = "{root}/markets"
"""


@pytest.fixture
def markets(tmp_path):
    """Return what puts a tick of each of two markets into a sink; their sizes have other scales."""

    def write(size):
        file = tmp_path / "p.toml"
        file.write_text(MARKETS.format(root=tmp_path))
        graph = load(file)
        for branch in graph.branches:
            of, (symbol,) = branch.schemas["ticks"], branch.source.symbols
            window = Window(branch.source.door.exchange, symbol, FIRST)
            words = {"exchange": word(window.exchange, 1), "symbol": word(symbol, 1)}
            row = batch(of, timestamp=[MIDNIGHT], size=[Decimal(size)], **words)
            writer = graph.sink("files").open({"ticks": of})
            writer.write(window, "ticks", row)
            digest = Digest(of)
            digest.add(row)
            writer.commit(window, {"ticks": digest.proof()})
            writer.close()
        return file

    return write


def test_markets_with_other_scales_share_a_file_by_the_largest(export, markets):
    file = markets("1.00000001")
    rows = feather.read_table(export("a.feather", node=None, file=file))
    assert [rows["exchange"][n].as_py() for n in (0, 1)] == ["bitmex", "bybit-linear"]
    assert rows.schema.field("size").type == pa.decimal128(38, 10)
    assert [str(size) for size in rows["size"].to_pylist()] == ["1.0000000100"] * 2
    one = export("a.feather", "--symbol", "XBTUSD", node=None, file=file)
    assert feather.read_table(one).schema.field("size").type == pa.decimal128(38, 8)


def test_amounts_that_do_not_fit_beside_others_are_an_error(export, markets):
    file = markets("9" * 28)
    folder = file.parent / "markets/ticks/bitmex/XBTUSD"
    of = feather.read_table(folder / "2024-01-01.feather")
    place = of.schema.get_field_index("size")
    most = pa.array([Decimal("9" * 30)], pa.decimal128(38, 8))
    feather.write_feather(of.set_column(place, of.schema.field(place), most), folder / "x")
    (folder / "x").rename(folder / "2024-01-01.feather")
    to = export("a.feather", node=None, file=file, code=1)
    assert "ticks: amounts of bitmex XBTUSD do not fit beside those of the other" in export.err
    assert not to.exists()


# Where it is written


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "feather", "parquet"])
def test_a_folder_that_is_not_there_is_named(export, ending):
    to = export(f"no/such/a.{ending}", code=1)
    assert export.err == f"error: {to}: cannot be written: No such file or directory\n"


def test_a_place_that_cannot_be_written_to_is_named(export, tmp_path):
    (tmp_path / "file").write_text("")
    to = export("file/a.csv", code=1)
    assert export.err == f"error: {to}: cannot be written: Not a directory\n"
    (tmp_path / "folder.csv").mkdir()
    export("folder.csv", code=1)
    assert "a folder stands there: name a file" in export.err


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "feather", "parquet"])
def test_a_full_disk_leaves_the_file_as_it_was(export, small_disk, ending):
    to = small_disk / f"a.{ending}"
    to.write_text("before")
    export(str(to), node="trades", code=1)
    assert export.err == f"error: {to}: cannot be written: No space left on device\n"
    assert to.read_text() == "before"
    assert list(small_disk.iterdir()) == [to]


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=600k", "werks-test", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk is not permitted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


SLOW = '''
import time
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import ClassVar

import attrs
import numpy as np

import werks.schema
from werks.components import Stream, Window
from werks.hookspecs import hookimpl


@attrs.frozen
class Slow:
    """Takes its time."""

    replaces: ClassVar[bool] = True

    def open(self, schemas):
        raise NotImplementedError

    def holds(self, window, node, receipt):
        return False

    def proofs(self, node):
        yield Window("sim", "BTCUSD", date(2024, 1, 1)), None

    def read(self, window, node, schema):
        times = werks.schema.times(np.arange(70_000))
        yield werks.schema.batch(schema, timestamp=times)
        time.sleep(60)


@hookimpl
def werks_sinks():
    return {"slow": Slow}
'''


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.few(1)
def test_an_interrupt_leaves_nothing_half_written(tmp_path, number):
    (tmp_path / "slow.py").write_text(SLOW)
    pipeline = PIPELINE.partition("[sinks.")[0].partition("[transforms.")[0]
    pipeline += '[sinks.slow]\ntype = "slow"\ninputs = ["trades"]\n'
    (tmp_path / "p.toml").write_text(pipeline.format(root=tmp_path))
    to = tmp_path / "a.feather"
    to.write_text("before")
    command = ["export", str(tmp_path / "p.toml"), "--plugin", str(tmp_path / "slow.py")]
    process = subprocess.Popen(
        [sys.executable, "-m", "werks", *command, "--to", str(to)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
    )
    while process.poll() is None and not any(
        path.stat().st_size for path in tmp_path.glob(".a.feather.*.tmp")
    ):
        time.sleep(0.01)
    process.send_signal(number)
    assert process.communicate(timeout=30) == ("", f"stopped: {to} is as it was\n")
    assert process.returncode == 1
    assert to.read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.feather", "p.toml", "slow.py"]


# Compaction and uploads


def test_compaction_says_what_each_sink_needs(filled):
    done = CliRunner().invoke(cli.main, ["compact", str(filled)])
    assert done.exit_code == 0, done.output
    assert done.output.splitlines() == [
        "files: nothing to compact",
        "columns: nothing to compact",
        "lines: nothing to compact",
        "table: its rows need no compaction",
        "some: nothing to compact",
        "recent: its rows need no compaction",
    ]


def test_days_that_were_left_as_segments_become_files(copied):
    graph, expected = load(copied), plain(whole(copied, "minutes"))
    schemas = {"minutes": graph.branches[0].schemas["minutes"]}
    sink, window = graph.sink("files"), Window("sim", "ETHUSD", FIRST)
    batches = list(sink.read(window, "minutes", schemas["minutes"]))
    for path in (copied.parent / "files/minutes/sim/ETHUSD").rglob("2024-01-01.*"):
        path.unlink()
    writer = sink.open(schemas)
    for each in batches:
        writer.write(window, "minutes", each)
        writer.append(window, ["minutes"])
    writer.close()
    done = CliRunner().invoke(cli.main, ["compact", str(copied)])
    assert done.exit_code == 0, done.output
    rows = sum(map(len, batches))
    said = f"files: minutes sim ETHUSD 2024-01-01: {rows:,} rows in one file now"
    assert said in done.output.splitlines()
    assert plain(whole(copied, "minutes")) == expected
    assert dict(sink.proofs("minutes"))[window].rows == rows


def test_uploads_are_of_sinks_that_upload(filled):
    done = CliRunner().invoke(cli.main, ["upload", str(filled)])
    assert done.exit_code == 0, done.output
    assert "files: it uploads nothing" in done.output.splitlines()


SENDER = '''
from types import SimpleNamespace
from typing import ClassVar

import attrs
from werks.components import option
from werks.hookspecs import hookimpl


@attrs.frozen
class Sender:
    """Sends what waits."""

    replaces: ClassVar[bool] = True
    waiting: tuple[str, ...] = option((), help="What cannot be sent.")

    def send(self):
        reason, size = ("the store does not answer", 2048) if self.waiting else ("", 0)
        return SimpleNamespace(sent=("a/1", "a/2"), waiting=self.waiting, bytes=size, reason=reason)


@hookimpl
def werks_sinks():
    return {"sender": Sender}
'''


LATE = """
from werks.errors import SinkError
from werks.hookspecs import hookimpl
from werks_sinks.feather import Feather


class Late(Feather):
    def send_due(self):
        if (self.path / "away").exists():
            raise SinkError("the bucket is not there")
        (self.path / "sent").touch()


@hookimpl
def werks_sinks():
    return {"late": Late}
"""


def test_a_run_with_nothing_to_do_still_sends_what_waits(tmp_path):
    (tmp_path / "late.py").write_text(LATE)
    pipeline = PIPELINE.partition("[sinks.")[0].partition("[transforms.")[0].format(root=tmp_path)
    to = tmp_path / "to"
    given = f'[sinks.far]\ntype = "late"\npath = "{to}"\ninputs = ["trades"]\n'
    (tmp_path / "p.toml").write_text(pipeline + given)
    call = ["run", str(tmp_path / "p.toml"), "--plugin", str(tmp_path / "late.py"), "--quiet"]
    assert CliRunner().invoke(cli.main, call).exit_code == 0
    (to / "sent").unlink()
    assert CliRunner().invoke(cli.main, call).exit_code == 0
    (to / "sent").unlink()
    (to / "away").touch()
    done = CliRunner().invoke(cli.main, call)
    assert done.exit_code == 1
    assert done.stderr == "error: far: the bucket is not there\n"


@pytest.mark.parametrize("waiting", [False, True])
def test_an_upload_tells_what_was_sent_and_what_waits(tmp_path, waiting):
    (tmp_path / "sender.py").write_text(SENDER)
    pipeline = PIPELINE.partition("[sinks.")[0].partition("[transforms.")[0].format(root=tmp_path)
    given = 'type = "sender"\ninputs = ["trades"]\n' + ('waiting = ["b/3"]\n' if waiting else "")
    (tmp_path / "p.toml").write_text(f"{pipeline}[sinks.far]\n{given}")
    arguments = ["upload", str(tmp_path / "p.toml"), "--plugin", str(tmp_path / "sender.py")]
    done = CliRunner().invoke(cli.main, arguments)
    assert done.exit_code == waiting
    assert done.stdout.splitlines() == [
        "far: uploaded a/1",
        "far: uploaded a/2",
        "far: 2 uploaded; "
        + (
            "1 waiting, 2,048 bytes: the store does not answer" if waiting else "0 waiting, 0 bytes"
        ),
    ]
    assert done.stderr == ("far: waits: b/3\n" if waiting else "")


# The accessor


def test_a_graph_gives_its_sinks_by_name(filled):
    graph = load(filled)
    assert graph.sink("recent") is graph.config.nodes["recent"].component
    for name in ("trades", "minutes", "recen"):
        with pytest.raises(ConfigError, match=f"sinks.{name}: there is no such sink; "):
            graph.sink(name)
