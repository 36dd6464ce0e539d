"""A live run whose file is edited, in this process and by a fast clock."""

import threading
import time
from datetime import UTC, datetime

from werks import Reload
from werks.pipeline import Until, load, run

from .compared import reader
from .playing import NANO, SYMBOLS, clock_of, moment


def quiet(market, until):
    """Return the pipeline file of a run that had all of it from the past."""
    stop = datetime.fromtimestamp(until // NANO, UTC).isoformat()
    file = market.file(market.root / "quiet", f"stop = {stop}", 'via = ["archive", "rest"]')
    report = run(load(file), now=moment(market.course))
    assert report.errors == []
    return file


def check(market, file, until):
    """Compare all rows of all sinks with those of a run that had the past only."""
    ours, theirs = reader(load(file)), reader(load(quiet(market, until)))
    for sink, nodes in (("files", ("trades", "ticks", "minutes", "dollars")), ("db", ("trades",))):
        for node in nodes:
            for symbol in SYMBOLS:
                found = ours(sink, node, symbol)
                assert len(found)
                assert found.equals(theirs(sink, node, symbol)), (sink, node, symbol)


class Edited:
    """A live run in this thread, whose file another thread edits when the market is so far."""

    def __init__(self, market, until, speed=7200):
        self.market, self.until, self.said, self.stop = market, until, [], None
        self.report, self._error = None, None
        market.play(until, speed)

    def run(self, file, edits):
        """Make the edits at their times; end once the market is over and `stop` is so."""
        market = self.market
        now, grace = moment(market.course), market.grace
        reload = Reload(lambda: load(file, now), self._told)
        graph = load(file, now)
        editing = threading.Thread(target=self._edit, args=(reload, edits))
        editing.start()

        def is_over():
            return market.server.now >= self.until and not editing.is_alive()

        clock = clock_of(market.course, grace, is_over)
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
