"""What is recorded live is replayed: the same rows, and the same bytes each time."""

import gzip
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest

from werks.components import Stream
from werks.errors import ConfigError
from werks.ledger import Ledger
from werks.live import Recording
from werks.live.recorded import taped
from werks.pipeline import Until, load, run
from werks.testing import LoopbackSocket
from werks_sim import Course, Exchange, Words

from .conftest import exact

HOUR = 3_600_000_000_000
MIDNIGHT = 1_704_153_600_000_000_000  # 2024-01-02
PER_DAY = 6000
SYMBOLS = ("BTCUSD", "ETHUSD")

PIPELINE = """
[pipeline]
name = "live"
state = "{root}/werks.db"
commit_every = 0.2
repair_within = 60
reconnect_after = 0.05
tries = 3
quarantine = "{root}/aside"

[sources.trades]
type = "sim.trades"
symbols = {symbols}
start = 2024-01-01
trades_per_day = {per_day}
stale_after = 2
rest_url = "{rest}"
ws_url = "{ws}"
{more}

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
every = 3_000_000

[sinks.files]
type = "feather"
inputs = ["trades", "ticks", "minutes", "dollars"]
path = "{root}/data"

[sinks.db]
type = "sqlite"
inputs = ["trades", "minutes", "dollars"]
path = "{root}/rows.db"
"""
CAPTURES = Path(__file__).parents[2] / "shared" / "captures"
LIVE_ONLY = PIPELINE.replace("start = 2024-01-01\n", "")
SPEED = 3000
NODES = ("trades", "ticks", "minutes", "dollars")

REPLAY = 'replay = "{root}/frames"'

BINANCE = """
[pipeline]
state = "{root}/werks.db"
commit_every = 600
replay_speed = {speed}

[sources.trades]
type = "binance.trades"
symbols = ["{symbol}"]
replay = "{frames}"

[transforms.minutes]
type = "bars"
by = "time"
every = "1m"

[sinks.files]
type = "feather"
inputs = ["trades", "minutes"]
path = "{root}/data"
"""


class Market:
    """A simulated exchange whose time goes by fast, and a pipeline that follows it."""

    def __init__(self, loopback, server, root, begin=MIDNIGHT + 2 * HOUR):
        self.course = Course(Exchange(trades_per_day=PER_DAY), SYMBOLS, begin)
        self.rest, self.server, self.root = loopback, server, root
        for path, answer in self.course.answers().items():
            loopback.answer(path, answer)
        list(self.course.advance(begin))

    def file(self, root=None, more="", symbols='["BTCUSD", "ETHUSD"]', text=PIPELINE):
        root = root or self.root
        root.mkdir(exist_ok=True)
        given = {"rest": self.rest.url, "ws": self.server.url, "per_day": PER_DAY}
        path = root / "p.toml"
        path.write_text(text.format(root=root, more=more, symbols=symbols, **given))
        return path

    def all_until(self, until):
        begin = MIDNIGHT - 24 * HOUR
        return sum(len(self.course.trades(each, begin, until)) for each in SYMBOLS)

    def now(self):
        return datetime.fromtimestamp(self.course.now // 10**9, UTC)

    def run(self, file, is_over):
        # Rows are on their way for half a second of ours, which is much longer in their time.
        grace = self.speed / 2

        def clock():  # the last bar closes once nothing more can come
            over = self.server.now >= self.end and count(self.root / "rows.db") >= self.whole
            return self.course.now + (int((grace + 1) * 10**9) if over else 0)

        return run(load(file), now=self.now(), until=Until(is_over, clock, grace))

    def play(self, until, speed=20_000):
        self.end, self.speed = until, speed
        self.whole = self.all_until(until)
        self.server.play(self.course.advance, self.course.now, speed=speed, until=until)


class Over:
    """Over when something has been so for a while, or after a minute: the test then fails."""

    def __init__(self, is_so, still=1.0):
        self._is_so, self._still = is_so, still
        self._since = None
        self._began = time.monotonic()

    def __call__(self):
        now = time.monotonic()
        if not self._is_so():
            self._since = None
        elif self._since is None:
            self._since = now
        return now - self._began > 100 or (
            self._since is not None and now - self._since > self._still
        )


def rows(file, sink, node, symbol):
    """Return all rows of a node, window by window, as they were written."""
    graph = load(file)
    component = graph.sink(sink)
    (branch,) = graph.branches
    windows = sorted(
        (w for w, _ in component.proofs(node) if w.symbol == symbol),
        key=lambda w: w.day.isoformat() if w.day else "~",
    )
    of = branch.schemas[node]
    batches = [b for w in windows for b in component.read(w, node, of)]
    return pa.Table.from_batches(batches, of)


def count(path):
    """Return how many trades there are in a database."""
    with closing(sqlite3.connect(path)) as db:
        return db.execute("SELECT count(*) FROM trades").fetchone()[0]


@pytest.fixture
def server():
    with LoopbackSocket(partial(Words, snapshot=20), heartbeat=0.2) as running:
        yield running


@pytest.fixture
def market(loopback, server, tmp_path):
    return Market(loopback, server, tmp_path)


def tree(root):
    """Return the bytes of all files."""
    found = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): path.read_bytes() for path in found}


