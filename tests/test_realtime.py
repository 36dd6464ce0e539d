"""Live bars against the exchange's candles, and beside its open interest, as they close."""

import json
import sqlite3
import time
from contextlib import closing
from datetime import UTC, date, datetime
from functools import partial

import pyarrow as pa
import pytest

from werks import hookimpl
from werks.errors import ConfigError
from werks.ledger import Ledger
from werks.live.openmetrics import openmetrics
from werks.pipeline import Until, load, run

from .playing import HOUR, MIDNIGHT, SYMBOLS, clock_of, served

MINUTE = 60_000_000_000
DAY = date(2024, 1, 2)
PER_DAY = 3000
WRONG = MIDNIGHT + 23 * HOUR + 10 * MINUTE

PIPELINE = """
[pipeline]
name = "realtime"
state = "{root}/werks.db"
commit_every = 0.2
reconnect_after = 0.05
tries = 3

[sources.trades]
type = "sim.trades"
symbols = ["BTCUSD", "ETHUSD"]
start = {start}
{stop}
trades_per_day = {per_day}
rest_url = "{rest}"
verify = true
{live}

[sources.interest]
type = "sim.open_interest"
symbols = ["BTCUSD", "ETHUSD"]
start = {start}
trades_per_day = {per_day}
rest_url = "{rest}"

[transforms.minutes]
type = "bars"
inputs = ["trades"]
with = ["interest"]
wait = {wait}
by = "time"
every = "1m"

[sinks.files]
type = "feather"
inputs = ["trades", "minutes"]
path = "{root}/data"
"""


class Told:
    """Keeps the mismatches that it is told of."""

    def __init__(self):
        self.mismatches = []

    @hookimpl
    def werks_mismatch_found(self, stream, window, cause):
        self.mismatches.append((stream.symbol, window.day, cause))


