"""Live sources against a simulated exchange: archive, REST and websocket of one tape."""

import sqlite3
import threading
import time
from contextlib import closing
from datetime import UTC, datetime
from functools import partial

import pyarrow as pa
import pytest

from werks.ledger import Ledger
from werks.pipeline import Until, load, run
from werks.testing import LoopbackSocket, Storm
from werks_sim import Course, Exchange, Words

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
{stop}
trades_per_day = {per_day}
{stale}
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


class Market:
    """A simulated exchange whose time goes by fast, and a pipeline that follows it."""

    def __init__(self, loopback, server, root, begin=MIDNIGHT + 2 * HOUR):
        self.course = Course(Exchange(trades_per_day=PER_DAY), SYMBOLS, begin)
        self.rest, self.server, self.root = loopback, server, root
        for path, answer in self.course.answers().items():
            loopback.answer(path, answer)
        list(self.course.advance(begin))

    def file(self, root=None, stop="", more="", symbols='["BTCUSD", "ETHUSD"]', text=PIPELINE):
        root = root or self.root
        root.mkdir(exist_ok=True)
        given = {"rest": self.rest.url, "ws": self.server.url, "per_day": PER_DAY}
        given["stale"] = "stale_after = 2"
        path = root / "p.toml"
        path.write_text(text.format(root=root, stop=stop, more=more, symbols=symbols, **given))
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

    def quiet(self, until):
        """Return the pipeline file of a run that had all of it from the past."""
        stop = datetime.fromtimestamp(until // 10**9, UTC).isoformat()
        file = self.file(self.root / "quiet", f"stop = {stop}", 'via = ["archive", "rest"]')
        report = run(load(file), now=self.now())
        assert report.errors == []
        return file


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


def plain(table):
    dropped = [name for name in ("received",) if name in table.schema.names]
    return table.drop_columns(dropped).to_pylist()


@pytest.fixture
def server():
    with LoopbackSocket(partial(Words, snapshot=20), heartbeat=0.2) as running:
        yield running


@pytest.fixture
def market(loopback, server, tmp_path):
    return Market(loopback, server, tmp_path)


def count(path):
    """Return how many trades there are in a database."""
    with closing(sqlite3.connect(path)) as db:
        return db.execute("SELECT count(*) FROM trades").fetchone()[0]


def follow(market, file, until, speed=20_000, storm=None):
    """Run live while the exchange's time goes on to `until`, and a little after."""
    stop = threading.Event()

    def strikes():
        while not stop.wait(0.3):
            storm.strike()

    thread = threading.Thread(target=strikes)
    if storm is not None:
        thread.start()
    market.play(until, speed)

    def there():
        if market.server.now < until:
            return False
        stop.set()
        return count(market.root / "rows.db") >= market.whole

    report = market.run(file, Over(there, 1.0 if storm is None else 3.0))
    stop.set()
    graph = load(file)
    ledger = Ledger(graph.config.settings.state, graph.config.settings.name)
    assert ledger.gaps() == []
    ledger.close()
    if storm is not None:
        thread.join()
    return report


def check(market, file, until):
    """Compare all rows of all sinks with those of a run that had the past only."""
    quiet = market.quiet(until)
    for sink, nodes in (("files", ("trades", "ticks", "minutes", "dollars")), ("db", ("trades",))):
        for node in nodes:
            for symbol in SYMBOLS:
                ours = rows(file, sink, node, symbol)
                theirs = rows(quiet, sink, node, symbol)
                assert plain(ours) == plain(theirs), (sink, node, symbol)


def test_archive_rest_and_live_are_one_stream_without_a_gap(market):
    until = MIDNIGHT + 5 * HOUR
    file = market.file()
    report = follow(market, file, until)
    assert report.errors == []
    assert not report.stopped
    check(market, file, until)


def test_a_live_run_goes_over_midnight(market):
    until = MIDNIGHT + 27 * HOUR
    file = market.file()
    report = follow(market, file, until, speed=60_000)
    assert report.errors == []
    check(market, file, until)


def test_a_run_that_is_stopped_goes_on_where_it_was(market):
    file = market.file()
    for until in (MIDNIGHT + 4 * HOUR, MIDNIGHT + 6 * HOUR, MIDNIGHT + 7 * HOUR):
        report = follow(market, file, until)
        assert report.errors == []
    check(market, file, MIDNIGHT + 7 * HOUR)


@pytest.mark.parametrize(
    "seed", [1, *[pytest.param(n, marks=pytest.mark.long) for n in range(2, 12)]]
)
def test_a_storm_loses_and_doubles_nothing(market, seed):
    until = MIDNIGHT + 8 * HOUR
    storm = Storm(seed, market.server, market.rest, ["/trades"])
    file = market.file()
    report = follow(market, file, until, speed=3_000, storm=storm)
    assert report.errors == []
    check(market, file, until)