def recorded(market, until, faults):
    """Run by websocket alone and record it; faults befall the exchange one by one."""
    more = f'via = ["live"]\nrecord = "{market.root}/frames"'
    file = market.file(more=more, text=LIVE_ONLY)
    market.play(until, SPEED)
    due = iter(faults)
    at = time.monotonic() + 0.5

    def over():
        nonlocal at
        if time.monotonic() > at:
            at += 0.3
            next(due, lambda: None)()
        return market.server.now >= until

    report = market.run(file, Over(over))
    assert report.errors == []
    return file


def replayed(market, name, frames=None, symbols='["BTCUSD", "ETHUSD"]', more=""):
    """Replay a recording into a folder of its own; return the pipeline file and the report."""
    more = f'replay = "{frames or market.root / "frames"}"\n{more}'
    text = LIVE_ONLY.replace("commit_every = 0.2", "commit_every = 600")
    file = market.file(market.root / name, more=more, symbols=symbols, text=text)
    return file, run(load(file), until=Until(grace=SPEED / 2))


def plain(table):
    """Return rows as they can be compared, times as they are."""
    names = [f.name for f in table.schema if pa.types.is_timestamp(f.type)]
    for name in names:
        at = table.schema.get_field_index(name)
        table = table.set_column(at, name, table[name].cast(pa.int64()))
    return table.to_pylist()


def bars(file, node, symbol):
    """Return the rows of a node but the last ones: which are still open depends on the stop."""
    found = plain(rows(file, "files", node, symbol))
    return [row for row in found if row["timestamp"] < MIDNIGHT + 3 * HOUR]


def gaps(file):
    settings = load(file).config.settings
    ledger = Ledger(settings.state, settings.name)
    found = [(gap.stream, gap.day, gap.cause, gap.evidence) for gap in ledger.gaps()]
    ledger.close()
    return found


def test_a_replay_gives_the_rows_of_the_live_run_and_the_same_bytes_each_time(market):
    server = market.server
    faults = [
        partial(server.duplicate, 5),
        server.drop,
        partial(server.lose, 1),
        partial(server.reorder, 2),
        partial(server.close, code=1001, reason="restart"),
        server.garbage,
    ]
    live = recorded(market, MIDNIGHT + 4 * HOUR, faults)
    one, first = replayed(market, "one")
    two, second = replayed(market, "two")
    assert first.errors == second.errors == []
    assert tree(one.parent / "data") == tree(two.parent / "data")
    assert any("_receipts" in name for name in tree(one.parent / "data"))
    for symbol in SYMBOLS:
        ours, theirs = (rows(file, "files", "trades", symbol) for file in (one, live))
        assert len(theirs) > 100
        assert ours["received"].null_count == 0
        assert plain(ours) == plain(theirs)
        for node in NODES[1:]:
            ours, theirs = (bars(file, node, symbol) for file in (one, live))
            assert ours
            assert ours == theirs
    assert gaps(one) == gaps(two)
    assert {gap[0].symbol for gap in gaps(one)} == {gap[0].symbol for gap in gaps(live)}


@pytest.mark.long
def test_any_speed_gives_the_same_bytes_and_takes_its_time(market):
    recorded(market, MIDNIGHT + 3 * HOUR, [market.server.drop])
    one, _ = replayed(market, "one")
    began = time.monotonic()
    two, _ = replayed(market, "two")
    fast = time.monotonic() - began
    text = LIVE_ONLY.replace("tries = 3", "tries = 3\nreplay_speed = 1000")
    began = time.monotonic()
    slow = market.file(market.root / "slow", more=REPLAY.format(root=market.root), text=text)
    text = slow.read_text().replace("commit_every = 0.2", "commit_every = 600")
    slow.write_text(text)
    assert run(load(slow), until=Until(grace=SPEED / 2)).errors == []
    assert time.monotonic() - began > 2 > fast - 2
    assert tree(one.parent / "data") == tree(two.parent / "data") == tree(slow.parent / "data")


@pytest.mark.long
def test_a_replay_into_the_same_folder_begins_anew(market):
    recorded(market, MIDNIGHT + 3 * HOUR, [])
    file, _ = replayed(market, "one")
    before = tree(file.parent / "data")
    _, report = replayed(market, "one")
    assert report.errors == []
    assert tree(file.parent / "data") == before


