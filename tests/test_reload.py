"""Symbols that come and go while a run is live, by an edited file and SIGHUP."""

import re
import signal
import sqlite3
import sys
import time
from contextlib import closing

import pyarrow.compute as pc
import pytest

from werks import Reload
from werks.pipeline import Until, load, run
from werks.pipeline.livesource import LiveSource
from werks.transforms.bars.step import Making

from .commanded import Command
from .compared import reader
from .playing import DAY, HOUR, MIDNIGHT, NANO, PIPELINE, Market, count, ledger_of, moment
from .reloading import Edited, check, wait


@pytest.fixture
def market(loopback, server, tmp_path, monkeypatch):
    monkeypatch.setattr("werks.pipeline.connections._OVERLAP", 0.3)
    return Market(loopback, server, tmp_path)


def test_a_symbol_that_comes_has_its_past_and_no_gap_and_the_others_do_not_wait(market):
    until = MIDNIGHT + 5 * HOUR
    doors = 'via = ["rest", "live"]'
    file = market.file(symbols='["BTCUSD"]', more=doors)
    edited, counts = Edited(market, until), []
    edited.stop = market.has_all

    def edit():
        market.rest.stall("/trades", 0.7, times=2)
        market.file(more=doors)

    def told(line):
        counts.append(count(market.root, "BTCUSD"))
        edited.said.append(line)

    edited._told = told
    report = edited.run(file, [(MIDNIGHT + 3 * HOUR, edit, "live now")])
    assert edited.said == ["taken up: added ETHUSD", "ETHUSD: the past is read, live now"]
    assert counts[1] > counts[0]
    assert report.errors == []
    assert [each.removed for each in report.live.values()] == [False, False]
    with ledger_of(file) as ledger:
        assert ledger.gaps() == []
    check(market, market.file(), until)


def test_calls_that_raise_stop_no_run_and_the_last_commit_is_made(market):
    """The last segment has all rows here, so that without it there would be none."""
    text = PIPELINE.replace("commit_every = 0.2", "commit_every = 600")
    file, until = market.file(more='via = ["rest", "live"]', text=text), MIDNIGHT + 3 * HOUR
    now, reload, asked, ends = moment(market.course), None, [], []

    def is_over():
        if not asked:
            asked.append(reload())
        if market.server.now < until:
            return False
        ends.append(time.monotonic())
        if ends[-1] < ends[0] + 1:
            return False
        raise RuntimeError("this program cannot count")

    def show(told):
        sys.exit(f"nobody looks at {len(told)} figures")

    def tell(line):
        raise OSError(f"nobody reads that {line}")

    reload = Reload(lambda: sys.exit("no file"), tell)
    graph = load(file, now)
    market.play(until, 7200)
    given = Until(is_over, lambda: market.course.now, market.grace, reload, show)
    report = run(graph, now=now, until=given)
    said = {who: str(error) for who, error in report.errors}
    assert said.keys() == {"Until.is_over", "Until.show", "Reload.tell"}
    assert len(report.errors) == 3
    assert said["Until.is_over"].startswith("the program, at Until.is_over: RuntimeError in test_")
    assert said["Until.is_over"].endswith(": this program cannot count")
    assert "SystemExit" in said["Until.show"]
    assert "nobody reads that the run goes on as it was: reload: SystemExit" in said["Reload.tell"]
    assert count(market.root) == market.whole


