"""Live sources are connected before their past is read; what comes meanwhile waits, on disk."""

from contextlib import ExitStack
from functools import partial

import pytest

import werks.pipeline.livesource  # noqa: F401  (so that its shelf can be changed)
from werks.pipeline.held import Shelf

from .stormed import EXCHANGES
from .storming import DAY, MIDNIGHT, MINUTE, Trial, hasten

SPEED = 3600
BEGIN, UNTIL = MIDNIGHT + 60 * MINUTE, MIDNIGHT + 80 * MINUTE


@pytest.fixture
def market(monkeypatch, loopback, tmp_path):
    """Return what makes a market whose past comes once all of its trades have been told live."""
    monkeypatch.setattr("werks.live.inbox._ROWS", 20)
    monkeypatch.setattr("werks.pipeline.livesource.Shelf", partial(Shelf, most=20, piece=16))

    with ExitStack() as stack:

        def made(name, begin=BEGIN, until=UNTIL):
            hasten(monkeypatch.setattr, EXCHANGES[name], SPEED)
            market = Trial(EXCHANGES[name], loopback, tmp_path, begin, until, SPEED)
            stack.enter_context(market.server)
            return market

        yield made


def follow(market, file):
    """Run with a REST and an archive that answer once the market's time is over."""
    replies, played = market.rest.reply, []

    def late(request):
        if not played:
            played.append(request)
            market.server.wait(lambda: len(market.server.open) > 0)
            market.play()
            market.server.wait(lambda: market.server.now >= market.until)
            market.server.settle()
        return replies(request)

    market.rest.reply = late
    report = market.run(file, settle=0.6)
    assert played
    assert report.errors == []
    return report


@pytest.mark.long
def test_what_comes_while_the_past_is_read_goes_on_behind_it(market):
    market = market("sim")
    file = market.file(more='via = ["rest", "live"]')
    follow(market, file)
    assert market.gaps(file) == []
    market.check(file, "stop = 2024-01-03T01:20:00Z")


@pytest.mark.long
def test_a_day_that_ends_while_the_past_is_read_is_read_to_its_end(market):
    midnight = MIDNIGHT + DAY
    market = market("sim", midnight - 10 * MINUTE, midnight + 10 * MINUTE)
    file = market.file(more='via = ["rest", "live"]')
    report = follow(market, file)
    assert {str(each.last) for each in report.streams.values()} == {"2024-01-03"}
    assert market.gaps(file) == []
    market.check(file, "stop = 2024-01-04T00:10:00Z")


@pytest.mark.long
def test_what_rest_does_not_have_is_a_gap_and_what_was_heard_is_there(market):
    market = market("bybit")
    file = market.file()
    follow(market, file)
    assert {gap.status for gap in market.gaps(file)} == {"open"}
    heard = market.held(file)
    for symbol in market.exchange.symbols:
        assert heard[symbol] >= len(market.course.trades(symbol, BEGIN, UNTIL))
    market.repair(file)
    market.check(file)


@pytest.mark.long
def test_what_finds_no_room_to_wait_comes_by_rest_or_is_a_gap_until_it_is_repaired(market):
    market = market("sim")
    file = market.file()
    file.write_text(file.read_text().replace("tries = 2", "tries = 2\nspool_limit = 3000"))
    follow(market, file)
    causes = [gap.cause for gap in market.gaps(file)]
    assert all("spool_limit of 3,000 bytes" in cause for cause in causes), causes
    market.repair(file)
    market.check(file)