def test_a_replay_does_not_write_over_what_was_heard_live(market):
    file = recorded(market, MIDNIGHT + 3 * HOUR, [])
    before = tree(market.root / "data")
    text = file.read_text().replace('via = ["live"]\nrecord', "replay")
    file.write_text(text)
    report = run(load(file), until=Until())
    (error,) = [str(error) for _, error in report.errors]
    assert "2024-01-02 is there already, by live: give the replay a ledger" in error
    assert tree(market.root / "data") == before


def test_what_was_not_recorded_is_refused_in_one_line(market):
    def refusal(folder, symbols='["BTCUSD"]'):
        _, report = replayed(market, "none", market.root / folder, symbols)
        (error,) = [str(error) for _, error in report.errors]
        assert "\n" not in error
        return error.replace(str(market.root), "")

    assert refusal("nothing") == "/nothing: there is no recording of sim/sim.trades"
    write(market.root / "other", "bybit-linear", "bybit.trades", [])
    assert refusal("other") == (
        "/other: there is no recording of sim/sim.trades; it has bybit-linear/bybit.trades"
    )
    write(market.root / "frames", "sim", "sim.trades", [])
    assert refusal("frames", '["ETHUSD"]') == (
        "/frames/sim/sim.trades: no connection was recorded that served ETHUSD"
    )
    (path,) = (market.root / "frames").rglob("*.zst")
    path.write_bytes(b"PK garbage")
    assert refusal("frames").endswith(
        ".jsonl.zst: is no recording: not in zstd; leave the file out"
    )


def write(folder, exchange, type_, messages, symbol="BTCUSD", start=MIDNIGHT):
    """Record messages, each with its time."""
    tape = Recording(folder, exchange, type_).tape(1000)
    tape.opened(start, [symbol])
    for received, text in messages:
        tape.message(received, text.encode())
    tape.ended(messages[-1][0] if messages else start, "")
    tape.close()


def test_a_recorded_capture_of_binance_is_replayed_whole(tmp_path):
    path = CAPTURES / "binance" / "ws-spot-BTCUSDT-20230405.jsonl.gz"
    if not path.exists():
        pytest.skip("the recordings are not here")
    with gzip.open(path, "rt") as lines:
        said = [json.loads(line) for line in lines]
    messages = [(int(each["recv"]) * 1000, each["raw"]) for each in said]
    write(tmp_path / "frames", "binance", "binance.trades", messages, "BTCUSDT", messages[0][0])
    file = tmp_path / "p.toml"
    given = {"symbol": "BTCUSDT", "frames": tmp_path / "frames", "speed": 0}
    file.write_text(BINANCE.format(root=tmp_path, **given))
    assert run(load(file)).errors == []
    found = rows(file, "files", "trades", "BTCUSDT")
    assert len(found) == 3144
    assert format(exact(found, "size"), "f").startswith("103.85966")


@pytest.mark.long
def test_a_recorder_that_is_killed_loses_at_most_the_last_flush(market):
    file = market.file(more=f'via = ["live"]\nrecord = "{market.root}/frames"', text=LIVE_ONLY)
    market.play(MIDNIGHT + 40 * HOUR, SPEED)
    command = [sys.executable, "-m", "werks", "run", str(file), "--quiet"]
    with subprocess.Popen(command, start_new_session=True) as running:
        market.server.wait(lambda: bool(market.server.open), 20)
        time.sleep(4)
        heard, killed = market.server.now, time.time_ns()
        os.killpg(running.pid, signal.SIGKILL)
    (tape,) = taped(Recording(market.root / "frames", "sim", "sim.trades"))
    lines = list(tape.lines())
    assert lines[-1].ended == "the recording breaks off"
    assert killed - lines[-2].received < 2.5e9
    told = [time for line in lines for time in moments(line.text)]
    assert max(told) > heard - 2.5e9 * SPEED
    _, report = replayed(market, "one")
    assert report.errors == []
    # By the process's own clock these trades are years old: they are heard, and of no live day.
    assert report.live[Stream("sim", "BTCUSD", "sim.trades")].connected


def test_a_replay_takes_no_days_and_no_doors(market):
    more = 'replay = "x"\nrecord = "y"\nvia = ["live"]'
    with pytest.raises(ConfigError) as refused:
        load(market.file(more=more))
    assert [problem.split(": ", 1)[1] for problem in refused.value.problems] == [
        f"sources.trades.{name}: a replay has what was recorded and nothing else: leave this out"
        for name in ("start", "via", "record")
    ]


def moments(text):
    said = json.loads(text) if text else {}
    return [trade["time"] * 1000 for trade in said.get("trades", [])]
