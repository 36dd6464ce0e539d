"""A wrong fact of a door is a problem of the file, told before anything is read."""

import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from werks.components import RateLimit
from werks.config import facts, read
from werks.errors import ConfigError, WerksError

NOW = datetime(2024, 5, 3, 12, tzinfo=UTC)
DAY = date(2024, 5, 1)
HOUR = timedelta(hours=1)
SCHEMA = pa.schema([("symbol", pa.string())])


def method(*_):
    """Stand for what a door can do."""


def broken(error):
    """Return a fact that cannot be told."""

    def told(self):
        raise error

    return property(told)


ALL = {"exchange": "odd", "schema": SCHEMA, "continuity": "unique", "read": method}
FACTS = {
    "archive": {**ALL, "lag": HOUR, "files": method},
    "rest": {**ALL, "reach": None, "off": ""},
    "snapshot": ALL,
    "live": {
        **{name: fact for name, fact in ALL.items() if name != "read"},
        "url": "wss://odd.example/ws",
        "ping": None,
        "most_symbols": 10,
        "stale_after": 30,
        "connection_lifetime": None,
        "disorder": timedelta(0),
        "converse": method,
    },
}
FACTS["candles"] = {**FACTS["rest"], "opens": "first", "empty": "carry", "settled": HOUR}
EACH = [(kind, name) for kind, facts in FACTS.items() for name in facts]
WRONG = {
    "archive": {
        "exchange": ["", " ", None, 5],
        "schema": [None, "TRADE", broken(KeyError("x"))],
        "continuity": ["contigous", None, True, ["unique"]],
        "blind_spots": ["one text", [1], None],
        "lag": [1, 1.5, "1d", None],
        "known_missing": [[DAY], {"2024-05-01": "x"}, {NOW: "x"}, {DAY: None}, None],
        "files": [(), None],
        "recognises": ["a.csv"],
        "changes": ["no"],
    },
    "rest": {
        "reach": [30, "30d", Decimal(1)],
        "off": [None, False],
        "settled": [30, -HOUR],
        "every": [60, None],
    },
    "candles": {
        "opens": ["last", None],
        "empty": ["omitted"],
        "settled": [30],
        "tolerance": [{"open": 0.1}, Decimal(1)],
    },
    "snapshot": {"read": [None]},
    "live": {
        "url": ["", "http://odd.example", "odd.example:80", "wss://", "ws:///x", None],
        "ping": ["ping", (5.0, "ping"), ("ping", 0), ("ping", "5"), ["ping", 5.0]],
        "most_symbols": [0, -1, 2.5, True, None, "10"],
        "stale_after": [0, HOUR, None, float("nan"), float("inf")],
        "connection_lifetime": [3600, timedelta(0), "24h"],
        "disorder": [3, 0.5, -HOUR, None],
        "sends_per_second": [-1, "5", HOUR],
        "connects": [5, (5, 60), RateLimit(0, 60), RateLimit(5, 0)],
        "interval": ["1M", ""],
        "converse": [None],
    },
}
GOOD = {
    "archive": {"known_missing": [{}, {DAY: "never"}], "lag": [timedelta(0)]},
    "rest": {"reach": [HOUR, timedelta(0)], "off": ["no key"], "every": [HOUR]},
    "candles": {"tolerance": [{}, {"open": Decimal("0.1")}], "settled": [timedelta(0)]},
    "live": {
        "url": ["ws://127.0.0.1:9", "WSS://odd.example", "ws://[::1]:9/x?y=z"],
        "ping": [("", 5), ("ping", 0.5)],
        "connection_lifetime": [HOUR],
        "sends_per_second": [0, 0.5],
        "interval": ["1m", None, 60],
        "connects": [None, RateLimit(5, 60)],
    },
}


def cases(table):
    return [
        (kind, name, value)
        for kind, facts in table.items()
        for name, values in facts.items()
        for value in values
    ]


def door(kind, without=(), **others):
    stated = {name: fact for name, fact in FACTS[kind].items() if name not in without}
    return type("Odd", (), {**stated, **others})()


def problems(kind, made):
    found = facts.problems({kind: made})
    assert {where for where, _ in found} <= {""}
    return [what for _, what in found]


@pytest.mark.parametrize("kind", FACTS)
def test_a_door_that_states_all_has_no_problem(kind):
    assert problems(kind, door(kind)) == []


@pytest.mark.parametrize(("kind", "name"), EACH)
def test_a_fact_that_is_not_stated_is_named(kind, name):
    (said,) = problems(kind, door(kind, [name]))
    assert said.startswith(f'the {kind} door {__name__}.Odd: it states no "{name}": ')


@pytest.mark.parametrize(("kind", "name", "value"), cases(WRONG))
def test_a_fact_of_another_type_is_named(kind, name, value):
    (said,) = problems(kind, door(kind, **{name: value}))
    assert said.startswith(f'the {kind} door {__name__}.Odd: "{name}"')
    assert "\n" not in said


