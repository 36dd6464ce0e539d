"""Doors that are wrong in one way, before a simulator that is right."""

import inspect
from typing import Any

import attrs
import pytest

from werks.components import option
from werks.http import Http
from werks.testing import CandleTests, HistoryTests, Listed, SnapshotTests, Tape
from werks.testing.candles import NAMES
from werks.testing.tape import Replay, plain
from werks_sim import Candles, Exchange, History, Instruments, answers

EXCHANGE = Exchange(trades_per_day=400)
BEGIN, HOUR = 1_704_067_200_000_000_000, 3_600_000_000_000


@attrs.frozen
class Wrong:
    """A door that changes the pages that another one reads."""

    door: Any = option(help="the door that is right")
    change: Any = option(help="what is done to its pages")
    facts: dict[str, Any] = option({}, help="what it states else than the other")

    def __getattr__(self, name: str) -> Any:
        return self.facts[name] if name in self.facts else getattr(self.door, name)

    def read(self, *given):
        """Return the changed pages, or the changed list."""
        return self.change(self.door.read(*given))


class Case:
    """A kit class with a door and what is published behind it."""

    def __init__(self, kit, door, tape, loopback, folder):
        for path, answer in answers(EXCHANGE).items():
            loopback.answer(path, answer)
        self.kit, self.door, self.tape = kit, door, tape
        self.loopback, self.folder = loopback, folder / "aside"

    def run(self, rule, **given):
        """Run a rule as pytest would, with the fixtures that it asks for."""
        slept = []
        with Http(tries=3, sleep=slept.append, quarantine=self.folder) as client:
            replay = Replay(self.door, self.tape, self.loopback)
            fixtures = {
                "component": self.door,
                "published": self.tape,
                "replay": replay,
                "loopback": self.loopback,
                "client": client,
                "slept": slept,
                "reader": self._reader(replay),
            }
            test = getattr(self.kit(), rule)
            names = inspect.signature(test).parameters
            if "candles" in names:
                found = plain(replay.joined(client), NAMES)
                fixtures["candles"] = [dict(zip(NAMES, row, strict=True)) for row in found]
            if "instruments" in names:
                fixtures["instruments"] = self.door.read(client).to_pylist()
            test(**{name: (fixtures | given)[name] for name in names})

    def _reader(self, replay):
        if isinstance(self.tape, Listed):
            return lambda http: [self.door.read(http)]
        return lambda http: list(replay.joined(http))


@pytest.fixture
def trades(loopback, tmp_path):
    """Return a function that gives the case of trades, with a change of the right door."""
    right = History(trades_per_day=400, page_size=20, rest_url=loopback.url)
    rows = [row for row, _ in History(trades_per_day=400).read(None, "BTCUSD", BEGIN, BEGIN + 1)]
    names = ["timestamp", "trade_id", "tick_rule", "price", "size"]
    kept = [row for row in plain(rows, names) if row[0] < BEGIN + 8 * HOUR]
    tape = Tape("BTCUSD", BEGIN, BEGIN + 8 * HOUR, kept, ["trades"])

    def case(change=None):
        door = Wrong(door=right, change=change) if change else right
        return Case(HistoryTests, door, tape, loopback, tmp_path)

    return case


@pytest.fixture
def candles(loopback, tmp_path):
    """Return a function that gives the case of candles, with a change of the right door."""
    right = Candles(trades_per_day=400, page_size=20, rest_url=loopback.url)
    stop = BEGIN + 8 * HOUR
    rows = [row for row, _ in Candles(trades_per_day=400).read(None, "BTCUSD", BEGIN, stop)]
    names = ["timestamp", "open", "high", "low", "close", "volume"]
    tape = Tape("BTCUSD", BEGIN, stop, plain(rows, names), ["candles"])

    def case(change=None, **facts):
        door = Wrong(door=right, change=change or iter, facts=facts)
        return Case(CandleTests, door, tape, loopback, tmp_path)

    return case


@pytest.fixture
def markets(loopback, tmp_path):
    """Return a function that gives the case of the list of instruments."""
    values = {"BTCUSD": {"tick_size": "0.1"}, "ETHUSD": {}, "DOGEUSD": {"lot_size": "100"}}
    listed = Listed(values, ["instruments"])
    right = Instruments(rest_url=loopback.url)

    def case(change=None):
        door = Wrong(door=right, change=change) if change else right
        return Case(SnapshotTests, door, listed, loopback, tmp_path)

    return case
