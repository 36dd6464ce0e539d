"""A live run whose file is edited, in this process and by a fast clock."""

import sqlite3
import threading
import time
from contextlib import closing
from datetime import UTC, datetime

import pyarrow as pa

from werks import Reload
from werks.ledger import Ledger
from werks.pipeline import Until, load, run
from werks_sim import Course, Exchange

NANO = 10**9
HOUR = 3600 * NANO
DAY = 24 * HOUR
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
        path = root / "p.toml"
        path.write_text(text.format(root=root, stop=stop, more=more, symbols=symbols, **given))
        return path

    def all_until(self, until):
        begin = MIDNIGHT - 24 * HOUR
        return sum(len(self.course.trades(each, begin, until)) for each in SYMBOLS)

    def now(self):
        return datetime.fromtimestamp(self.course.now // 10**9, UTC)

    def play(self, until, speed=7200):
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
    """Return a table in one piece, without when rows were received."""
    words = [n for n, of in enumerate(table.schema.types) if pa.types.is_dictionary(of)]
    for number in words:
        name = table.schema.names[number]
        table = table.set_column(number, name, table[name].cast(pa.string()))
    dropped = [name for name in ("received",) if name in table.schema.names]
    return table.drop_columns(dropped).combine_chunks()


def count(path):
    """Return how many trades there are in a database."""
    with closing(sqlite3.connect(path)) as db:
        return db.execute("SELECT count(*) FROM trades").fetchone()[0]


def check(market, file, until):
    """Compare all rows of all sinks with those of a run that had the past only."""
    quiet = market.quiet(until)
    for sink, nodes in (("files", ("trades", "ticks", "minutes", "dollars")), ("db", ("trades",))):
        for node in nodes:
            for symbol in SYMBOLS:
                ours = rows(file, sink, node, symbol)
                theirs = rows(quiet, sink, node, symbol)
                assert len(ours)
                assert plain(ours).equals(plain(theirs)), (sink, node, symbol)


class Edited:
    """A live run in this thread, whose file another thread edits when the market is so far."""

    def __init__(self, market, until, speed=7200):
        self.market, self.until, self.said, self.stop = market, until, [], None
        self.report, self._error = None, None
        market.play(until, speed)

    def run(self, file, edits):
        """Make the edits at their times; end once the market is over and `stop` is so."""
        now, grace = self.market.now(), self.market.speed / 2
        reload = Reload(lambda: load(file, now), self._told)
        graph = load(file, now)
        editing = threading.Thread(target=self._edit, args=(reload, edits))
        editing.start()

        def clock():
            over = self.market.server.now >= self.until and not editing.is_alive()
            return self.market.course.now + (int((grace + 1) * NANO) if over else 0)

        until = Until(self._over(editing), clock, grace, reload)
        self.report = run(graph, now=now, until=until)
        editing.join()
        if self._error is not None:
            raise self._error
        return self.report

    def _told(self, line):
        self.said.append(line)

    def _edit(self, reload, edits):
        try:
            for at, edit, answer in edits:
                wait(lambda at=at: self.market.server.now >= at)
                edit()
                reload()
                wait(lambda answer=answer: any(answer in line for line in self.said))
        except BaseException as error:
            self._error = error

    def _over(self, editing):
        began, since = time.monotonic(), [0.0]

        def is_over():
            now = time.monotonic()
            if editing.is_alive() or not self.stop() or self.market.server.now < self.until:
                since[0] = now
            return now - since[0] > 0.7 or now - began > 60

        return is_over


def wait(until, seconds=30.0):
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end
        time.sleep(0.02)


def trades(root, symbol):
    """Return how many trades of a symbol there are in the database."""
    with closing(sqlite3.connect(root / "rows.db")) as db:
        return db.execute("SELECT count(*) FROM trades WHERE symbol = ?", [symbol]).fetchone()[0]


def ledger_of(file):
    settings = load(file).config.settings
    return closing(Ledger(settings.state, settings.name))
