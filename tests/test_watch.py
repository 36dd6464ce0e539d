"""A live run that is watched while a simulated exchange drops and freezes its connections."""

import http.client
import json
import re
import socket
import threading
import time

import pytest
from click.testing import CliRunner

from werks import cli
from werks.pipeline import Until, load, run

from .playing import HOUR, MIDNIGHT, SYMBOLS, moment, served

PIPELINE = """
[pipeline]
name = "watched"
state = "{root}/werks.db"
commit_every = 0.2
reconnect_after = 0.05
quarantine = "{root}/aside"
watch = "127.0.0.1:{port}"

[sources.trades]
type = "sim.trades"
symbols = ["BTCUSD", "ETHUSD"]
start = 2024-01-01
trades_per_day = 6000
stale_after = 1
rest_url = "{rest}"
ws_url = "{ws}"

[transforms.minutes]
type = "bars"
by = "time"
every = "1m"

[sinks.files]
type = "feather"
inputs = ["trades", "minutes"]
path = "{root}/data"
"""


class Watched:
    """A run in a thread of its own, and what it tells."""

    def __init__(self, loopback, server, root):
        self.course = served(loopback, MIDNIGHT + 2 * HOUR)
        self.server, self.over = server, threading.Event()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.file, given = root / "p.toml", {"rest": loopback.url, "ws": server.url}
        self.file.write_text(PIPELINE.format(root=root, port=self.port, **given))
        self.reports = []
        self.thread = threading.Thread(target=self._run)

    def __enter__(self):
        self.server.play(self.course.advance, self.course.now, speed=600)
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.over.set()
        self.thread.join(30)
        assert not self.thread.is_alive()

    def _run(self):
        until = Until(self.over.is_set, lambda: self.course.now, 300)
        self.reports.append(run(load(self.file), now=moment(self.course), until=until))

    def ask(self, path):
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            line.request("GET", path)
            answer = line.getresponse()
            return answer.status, answer.read().decode()
        finally:
            line.close()

    def health(self):
        status, text = self.ask("/health")
        told = json.loads(text)
        assert told["ok"] is (status == 200) is not bool(told["problems"])
        return status, told["problems"]

    def until_health_is(self, wanted, seconds=30):
        """Return the problems, once health is so."""
        end = time.monotonic() + seconds
        while True:
            try:
                status, problems = self.health()
            except ConnectionRefusedError:  # it still reads the past
                status, problems = 0, ["not there"]
            if status == wanted:
                return problems
            assert time.monotonic() < end, problems
            assert self.thread.is_alive(), self.reports
            time.sleep(0.05)

    def samples(self):
        text = self.ask("/metrics")[1]
        assert text.endswith("\n# EOF\n")
        found = re.findall(r"^(\w+)(?:\{(.*)\})? (-?[\d.]+)$", text, re.M)
        assert len(found) == sum(not line.startswith("#") for line in text.splitlines())
        return {(name, labels): float(value) for name, labels, value in found}

    def of(self, metric):
        """Return a metric of each symbol."""
        found = self.samples()
        stream = 'exchange="sim",symbol="{}",component="sim.trades"'
        return [found[metric, stream.format(symbol)] for symbol in SYMBOLS]

    def until_all(self, metric, so):
        """Wait until a metric is so for each symbol."""
        end = time.monotonic() + 20
        while not all(map(so, self.of(metric))):
            assert time.monotonic() < end, self.of(metric)
            time.sleep(0.05)


@pytest.fixture
def watched(loopback, server, tmp_path):
    with Watched(loopback, server, tmp_path) as running:
        running.until_health_is(200)
        yield running


def test_health_is_bad_while_the_exchange_is_gone_and_good_again_behind_it(watched, server):
    before = watched.samples()
    server.refuse(503, times=7)
    server.drop()
    watched.until_all("werks_connected", lambda value: value == 0)
    status, problems = watched.health()
    assert (status, len(problems)) == (503, 2)
    assert all("sim.trades: not connected: ws://127.0.0.1:" in each for each in problems)
    watched.until_health_is(200)
    assert min(watched.of("werks_reconnects_total")) >= 1  # more on a machine that is busy
    after = watched.samples()
    counters = [key for key in before if key[0].endswith("_total")]
    assert len(counters) == 10
    assert all(after[key] >= before[key] for key in counters)
    assert set(after) == set(before)


@pytest.mark.long
def test_health_is_bad_once_a_half_open_connection_is_found_out(watched, server):
    server.refuse(503, times=7)  # so that it is bad for a while
    server.half_open()
    watched.until_all("werks_connected", lambda value: value == 0)
    assert watched.health()[0] == 503
    watched.until_health_is(200)
    assert min(watched.of("werks_reconnects_total")) >= 1


def test_rows_and_their_lag_are_told_as_they_come(watched, server):
    watched.until_all("werks_rows_per_second", lambda value: value > 0)
    first = watched.of("werks_rows_total")
    end = time.monotonic() + 20
    while any(now <= then for now, then in zip(watched.of("werks_rows_total"), first, strict=True)):
        assert time.monotonic() < end
        time.sleep(0.05)
    # 600 of their seconds pass in one of ours, and a row comes every 14 of them.
    assert all(0 <= lag < 3600 for lag in watched.of("werks_lag_seconds"))
    assert watched.of("werks_gaps_open") == [0, 0]
    assert watched.samples()["werks_sink_waiting_bytes", 'sink="files"'] >= 0


def test_a_symbol_that_is_refused_is_a_problem_and_the_others_flow(loopback, server, tmp_path):
    server.venue.refused["ETHUSD"] = "not listed"
    with Watched(loopback, server, tmp_path) as running:
        watched_ = 'exchange="sim",symbol="BTCUSD",component="sim.trades"'
        end = time.monotonic() + 30
        while True:
            try:
                if running.samples().get(("werks_rows_total", watched_), 0) > 0:
                    break
            except ConnectionRefusedError:
                pass
            assert time.monotonic() < end
            time.sleep(0.05)
        problems = running.until_health_is(503)
        assert [each for each in problems if each.startswith("sim ETHUSD sim.trades: refused: ")]


def test_top_shows_the_run(watched):
    done = CliRunner().invoke(cli.main, ["top", str(watched.file)])
    assert done.exit_code == 0, done.output
    for symbol in SYMBOLS:
        assert re.search(rf"^ *sim {symbol} trades +[\d,]+ .* flows *$", done.output, re.M)
    assert re.search(r"^ *files +[\d,]+ +takes rows *$", done.output, re.M)


def test_nothing_answers_once_the_run_is_over(watched):
    watched.over.set()
    watched.thread.join(30)
    assert [report.errors for report in watched.reports] == [[]]
    done = CliRunner().invoke(cli.main, ["top", str(watched.file)])
    assert done.exit_code == 1
    assert "nothing answers at 127.0.0.1:" in done.output