@pytest.mark.long
def test_a_stream_that_an_error_has_stopped_comes_again_with_each_row_once(market, monkeypatch):
    """What it had written and not committed is thrown away with it."""
    until, stopped = MIDNIGHT + 5 * HOUR, []
    push, abandon = Making.push, LiveSource.abandon

    def bad(self, rows, node):
        late = rows["timestamp"][-1].value > MIDNIGHT + 3 * HOUR
        if not stopped and late and rows["symbol"][0].as_py() == "ETHUSD":
            raise KeyError("a plugin's own")
        return push(self, rows, node)

    def abandoned(self, symbol):
        abandon(self, symbol)
        stopped.append(symbol)

    monkeypatch.setattr(Making, "push", bad)
    monkeypatch.setattr(LiveSource, "abandon", abandoned)
    file, edited = market.file(more='via = ["rest", "live"]'), Edited(market, until)
    edited.stop = market.has_all
    edit = (MIDNIGHT + 3 * HOUR + HOUR // 2, lambda: wait(lambda: stopped), "live now")
    report = edited.run(file, [edit])
    assert stopped == ["ETHUSD"]
    assert [who for who, _ in report.errors] == ["sim ETHUSD"]
    check(market, file, until)


@pytest.mark.long
def test_a_symbol_that_leaves_is_committed_and_may_come_back(market):
    until = MIDNIGHT + 9 * HOUR
    file, root = market.file(), market.root
    edited = Edited(market, until)
    edited.stop = market.has_all
    left = []

    def bad(text):
        return lambda: file.write_text(text(file.read_text()))

    def back():
        wait(lambda: len(market.server.open) == 1, 25)
        minutes = reader(load(file))("files", "minutes", "ETHUSD")
        left.append((count(root, "ETHUSD"), minutes))
        wait(lambda: market.server.now >= until)
        market.file()

    edits = [
        (0, bad(lambda text: text + "["), "is not TOML"),
        (0, lambda: market.file(stop="stop = 2024-02-01"), "start it anew for sources.trades"),
        (0, lambda: market.file(symbols='["BTC*", "X*"]'), "no instrument looks like 'X*'"),
        (MIDNIGHT + 3 * HOUR, lambda: market.file(symbols='["BTC*"]'), "removed ETHUSD"),
        (0, back, "ETHUSD: the past is read, live now"),
    ]
    report = edited.run(file, edits)
    ((had, minutes),) = left
    assert len(edited.said) == 6
    assert all("the run goes on as it was: " in line for line in edited.said[:3])
    assert not any("\n" in line for line in edited.said)
    # What was open is apart, behind all that is closed, and nothing is in it twice.
    assert minutes["complete"].to_pylist() == [True] * (len(minutes) - 1) + [False]
    assert pc.sum(minutes["ticks"]).as_py() == had
    assert MIDNIGHT + 3 * HOUR <= minutes["end"].cast("int64")[-1].as_py() < until
    assert report.errors == []
    check(market, file, until)


@pytest.fixture
def command(loopback, server, tmp_path):
    # Within a minute of midnight a day more has to be read, and another one is open.
    left = DAY - time.time_ns() % DAY
    if left < 60 * NANO:
        time.sleep(left / NANO)
    return Command(loopback, server, tmp_path)


def stored(root, symbol):
    """Return the ids of a symbol in the database, in the order of the rows."""
    with closing(sqlite3.connect(root / "rows.db")) as db:
        order = "ORDER BY window IS NULL, window, n"
        found = db.execute(f"SELECT trade_id FROM trades WHERE symbol = ? {order}", [symbol])
        return [int(row[0]) for row in found]


@pytest.mark.long
def test_the_command_takes_symbols_up_on_a_terminal_and_ends_with_a_summary(command):
    command.write('["BTCUSD"]')
    with command.started():
        command.until_said("all flows")
        bars, _, live = command.out.partition("live: ")
        assert re.search(r"sim BTCUSD .*1/1 days +[\d,]+ rows", bars)
        assert re.match(r"1 stream, [\d,]+ rows, [\d,]+ rows/s, ", live)
        command.write('["BTCUSD", "E*"]')
        command.signal(signal.SIGHUP)
        command.until_said("reload: taken up: added ETHUSD")
        command.until_said("reload: ETHUSD: the past is read, live now")
        command.write('["BTCUSD", "E*"')
        command.signal(signal.SIGHUP)
        command.until_said("reload: the run goes on as it was: ")
        wait(lambda: len(set(command.server.open)) == 2)
        seen = stored(command.root, "ETHUSD")
        wait(lambda: len(stored(command.root, "ETHUSD")) > len(seen) > 0)
        command.write('["ETHUSD"]')
        command.signal(signal.SIGHUP)
        command.until_said("reload: taken up: removed BTCUSD")
        command.signal(signal.SIGINT)
        assert command.end() == 0
        table = command.out.rpartition("reconnects")[2]
    assert re.search(r"sim BTCUSD +[\d,]+ +0 +0 +\d+ +removed", table)
    assert re.search(r"sim ETHUSD +[\d,]+ +0 +0 +\d+ +flowed", table)
    assert "Traceback" not in command.out
    began = time.time_ns() // DAY * DAY - DAY
    for symbol in ("BTCUSD", "ETHUSD"):
        ids = stored(command.root, symbol)
        tape = command.course.trades(symbol, began, command.course.now)["trade_id"]
        assert ids == [int(each) for each in tape.to_pylist()[: len(ids)]]


@pytest.mark.long
def test_a_terminal_that_goes_away_ends_the_run_well(command):
    command.write('["BTCUSD"]')
    with command.started():
        command.until_said("all flows")
        command.hang_up()
        assert command.end() == 0
    with closing(sqlite3.connect(command.root / "rows.db")) as db:
        ask = "SELECT substr(timestamp, 1, 16) FROM minutes WHERE window IS "
        open_, closed = (db.execute(ask + each).fetchall() for each in ("NULL", "NOT NULL"))
        last = db.execute("SELECT substr(max(timestamp), 1, 16) FROM trades").fetchone()
    assert open_ == ([] if last in closed else [last])  # the market is quiet for whole minutes


@pytest.mark.long
def test_the_second_signal_stops_at_once_though_rest_does_not_answer(command):
    command.write('["BTCUSD"]')
    with command.started(terminal=False):
        command.until_said("live: ")
        asked = command.rest.asked("/trades")
        command.rest.stall("/trades", 60, times=9)
        command.server.lose()  # ids prove it, so that REST is asked
        wait(lambda: command.rest.asked("/trades") > asked)
        command.signal(signal.SIGTERM)
        command.signal(signal.SIGINT)
        began = time.monotonic()
        assert command.end() == 1
        assert time.monotonic() - began < 5
        command.until_said("stopped: what was committed stays")
