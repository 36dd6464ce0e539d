"""A simulated exchange whose time goes by fast, a pipeline file that follows it, what it holds."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime

from werks.ledger import Ledger
from werks.pipeline import load
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


def served(loopback, begin, per_day=PER_DAY, symbols=SYMBOLS):
    """Return a course whose time is `begin`, and of which REST tells from now on."""
    course = Course(Exchange(trades_per_day=per_day), symbols, begin)
    for path, answer in course.answers().items():
        loopback.answer(path, answer)
    return course


def moment(course):
    """Return the exchange's time, in whole seconds."""
    return datetime.fromtimestamp(course.now // NANO, UTC)


class Market:
    """A course of time at its servers, and pipeline files that follow it."""

    def __init__(self, loopback, server, root):
        self.course = served(loopback, MIDNIGHT + 2 * HOUR)
        self.rest, self.server, self.root = loopback, server, root

    def file(self, root=None, stop="", more="", symbols='["BTCUSD", "ETHUSD"]', text=PIPELINE):
        root = root or self.root
        root.mkdir(exist_ok=True)
        given = {"rest": self.rest.url, "ws": self.server.url, "per_day": PER_DAY}
        path = root / "p.toml"
        path.write_text(text.format(root=root, stop=stop, more=more, symbols=symbols, **given))
        return path

    def all_until(self, until):
        return sum(len(self.course.trades(each, MIDNIGHT - DAY, until)) for each in SYMBOLS)

    def play(self, until, speed):
        self.end, self.whole = until, self.all_until(until)
        # Rows are on their way for half a second of ours, which is much longer in their time.
        self.grace = speed / 2
        self.server.play(self.course.advance, self.course.now, speed, until)

    def has_all(self):
        """Tell whether all trades up to the end are in the database."""
        return self.server.now >= self.end and count(self.root) >= self.whole


def clock_of(course, grace, is_over):
    """Return a run's clock: the last bars close once it is over, for then nothing more can come."""
    return lambda: course.now + (int((grace + 31) * NANO) if is_over() else 0)


def count(root, symbol=None):
    """Return how many trades there are in the database of a folder, of one symbol or of all."""
    where, given = ("WHERE symbol = ?", [symbol]) if symbol else ("", [])
    with closing(sqlite3.connect(root / "rows.db")) as db:
        return db.execute(f"SELECT count(*) FROM trades {where}", given).fetchone()[0]


def ledger_of(file):
    settings = load(file).config.settings
    return closing(Ledger(settings.state, settings.name))
