"""What connections tell is heard in its order, whatever a run is about: none of it is forgotten."""

import time
from contextlib import ExitStack
from datetime import timedelta

import pytest

from werks.components import Window
from werks.errors import WerksError
from werks.live import ROOM, Inbox, Manner, Told
from werks.live.spool import Spool
from werks.pipeline import Report
from werks.pipeline.claim import Claims
from werks.pipeline.connections import Connections
from werks.pipeline.newcomers import Newcomers
from werks.pipeline.reloading import Walk
from werks.pipeline.waiting import Waiting
from werks_sim import Feed

from .storming import MIDNIGHT, MINUTE
from .unconnected import DAY, SYMBOL, Heard, acked, came, connected, lost, trades


@pytest.fixture
def heard(tmp_path):
    with ExitStack() as stack:
        yield lambda *given: Heard(tmp_path, stack, *given)


@pytest.fixture(scope="module")
def rows():
    return trades(MIDNIGHT, MIDNIGHT + 10 * MINUTE)


@pytest.mark.parametrize(
    "outage",
    [[lost(), connected(), acked()], [Told(ROOM, SYMBOL, "missed", "closed")]],
    ids=["a connection lost", "a message missed"],
)
def test_an_outage_that_waits_when_a_run_stops_is_a_hole_all_the_same(heard, rows, outage):
    def told(status):
        """Have more come once the first have been taken, while the run comes to its end."""
        if status["streams"][0]["rows"] == 100:
            run.put(*outage, came(rows[200:300]))

    run = heard(told)
    run.put(connected(), acked(), came(rows[:100]))
    run.run()
    assert run.report.errors == []
    assert any("closed" in gap.cause for gap in run.ledger.gaps())
    (figures,) = run.report.live.values()
    assert figures.rows == 200


def test_what_takes_a_connections_place_counts_once_it_is_answered(heard):
    """Until then REST is not asked: what comes after its answer would be in neither."""
    found = []

    def told(_):
        found.append(run.source.streams[SYMBOL].lane.connected)

    run = heard(told)
    run.put(connected(), acked(), connected(ROOM + 1), lost())
    run.run()
    assert found == [False]
    run.put(acked(ROOM + 1), lost())
    run.run()
    assert found == [False, True]


def test_a_connection_is_heard_until_the_one_in_its_place_is_answered(server, monkeypatch):
    monkeypatch.setattr("werks.pipeline.connections._OVERLAP", 0.0)
    inbox = Inbox()
    connections = Connections(Feed(ws_url=server.url), inbox, (None, Manner(print)), 1)
    connections.open(["BTCUSD", "ETHUSD"])
    server.wait(lambda: server.open == [0])
    (old,) = connections._now
    server.wait(lambda: bool(old.since))
    server.delay(0.4, line=1)
    began = time.monotonic()
    connections.drop(["ETHUSD"])
    while old.is_alive():
        connections.renew()
        time.sleep(0.01)
    assert 0.35 < time.monotonic() - began < 9
    connections.stop()
    assert Told(2, "BTCUSD", "acked", "") in list(inbox.take(0.1))


class Past:
    """History that has been read at once, up to a day; `asked` is what was to be read."""

    def __init__(self, *days):
        self.days, self.asked, self.said = list(days), [], []

    def named(self):
        return None

    def walked(self):
        if self.days:
            yield Walk({"trades": [SYMBOL]}, self.days.pop(0), None), Report("events")

    def walk(self, symbols):
        self.asked.append(symbols)

    def tell(self, line):
        self.said.append(line)


def newcomer(run):
    """Have a symbol come; return where its rows wait."""
    run.run()
    source = run.source
    source.leave([SYMBOL])
    source.leaving.clear()
    source.symbols.append(SYMBOL)
    source.waiting[SYMBOL] = waiting = Waiting(Spool(), most=10)
    return waiting


def test_rows_that_cannot_be_read_back_end_their_symbol_and_no_other(heard, rows):
    run = heard(lambda _: None)
    waiting = newcomer(run)
    waiting.take(came(rows[:100]).batch)
    next(iter(waiting._spool._files)).io.truncate(10)
    Newcomers(run.graph, Past(DAY), run.report, Claims(run.ledger, ())).poll([run.source])
    ((where, error),) = run.report.errors
    assert where == str(run.source.stream(SYMBOL))
    assert isinstance(error, WerksError)
    assert run.source.waiting == {}
    assert SYMBOL not in run.source.streams


def test_a_day_that_ends_while_the_past_of_a_symbol_is_read_is_read_before_it_goes_live(heard):
    run = heard(lambda _: None)
    newcomer(run)
    past = Past(DAY - timedelta(days=1), DAY)
    newcomers = Newcomers(run.graph, past, run.report, Claims(run.ledger, ()))
    newcomers.poll([run.source])
    assert past.asked == [{"trades": [SYMBOL]}]
    assert SYMBOL not in run.source.streams
    newcomers.poll([run.source])
    assert len(past.asked) == 1
    assert past.said == [f"{SYMBOL}: the past is read, live now"]
    assert SYMBOL in run.source.streams


def test_a_symbol_that_is_refused_while_its_past_is_read_is_not_called_live(heard):
    run, past = heard(lambda _: None), Past(DAY)
    newcomer(run)
    run.report.live[run.source.stream(SYMBOL)].refused = "not listed"
    Newcomers(run.graph, past, run.report, Claims(run.ledger, ())).poll([run.source])
    assert past.said == []


def test_a_day_that_is_over_by_the_exchanges_clock_is_not_begun_anew_by_a_slow_one(heard):
    """A run is started again a second before midnight, and has had a trade of the day behind it."""
    end = MIDNIGHT + 24 * 60 * MINUTE
    given = "", end - 10**9
    run = heard(lambda _: None, *given)
    run.put(connected(), acked(), came(trades(end - MINUTE, end + MINUTE)))
    run.run()
    (gap,) = run.ledger.gaps()  # what was before it was heard
    again = heard(lambda _: None, *given)
    again.run()
    assert again.report.errors == []
    assert run.ledger.gaps() == [gap]
    assert again.source.streams[SYMBOL].day == DAY + timedelta(days=1)
    window = Window("bybit-linear", SYMBOL, DAY)
    sink = again.graph.config.of("sink")[0].component
    assert sum(map(len, sink.read(window, "trades", again.source.feed.schema))) > 0