@pytest.mark.parametrize(("kind", "name", "value"), cases(GOOD))
def test_what_the_protocols_allow_is_taken(kind, name, value):
    assert problems(kind, door(kind, **{name: value})) == []


@pytest.mark.parametrize(
    "error", [AttributeError("x"), KeyError("x"), SystemExit(0), WerksError("no key\nset one")]
)
def test_a_fact_that_cannot_be_told_is_told(error):
    own = isinstance(error, WerksError)
    said = "no key; set one" if own else f"{type(error).__name__} in test_facts"
    for name in ("lag", "known_missing"):
        (problem,) = problems("archive", door("archive", **{name: broken(error)}))
        assert problem.startswith(f'the archive door {__name__}.Odd: "{name}": {said}')


def test_a_feed_that_is_off_needs_no_address():
    assert problems("live", door("live", url="", off="ws_url is left out")) == []
    (said,) = problems("live", door("live", url="", off=broken(KeyError("x"))))
    assert '"off": KeyError' in said


def test_doors_of_one_name_are_of_one_market_and_one_schema():
    doors = {kind: door(kind) for kind in ("archive", "rest", "live")}
    assert facts.problems(doors) == []
    other = {**doors, "rest": door("rest", exchange="other")}
    ((_, said),) = facts.problems(other)
    both = f"the archive door {__name__}.Odd and the rest door {__name__}.Odd"
    assert said.startswith(f'{both} state two of "exchange"')
    kinds = {**doors, "live": door("live", schema=SCHEMA.with_metadata({"werks.schema": "TICK"}))}
    ((_, said),) = facts.problems(kinds)
    assert "the live door" in said
    assert '"schema"' in said


PLUGIN = """
from datetime import date, timedelta
from shop import Trades, Ticker, SCALES
from werks import File, hookimpl
from werks.schema import schema

import attrs

@attrs.frozen
class Archive(Trades):
    "An archive."
    {archive}

@attrs.frozen
class Feed(Ticker):
    "A feed."
    {live}

@attrs.frozen
class Candles:
    "Candles."
    {candles}

@attrs.frozen
class Instruments:
    "A list."
    exchange = "shop"

@hookimpl
def werks_archives():
    return {{"trades": Archive}}

@hookimpl
def werks_feeds():
    return {{"trades": Feed}}

@hookimpl
def werks_histories():
    return {{"candles": Candles}}

@hookimpl
def werks_snapshots():
    return {{"instruments": Instruments}}
"""
TEXT = """
[sources.trades]
type = "odd.trades"
symbols = ["X"]
start = 2024-05-01
stop = 2024-05-02
folder = "shelf"

[sinks.lines]
type = "shop"
path = "out"
"""
HERE = Path(__file__).parent


@pytest.fixture
def said(tmp_path, monkeypatch):
    """Return a function that loads a plugin of some facts and gives the problems of the file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(HERE)
    monkeypatch.delitem(sys.modules, "shop", raising=False)
    (tmp_path / "shelf").mkdir()

    def load_it(text=TEXT, **facts):
        for name in ("shop", "odd"):
            monkeypatch.delitem(sys.modules, f"werks_file_{name}", raising=False)
        Path("odd.py").write_text(
            PLUGIN.format(**{"archive": "", "live": "", "candles": "", **facts})
        )
        Path("p.toml").write_text(text)
        with pytest.raises(ConfigError) as caught:
            read(Path("p.toml"), NOW, (HERE / "shop.py", Path("odd.py")))
        return caught.value.problems

    yield load_it
    monkeypatch.delitem(sys.modules, "shop", raising=False)


def test_the_problems_of_all_doors_are_told_at_once_with_the_node(said):
    found = said(archive="lag = 1", live='url = "http://odd.example"; disorder = 3')
    assert [line.partition(": the ")[::2] for line in found] == [
        ("p.toml: sources.trades", 'archive door odd.Archive: "lag" is 1: a timedelta is expected'),
        (
            "p.toml: sources.trades",
            'live door odd.Feed: "disorder" is 3: a timedelta from 0 is expected',
        ),
        (
            "p.toml: sources.trades",
            "live door odd.Feed: \"url\" is 'http://odd.example': an address that begins with"
            " ws:// or wss:// is expected",
        ),
    ]


def test_only_the_doors_that_are_used_are_looked_at(said):
    only = TEXT.replace("folder", 'via = ["live"]\nfolder')
    (line,) = said(only, archive="lag = 1", live="disorder = 3")
    assert '"disorder"' in line


def test_candles_and_instruments_are_looked_at_where_they_are_used(said):
    text = TEXT.replace('["X"]', '["X*"]\nverify = true')
    found = said(text)
    for kind, cls, name in (("candles", "Candles", "opens"), ("snapshot", "Instruments", "schema")):
        begin = f'p.toml: sources.trades: the {kind} door odd.{cls}: it states no "{name}"'
        assert [line for line in found if line.startswith(begin)]
