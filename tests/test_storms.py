"""Each exchange's market in a storm: in the end every trade is there once, in order."""

import time
from functools import partial
from random import Random
from threading import Thread

import pytest

import werks.pipeline.listening  # noqa: F401  (so that its times can be changed)

from .stormed import EXCHANGES
from .storming import MIDNIGHT, MINUTE, Soon, Trial, hasten

# The simulated exchange has no wire of its own to be wrong about: its storms are long ones.
REAL = [name for name in EXCHANGES if name != "sim"]


@pytest.fixture
def market(monkeypatch, loopback, tmp_path):
    """Return a function that makes a market of so many minutes around midnight."""

    def made(name, minutes, speed):
        exchange = EXCHANGES[name]
        hasten(monkeypatch.setattr, exchange, speed)
        minutes, speed = minutes * exchange.stretch, speed * exchange.stretch
        begin, until = (MIDNIGHT + int(share * minutes * MINUTE) for share in (-0.8, 0.2))
        return Trial(exchange, loopback, tmp_path, begin, until, speed)

    return made


def survive(market, seed):
    with market.server:
        file = market.file()
        market.play()
        with market.weather(seed):
            report = market.run(file)
    assert report.errors == []
    market.repair(file)
    market.check(file)


def survive_kills(market, kills):
    chance = Random(kills)
    with market.server:
        file = market.file()
        market.play()
        with market.weather(kills, outages=False):
            for _ in range(kills):
                kill(market, file, chance.uniform(0.0, 1.0))
        assert market.server.now < market.until, "the market is over: this machine is too busy"
        process = market.start(file)
        over = Soon(lambda: market.server.now >= market.until and market.has_last(file))
        while process.poll() is None and not over():
            time.sleep(0.1)
        (file.parent / "over").touch()
        said = process.communicate(timeout=60)[1].decode()
    assert (process.returncode, over.late) == (0, False), said
    market.repair(file)
    market.check(file)


def kill(market, file, after):
    """Start a run and kill it some time after it has connected."""
    before, process = len(market.server.handshakes), market.start(file)
    connected = Soon(lambda: len(market.server.handshakes) > before)
    while process.poll() is None and not connected():
        time.sleep(0.05)
    time.sleep(after)
    process.kill()
    said = process.communicate()[1].decode()
    assert process.returncode < 0, said


@pytest.mark.parametrize("name", REAL)
@pytest.mark.few(1)
def test_a_short_storm_loses_and_doubles_nothing(market, name):
    survive(market(name, 4, 120), seed=1)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1, 11))
@pytest.mark.parametrize("name", list(EXCHANGES))
def test_an_hour_of_storm_loses_and_doubles_nothing(market, name, seed):
    survive(market(name, 60, 120), seed)


def test_a_run_that_is_killed_in_a_storm_goes_on(market):
    survive_kills(market("binance", 4, 20), 1)


@pytest.mark.long
@pytest.mark.parametrize("name", list(EXCHANGES))
def test_twenty_kills_in_a_storm_lose_and_double_nothing(market, name):
    survive_kills(market(name, 60, 30), 20)


def listen(market, acts, more=("", "")):
    """Follow a market while something is done at times that are told in seconds to midnight.

    Returns the pipeline's file, and the day of each gap with its symbol.
    """

    def act():
        for second, what in acts:
            market.server.wait(lambda at=second: market.server.now > MIDNIGHT + at * 10**9, 60)
            what()

    thread = Thread(target=act)
    with market.server:
        file = market.file()
        file.write_text(file.read_text().replace(*more))
        market.play()
        thread.start()
        report = market.run(file)
        thread.join()
    assert report.errors == []
    return file, {(gap.stream.symbol, f"{gap.day:%d}") for gap in market.gaps(file)}


@pytest.mark.long
def test_a_message_that_cannot_be_read_is_healed_by_rest(market):
    market = market("bitmex", 6, 120)
    file, gaps = listen(market, [(-60, partial(market.server.mangle, 3))])
    assert gaps == set()
    market.repair(file)
    market.check(file)


@pytest.mark.long
def test_a_hole_over_midnight_is_one_of_both_days(market):
    market = market("bitmex", 3, 120)
    refuse = partial(market.rest.fail, "/api/v1/trade", 400, 1000)
    acts = [(-50, refuse), (-20, market.server.mute), (10, market.server.drop)]
    file, gaps = listen(market, acts, ("repair_within = 20", "repair_within = 0.2"))
    assert gaps == {(symbol, day) for symbol in ("XBTUSD", "ETHUSD") for day in ("02", "03")}
    market.repair(file)
    market.check(file)
