"""Live sources against a simulated exchange: archive, REST and websocket of one tape."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime

import pytest

from werks import hookimpl
from werks.components import Stream
from werks.ledger import Ledger
from werks.pipeline import load, run
from werks.pipeline.claim import TakenError
from werks.pipeline.listening import Listening
from werks_sinks.tablewriter import TableWriter

from .stormed import EXCHANGES
from .storming import GRACE, MIDNIGHT, MINUTE, Trial

HOUR = 60 * MINUTE


@pytest.fixture
def market(loopback, tmp_path):
    """Return a function that makes a market between two times, an hour a second if not slower."""

    def made(begin, until, speed=3600):
        return Trial(EXCHANGES["sim"], loopback, tmp_path, begin, until, speed)

    return made


def follow(market, file, until):
    """Run live while the exchange's time goes on to `until`, and until the last bar is closed."""
    market.until = until
    market.play()
    report = market.run(file, settle=0.6)
    assert report.errors == []
    assert market.gaps(file) == []
    return report


def check(market, file):
    """Compare with a run that had all of it from the past."""
    stop = datetime.fromtimestamp(market.until // 10**9, UTC)
    market.check(file, f"stop = {stop.isoformat()}")


@pytest.mark.long
def test_a_clock_that_is_ahead_makes_no_row_late(market, monkeypatch):
    """By two times what is waited for in silence: minutes close when their rows have come."""
    monkeypatch.setattr("werks.pipeline.skew._MOST", 2 * HOUR)
    market = market(MIDNIGHT + 2 * HOUR, MIDNIGHT + 3 * HOUR, 600)
    market.ahead = int(2 * market.speed * GRACE) * 10**9
    with market.server:
        file = market.file()
        follow(market, file, market.until)
    check(market, file)


@pytest.mark.long
def test_a_second_live_run_is_refused_and_the_first_goes_on(market, monkeypatch):
    """Also where the first one takes longer to read the past than its claim lasts."""
    monkeypatch.setattr("werks.pipeline.claim._LEASE", 1.0)
    monkeypatch.setattr("werks.pipeline.claim._RENEWED", 0.2)
    market = market(MIDNIGHT + 2 * HOUR, MIDNIGHT + 6 * HOUR)
    with market.server, ThreadPoolExecutor(1) as pool:
        file = market.file()
        market.play()
        first = pool.submit(market.run, file, settle=2.5)
        with closing(Ledger(str(file.parent / "werks.db"), "storm")) as ledger:
            while not ledger.live(Stream("sim", market.exchange.symbols[0], "sim.trades")):
                time.sleep(0.05)
        with pytest.raises(TakenError, match=r"^sources\.trades is live in another run"):
            run(load(file), now=market.now())
        assert first.result().errors == []
    check(market, file)


class Broken:
    """Raises at each event of a live run."""

    @hookimpl
    def werks_connected(self, stream):
        raise OSError("nobody listens")

    @hookimpl
    def werks_window_done(self):
        raise SystemExit(0)


@pytest.mark.long
def test_an_observer_that_fails_stops_no_live_run(market):
    market = market(MIDNIGHT - HOUR // 2, MIDNIGHT + HOUR // 2)
    with market.server:
        file = market.file()
        market.play()
        report = market.run(file, settle=0.6, observer=Broken())
    said = {who: {type_of(str(error)) for _, error in report.errors} for who, _ in report.errors}
    assert said == {"Broken": {"OSError", "SystemExit"}}
    assert len(report.errors) == 2
    check(market, file)


def type_of(said):
    """Return the type that an error's line names."""
    return said.split(": ")[1].split(" in ")[0]


def test_archive_rest_and_live_are_one_stream_without_a_gap(market):
    market = market(MIDNIGHT + 2 * HOUR, MIDNIGHT + 4 * HOUR)
    with market.server:
        file = market.file()
        report = follow(market, file, market.until)
    assert not report.stopped
    check(market, file)


def test_a_table_gets_the_rows_of_all_symbols_by_one_transaction(market, monkeypatch):
    widths, store = [], TableWriter._store

    def stored(self, windows, *given):
        widths.append(len(windows))
        return store(self, windows, *given)

    monkeypatch.setattr(TableWriter, "_store", stored)
    market = market(MIDNIGHT + 2 * HOUR, MIDNIGHT + 3 * HOUR)
    with market.server:
        file = market.file()
        follow(market, file, market.until)
    assert widths.count(len(EXCHANGES["sim"].symbols)) > 1
    check(market, file)


@pytest.mark.long
def test_a_live_run_goes_over_midnight(market):
    market = market(MIDNIGHT - HOUR, MIDNIGHT + HOUR)
    with market.server:
        file = market.file()
        follow(market, file, market.until)
    check(market, file)


def test_a_day_that_ends_before_its_streams_begin_is_whole(market, monkeypatch):
    """The past was read up to its midnight, and it is over once they are made."""
    market, begin = market(MIDNIGHT - HOUR, MIDNIGHT + HOUR), Listening._begin

    def late(self, source):
        while market.server.now < MIDNIGHT + HOUR // 4:
            time.sleep(0.01)
        begin(self, source)

    monkeypatch.setattr(Listening, "_begin", late)
    with market.server:
        file = market.file()
        follow(market, file, market.until)
    check(market, file)


def test_a_run_that_is_stopped_goes_on_where_it_was(market):
    market = market(MIDNIGHT + 2 * HOUR, MIDNIGHT + 3 * HOUR)
    with market.server:
        file = market.file()
        for hours in (3, 4):
            follow(market, file, MIDNIGHT + hours * HOUR)
    check(market, file)
