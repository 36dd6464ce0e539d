"""What is recorded live is replayed: the same rows, and the same bytes each time."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from werks.components import Stream
from werks.errors import ConfigError
from werks.live import Recording
from werks.live.recorded import taped
from werks.pipeline import Until, load, run

from .compared import reader
from .conftest import exact
from .playing import HOUR, MIDNIGHT, PIPELINE, SYMBOLS, Market, clock_of, ledger_of, moment
from .storming import Soon

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

    clock, end = clock_of(market.course, market.grace, market.has_all), Soon(over, still=1.0)
    report = run(load(file), now=moment(market.course), until=Until(end, clock, market.grace))
    assert not end.late
    assert report.errors == []
    return file


def replayed(market, name, frames=None, symbols='["BTCUSD", "ETHUSD"]', more=""):
    """Replay a recording into a folder of its own; return the pipeline file and the report."""
    more = f'replay = "{frames or market.root / "frames"}"\n{more}'
    text = LIVE_ONLY.replace("commit_every = 0.2", "commit_every = 600")
    file = market.file(market.root / name, more=more, symbols=symbols, text=text)
    return file, run(load(file), until=Until(grace=SPEED / 2))


def rows(file, node, symbol):
    """Return all rows of a node, with when they were received."""
    return reader(load(file), received=True)("files", node, symbol)


def bars(file, node, symbol):
    """Return the rows of a node but the last ones: which are still open depends on the stop."""
    found = rows(file, node, symbol)
    last = pa.scalar(MIDNIGHT + 3 * HOUR, pa.int64())
    return found.filter(pc.less(found["timestamp"].cast(pa.int64()), last))


def gaps(file):
    with ledger_of(file) as ledger:
        return [(gap.stream, gap.day, gap.cause, gap.evidence) for gap in ledger.gaps()]


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
        ours, theirs = (rows(file, "trades", symbol) for file in (one, live))
        assert len(theirs) > 100
        assert ours["received"].null_count == 0
        assert ours.equals(theirs)
        for node in NODES[1:]:
            ours, theirs = (bars(file, node, symbol) for file in (one, live))
            assert len(ours)
            assert ours.equals(theirs)
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
    found = rows(file, "trades", "BTCUSDT")
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