class Market:
    """A simulated exchange whose time goes by fast, and a pipeline that follows it."""

    def __init__(self, loopback, server, root):
        self.rest, self.server, self.root = loopback, server, root
        self.course = served(loopback, MIDNIGHT, PER_DAY)
        self.told, self.shown, self.wait, self.before = Told(), [], 30, 0

    def begin(self, at):
        list(self.course.advance(at))

    def spoil(self):
        """Tell a wrong volume of one minute of one market."""
        right = self.course.answers()["/candles"]

        def wrong(query):
            status, body, headers = right(query)
            said = json.loads(body)
            for row in said.get("rows", []):
                if row["time"] * 1000 == WRONG and query["symbol"] == "BTCUSD":
                    row["volume"] = str(float(row["volume"]) + 1)
            return status, json.dumps(said).encode(), headers

        self.rest.answer("/candles", wrong)

    def file(self, root=None, stop=""):
        root = root or self.root
        root.mkdir(exist_ok=True)
        live = 'via = ["rest"]' if stop else f'via = ["rest", "live"]\nws_url = "{self.server.url}"'
        given = {"rest": self.rest.url, "per_day": PER_DAY, "start": DAY, "wait": self.wait}
        path = root / "p.toml"
        path.write_text(PIPELINE.format(root=root, stop=stop, live=live, **given))
        return path

    def now(self):
        return datetime.fromtimestamp(self.course.now // 10**9, UTC)

    def follow(self, until, is_over, speed=20_000):
        """Run live while the exchange's time goes on to `until`, and until something is so."""
        grace = speed / 2
        self.until, began = until, time.monotonic()
        play = iter([partial(self.server.play, speed=speed, until=until)])

        def is_whole():
            return self.server.now >= until and self.rows() >= self.all()

        def over():  # it is asked for the first time once the run listens
            for begin in play:
                begin(self.course.advance, self.course.now)
            late = time.monotonic() - began > 60  # what is missing is told by the test itself
            return late or (self.server.now >= until and is_over())

        graph = load(self.file(), now=self.now())
        graph.config.plugins.manager.register(self.told)
        clock = clock_of(self.course, grace, is_whole)
        show = Until(over, clock, grace, show=self.shown.append)
        return run(graph, now=self.now(), until=show)

    def rows(self):
        """Return how many trades have gone on, in all runs."""
        shown = self.shown[-1]["streams"] if self.shown else ()
        return self.before + sum(each["rows"] for each in shown)

    def all(self):
        return sum(len(self.course.trades(each, MIDNIGHT, self.until)) for each in SYMBOLS)

    def ledger(self, what):
        ledger = Ledger(str(self.root / "werks.db"), "realtime")
        try:
            return what(ledger)
        finally:
            ledger.close()

    def verified(self):
        """Return what the ledger says of the day's windows, by symbol, as far as it does."""
        with closing(sqlite3.connect(self.root / "werks.db")) as db:
            asked = "SELECT symbol, verified FROM werks_ledger_windows WHERE verified IS NOT NULL"
            return {symbol: bool(good) for symbol, good in db.execute(asked)}

    def bars(self, file, symbol):
        """Return a stream's bars, the open one left out, as plain rows."""
        graph = load(file, now=self.now())
        sink, of = graph.sink("files"), graph.branches[0].schemas["minutes"]
        windows = [window for window, _ in sink.proofs("minutes") if window.symbol == symbol]
        days = sorted((each for each in windows if each.day), key=lambda each: each.day)
        batches = [batch for day in days for batch in sink.read(day, "minutes", of)]
        return pa.Table.from_batches(batches, of).to_pylist()

    def figures(self, name):
        return {each["symbol"]: each[name] for each in self.shown[-1]["streams"]}


@pytest.fixture
def market(loopback, server, tmp_path, monkeypatch):
    # Its time goes by so fast that seconds of ours are hours of its day.
    monkeypatch.setattr("werks.pipeline.comparing._LONGEST", 1.0)
    monkeypatch.setattr("werks.pipeline.abreast._LONGEST", 1.0)
    return Market(loopback, server, tmp_path)


def test_a_wrong_candle_is_told_once_by_all_three_ways_and_bars_have_their_open_interest(market):
    """Over a midnight, and through an outage of both doors that are asked at the turn."""
    market.begin(MIDNIGHT + 22 * HOUR)
    market.spoil()
    market.rest.fail("/candles", times=2)
    market.rest.fail("/interest", times=1)
    until = MIDNIGHT + 25 * HOUR

    def is_over():
        return market.figures("compared") == compared and set(market.verified()) == set(SYMBOLS)

    compared = dict.fromkeys(SYMBOLS, (until - MIDNIGHT) // MINUTE)
    report = market.follow(until, is_over)
    assert report.errors == []
    assert market.figures("compared") == compared
    gaps = market.ledger(lambda ledger: ledger.gaps())
    assert [(g.stream.symbol, g.day, g.kind, g.missing) for g in gaps] == [
        ("BTCUSD", DAY, "mismatch", 1)
    ]
    (differences,) = market.ledger(lambda ledger: ledger.differences()).values()
    assert [(each.minute, each.field) for each in differences] == [(WRONG, "volume")]
    assert [(symbol, day) for symbol, day, _ in market.told.mismatches] == [("BTCUSD", DAY)]
    assert "first at 23:10: volume" in market.told.mismatches[0][2]
    assert market.figures("differ") == {"BTCUSD": 1, "ETHUSD": 0}
    said = openmetrics(market.shown[-1] | {"ok": True}).splitlines()
    labels = 'exchange="sim",symbol="BTCUSD",component="sim.trades"'
    assert f"werks_minutes_differ_total{{{labels}}} 1" in said
    assert market.verified() == {"BTCUSD": False, "ETHUSD": True}
    quiet(market, until)


def quiet(market, until):
    """Compare the bars, with what stands beside them, with those of a run of the past only."""
    stop = datetime.fromtimestamp(until // 10**9, UTC).isoformat()
    root = market.root / "quiet"
    file = market.file(root, f"stop = {stop}")
    assert run(load(file, now=market.now()), now=market.now()).errors == []
    for symbol in SYMBOLS:
        ours, theirs = (
            [bar for bar in market.bars(each, symbol) if bar["complete"]]
            for each in (market.root / "p.toml", file)
        )
        # The last ones may wait for their open interest still when the run is stopped.
        assert ours == theirs[: len(ours)]
        assert len(ours) > max(1000, len(theirs) - 10)
        assert all(bar["open_interest"] is not None for bar in ours)


@pytest.mark.long
def test_rest_that_hangs_delays_no_row_and_a_bar_no_longer_than_it_may_wait(market):
    market.begin(MIDNIGHT + 22 * HOUR)
    market.wait = 0.3
    for path in ("/candles", "/interest"):
        market.rest.stall(path, 60, times=100)
    until, done = MIDNIGHT + 25 * HOUR, []

    def is_over():
        if market.rows() < market.all():
            return False
        done.append(time.monotonic())
        return done[-1] - done[0] > 1

    began = time.monotonic()
    report = market.follow(until, is_over)
    ended = time.monotonic()
    assert report.errors == []
    assert market.rest.asked("/candles") == market.rest.asked("/interest") == 1
    # Three hours at this speed take 0.54 s, and the midnight 0.3 s more.
    assert done[0] - began < 8
    assert ended - done[-1] < 5
    assert set(market.figures("compared").values()) == {0}
    for symbol in SYMBOLS:
        bars = market.bars(market.root / "p.toml", symbol)
        assert len(bars) > 1000
        assert all(bar["open_interest"] is None for bar in bars)


@pytest.mark.long
def test_a_run_that_goes_on_compares_the_day_from_midnight_and_tells_nothing_twice(market):
    market.begin(MIDNIGHT + 23 * HOUR)
    market.spoil()
    for minutes in (23 * 60 + 17, 23 * 60 + 28):
        until, market.before = MIDNIGHT + minutes * MINUTE, market.rows()
        market.shown.clear()

        def is_over(minutes=minutes):
            return min(market.figures("compared").values()) >= minutes

        report = market.follow(until, is_over, speed=2000)
        assert is_over()
        assert report.errors == []
        assert market.figures("differ") == {"BTCUSD": 1, "ETHUSD": 0}
    assert len(market.told.mismatches) == 1
    quiet(market, until)


def test_a_wait_that_is_no_number_is_told(market):
    market.wait = '"long"'
    with pytest.raises(ConfigError, match=r"transforms\.minutes\.wait: seconds are expected"):
        load(market.file(), now=market.now())
