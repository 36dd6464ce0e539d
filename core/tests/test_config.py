"""A pipeline file is read as it is meant, or every problem with it is said at once."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from werks.config import read
from werks.errors import ConfigError
from werks.pipeline import Graph

SHOP = Path(__file__).with_name("shop.py")
NOW = datetime(2024, 6, 10, 15, 30, 59, tzinfo=UTC)
SOURCE = """
[sources.trades]
type = "shop.trades"
symbols = ["X"]
start = 2024-05-01
stop = 2024-05-03
folder = "shelf"
"""
SINK = """
[sinks.lines]
type = "shop"
path = "out"
"""


@pytest.fixture
def config(tmp_path, monkeypatch):
    """Return a function that reads text as the file `p.toml` of the current folder."""
    monkeypatch.chdir(tmp_path)

    def reading(*text: str):
        path = Path("p.toml")
        path.write_text("".join(text), encoding="utf-8")
        return read(path, NOW, (SHOP,))

    return reading


@pytest.fixture
def problems(config):
    """Return a function that gives the problems of a file, without the file's name."""

    def found(*text: str) -> list[str]:
        with pytest.raises(ConfigError) as raised:
            Graph(config(*text))
        lines = raised.value.problems
        assert [line.startswith("p.toml: ") for line in lines] == [True] * len(lines)
        return [line.removeprefix("p.toml: ") for line in lines]

    return found


def test_a_good_file_gives_its_nodes(config):
    read_ = config(SOURCE, '[transforms.ticks]\ntype = "aggregate"\n', SINK)
    source = read_.sources["trades"]
    assert (source.type, source.symbols) == ("shop.trades", ("X",))
    assert source.start == date(2024, 5, 1)
    assert source.stop == datetime(2024, 5, 3, tzinfo=UTC)
    assert list(source.doors) == ["archive", "live"]
    assert [(node.name, node.kind, node.type) for node in read_.nodes.values()] == [
        ("ticks", "transform", "aggregate"),
        ("lines", "sink", "shop"),
    ]
    assert read_.settings.name == "pipeline"
    assert read_.settings.state == "werks.db"


VERY_BAD = """
[pipeline]
name = 7
workers = "two"
cach = "x"
executor = "proceses"

[source.other]
type = "shop.trades"

[sources.trades]
type = "shop.trades"
symbols = []
start = "yesterday"
stop = 2024-05-01
folder = 5
markt = "spot"
market = "futures"
least = "much"
deep = 1

[sources.more]
type = "shop.trade"
symbols = ["X", "X"]
stop = 2024-05-01

[sources.late]
type = "shop.trades"
symbols = ["X"]
start = 2024-05-02
stop = 2024-05-02
folder = "shelf"
via = ["archives"]

[sources."a b"]
type = "shop.trades"

[sources.plain]

[transforms.ticks]
type = "agregate"

[transforms.dollars]
type = "bars"
by = "notional"
every = "many"

[transforms.minutes]
type = "bars"
inputs = ["tick", "lines"]
every = "1m"
by = "tim"

[sinks.lines]
type = "okx.trades"
inputs = "trades"

[sinks.trades]
type = "shop"

[sinks.secret]
type = "shop"
path = "env:WERKS_NOT_SET"
inputs = ["minutes"]

[observers.log]
type = "log"
inputs = ["trades"]
"""
ALL = [
    'source: there is no such table; did you mean "sources"?',
    'pipeline.cach: there is no such option; did you mean "cache"?',
    "pipeline.name: text is expected, not 7",
    "pipeline.workers: a whole number is expected, not 'two'",
    'pipeline.executor: no plugin "proceses" is installed; did you mean "processes"?',
    "sources.trades.symbols: a list of symbols, each once, is expected",
    "sources.trades.start: a day like 2024-05-01 or \"-7d\" is expected, not 'yesterday'",
    'sources.trades.markt: there is no such option; did you mean "market"?',
    "sources.trades.folder: a path is expected, not 5",
    'sources.trades.market: must be one of "spot" | "linear", not \'futures\'',
    "sources.trades.least: a number is expected, not 'much'",
    "sources.trades.deep: true or false is expected, not 1",
    'sources.more.type: the plugin "shop" has no source "trade"; it has: shop.trades, shop.other,'
    ' shop.night; did you mean "shop.trades"?',
    "sources.more.symbols: a list of symbols, each once, is expected",
    "sources.more.start: this option is required: a day, or -7d",
    "sources.late.stop: 2024-05-02 is not after start",
    "sources.late.via: a list out of the doors it has: archive, live",
    "sources.a b: a name is made of letters, digits, '_', '-' and '.'",
    "sources.plain.type: this option is required",
    'transforms.ticks.type: no plugin "agregate" is installed; did you mean "aggregate"?',
    "transforms.dollars.every: a number above 0 is expected, not 'many'",
    'transforms.minutes.by: must be one of "time" | "ticks" | "volume" | "notional", not \'tim\'',
    "sinks.lines.inputs: a list of names of nodes is expected",
    'sinks.lines.type: no plugin "okx" is installed; if there is one: pip install werks-okx',
    "sinks.trades.path: this option is required",
    "sinks.secret.path: the environment variable WERKS_NOT_SET is not set",
    "observers.log.inputs: there is no such option; there are: path",
    "observers.log.path: this option is required",
    'transforms.minutes.inputs: "tick": there is no such node; did you mean "ticks"?',
    'transforms.minutes.inputs: "lines": a sink gives no rows',
]


def test_a_very_bad_file_is_told_all_at_once(problems):
    assert problems(VERY_BAD) == ALL


def test_a_file_that_is_no_toml_is_told(problems, tmp_path):
    (line,) = problems("[sources\n")
    assert line.startswith("is not TOML: ")
    assert line.endswith("(at line 1, column 9)")
    (tmp_path / "q.toml").write_bytes(b'name = "\xff"')
    for name, said in (("q.toml", "is not TOML: "), ("none.toml", "cannot be read: No such file")):
        with pytest.raises(ConfigError, match=f"^{name}: {said}"):
            read(Path(name), NOW)
    with pytest.raises(ConfigError, match=r"^\.: cannot be read: Is a directory$"):
        read(Path(), NOW)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ["sources: there is none: a pipeline needs a [sources.NAME]"]),
        (
            "sources = 5\npipeline = 3\n",
            [
                "sources: a table is expected: [sources.NAME]",
                "pipeline: a table is expected: [pipeline]",
                "sources: there is none: a pipeline needs a [sources.NAME]",
            ],
        ),
        (f"{SOURCE}{SINK}[[transforms]]\n", ["transforms: a table is expected: [transforms.NAME]"]),
        (f"{SOURCE}{SINK}[sinks]\nx = 1\n", ["sinks.x: a table is expected: [sinks.x]"]),
        (
            f"{SOURCE}{SINK}[tests]\n",
            [
                "tests: there is no such table;"
                " there are: observers, pipeline, sinks, sources, transforms"
            ],
        ),
    ],
)
def test_what_is_no_table_is_told(problems, text, said):
    assert problems(text) == said


@pytest.mark.parametrize("value", ['"trades"', "[]", "[1]", '[["trades"]]', '["trades", "trades"]'])
def test_inputs_are_names_each_once(problems, value):
    expected = "sinks.lines.inputs: a list of names of nodes is expected"
    assert problems(SOURCE, SINK, f"inputs = {value}\n") == [expected]


@pytest.mark.parametrize("value", ['"archive"', "[]", '[["archive"]]', '["archive", "archive"]'])
def test_via_is_a_list_of_doors(problems, value):
    expected = "sources.trades.via: a list out of the doors it has: archive, live"
    assert problems(SOURCE, f"via = {value}\n", SINK) == [expected]


def test_a_door_takes_the_options_that_it_has(config, problems):
    doors = config(SOURCE, "speed = 3\ndeep = true\n", SINK).sources["trades"].doors
    assert (doors["live"].speed, doors["archive"].deep) == (3, True)
    assert not hasattr(doors["archive"], "speed")
    (line,) = problems(SOURCE, "sped = 3\n", SINK)
    assert line == 'sources.trades.sped: there is no such option; did you mean "speed"?'


INPUTS = {
    "the node above": (
        '[transforms.a]\ntype = "aggregate"\n',
        '[transforms.b]\ntype = "aggregate"\n',
        SINK,
        {"a": ("trades",), "b": ("a",), "lines": ("b",)},
    ),
    "tables in turns": (
        SINK,
        '[transforms.a]\ntype = "aggregate"\n',
        '[sinks.more]\ntype = "shop"\npath = "x"\n[transforms.b]\ntype = "aggregate"\n',
        {"lines": ("trades",), "a": ("trades",), "more": ("a",), "b": ("a",)},
    ),
    "a sink is not above": (
        SINK,
        '[sinks.more]\ntype = "shop"\npath = "x"\n',
        '[observers.log]\ntype = "log"\npath = "y"\n',
        {"lines": ("trades",), "more": ("trades",), "log": ()},
    ),
    "headers as one likes": (
        '  [ transforms . "a" ]  # with a note\ntype = "aggregate"\n',
        "[transforms.'a.b']\ntype = \"aggregate\"\n",
        SINK,
        {"a": ("trades",), "a.b": ("a",), "lines": ("a.b",)},
    ),
    "what looks like a header": (
        '[transforms.a]\ntype = "aggregate"\n# [sources.trades]\n',
        SINK,
        'token = """\n[transforms.b]\n"""\n',
        {"a": ("trades",), "lines": ("a",)},
    ),
}


@pytest.mark.parametrize("manner", INPUTS)
def test_a_node_without_inputs_takes_the_node_above_it(config, manner):
    *text, expected = INPUTS[manner]
    nodes = config(SOURCE, *text).nodes
    assert {name: node.inputs for name, node in nodes.items()} == expected


def test_a_second_source_is_above_what_follows_it(config):
    text = SOURCE.replace("sources.trades", "sources.more")
    nodes = config(SOURCE, SINK, text, SINK.replace("lines", "again")).nodes
    assert {name: node.inputs for name, node in nodes.items()} == {
        "lines": ("trades",),
        "again": ("more",),
    }


def test_where_the_order_cannot_be_told_inputs_must_be_given(config, problems):
    inline = '[transforms]\na = {type = "aggregate"}\n'
    what = "the node above it cannot be told: give inputs = […]"
    assert problems(SOURCE, inline, SINK) == [f"sinks.lines: {what}", f"transforms.a: {what}"]
    assert problems(SINK, SOURCE) == [f"sinks.lines: {what}"]
    inline = '[transforms]\na = {type = "aggregate", inputs = ["trades"]}\n'
    nodes = config(SOURCE, inline, SINK, 'inputs = ["a"]\n').nodes
    assert {name: node.inputs for name, node in nodes.items()} == {
        "lines": ("a",),
        "a": ("trades",),
    }


def test_a_name_is_given_once(problems):
    text = '[transforms.lines]\ntype = "aggregate"\n'
    expected = ["sinks.lines: another node has this name: rename one of them"]
    assert problems(SOURCE, text, SINK) == expected


MOMENTS = {
    "2024-05-01": "2024-05-01T00:00:00",
    "2024-05-01T10:20:30": "2024-05-01T10:20:30",
    "2024-05-01 10:20:30Z": "2024-05-01T10:20:30",
    "2024-05-01T10:20:30+02:00": "2024-05-01T08:20:30",
    '"2024-05-01"': "2024-05-01T00:00:00",
    '"2024-05-01T10:20+02:00"': "2024-05-01T08:20:00",
    '"-7d"': "2024-06-03T00:00:00",
    '"-36h"': "2024-06-09T03:30:59",
    '"-90m"': "2024-06-10T14:00:59",
    '"-0d"': "2024-06-10T00:00:00",
}


@pytest.mark.parametrize("written", MOMENTS)
def test_a_moment_is_a_day_a_time_or_so_long_ago(config, written):
    text = SOURCE.replace("2024-05-01", "2024-01-01").replace("2024-05-03", written)
    stop = config(text, SINK).sources["trades"].stop
    assert stop == datetime.fromisoformat(MOMENTS[written]).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("", "a path or a database's URL is expected, not ''"),
        (" ", "a path or a database's URL is expected, not ' '"),
        ("shelf", "shelf is a folder: name a file in it"),
    ],
)
def test_what_can_be_no_ledger_is_told(problems, state, said):
    Path("shelf").mkdir(exist_ok=True)
    assert problems(f'[pipeline]\nstate = "{state}"\n', SOURCE, SINK) == [f"pipeline.state: {said}"]


def test_days_ago_begin_at_midnight_and_hours_ago_do_not(config):
    stops = [
        config(SOURCE.replace("2024-05-03", written), SINK).sources["trades"].stop
        for written in ('"-1d"', '"-24h"')
    ]
    day_before = datetime(2024, 6, 9, tzinfo=UTC)
    assert stops == [day_before, day_before.replace(hour=15, minute=30, second=59)]


def test_a_time_that_cannot_be_counted_is_no_start(problems):
    found = problems(SOURCE.replace("2024-05-01", "0001-01-01"), SINK)
    assert found == ["sources.trades.start: no time before 1970 can be counted"]


def test_a_file_may_begin_with_the_mark_of_windows(config):
    assert list(config("\ufeff", SOURCE, SINK).sources) == ["trades"]


def test_what_is_wrong_for_several_doors_is_told_once(problems):
    text = SOURCE.replace("shop.trades", "sim.trades")
    (found,) = problems(text.replace('folder = "shelf"', "trades_per_day = 0"), SINK)
    assert found == "sources.trades: 'trades_per_day' must be >= 1: 0"


def test_a_source_begins_with_a_whole_utc_day(config):
    """Also where the day is another one in the zone of the file."""
    text = SOURCE.replace("start = 2024-05-01", "start = 2024-05-01T01:00:00+02:00")
    assert config(text, SINK).sources["trades"].start == date(2024, 4, 30)
    assert config(SOURCE.replace("stop = 2024-05-03", ""), SINK).sources["trades"].stop is None


@pytest.mark.parametrize("written", ['"7d"', '"-7"', "7", "10:00:00", '"-9999999d"', "true", '""'])
def test_what_is_no_moment_is_told(problems, written):
    (line,) = problems(SOURCE.replace("2024-05-03", written), SINK)
    assert line.startswith('sources.trades.stop: a day like 2024-05-01 or "-7d" is expected, not ')


@pytest.mark.parametrize("stop", ["2024-04-30", "2024-05-01", "2024-05-01T02:00:00+02:00"])
def test_stop_lies_after_start(problems, stop):
    (line,) = problems(SOURCE.replace("2024-05-03", stop), SINK)
    assert line.endswith("is not after start")


@pytest.mark.parametrize("written", ["0.1", "123456789012345678.123456789", "5e-1", "3"])
def test_numbers_with_a_point_are_exact(config, written):
    door = config(SOURCE, f"least = {written}\n", SINK).sources["trades"].doors["archive"]
    assert isinstance(door.least, Decimal)
    assert door.least == Decimal(written)


@pytest.mark.parametrize("written", ["nan", "-inf", "true", '"1"'])
def test_what_is_no_number_is_told(problems, written):
    (line,) = problems(SOURCE, f"least = {written}\n", SINK)
    assert line.startswith("sources.trades.least: a number is expected, not ")


def test_a_secret_comes_from_the_environment_and_is_never_shown(config, monkeypatch):
    monkeypatch.setenv("WERKS_TOKEN", "hunter2")
    found = config(SOURCE, 'token = "env:WERKS_TOKEN"\n', SINK, 'token = "env:WERKS_TOKEN"\n')
    door, sink = found.sources["trades"].doors["archive"], found.nodes["lines"].component
    assert (door.token, sink.token) == ("hunter2", "hunter2")
    for shown in (found, found.sources, found.nodes, door, sink, [door.token], Graph(found)):
        assert "hunter2" not in repr(shown)


def test_a_secret_is_no_part_of_an_error(problems, monkeypatch):
    monkeypatch.setenv("WERKS_TOKEN", "hunter2")
    lines = problems(
        SOURCE.replace('"shelf"', "5"),
        *(f'{name} = "env:WERKS_TOKEN"\n' for name in ("market", "least", "deep", "token")),
        SINK,
    )
    assert len(lines) == 4
    assert "hunter2" not in "".join(lines)


def test_a_secret_is_no_part_of_a_fingerprint(config, monkeypatch):
    found = set()
    for token in ("hunter2", "hunter3"):
        monkeypatch.setenv("WERKS_TOKEN", token)
        text = (SOURCE, 'token = "env:WERKS_TOKEN"\n', SINK, 'token = "env:WERKS_TOKEN"\n')
        (branch,) = Graph(config(*text)).branches
        found.add(tuple(sorted(branch.prints.fingerprints.items())))
    found.add(tuple(sorted(Graph(config(SOURCE, SINK)).branches[0].prints.fingerprints.items())))
    assert len(found) == 1


def test_a_variable_that_is_not_set_is_told(problems, monkeypatch):
    monkeypatch.delenv("WERKS_TOKEN", raising=False)
    (line,) = problems(SOURCE, 'token = "env:WERKS_TOKEN"\n', SINK)
    assert line == "sources.trades.token: the environment variable WERKS_TOKEN is not set"


def test_settings_may_come_from_the_environment(config, monkeypatch):
    monkeypatch.setenv("WERKS_STATE", "postgresql://u:hunter2@h/db")
    found = config('[pipeline]\nstate = "env:WERKS_STATE"\n', SOURCE, SINK)
    assert found.settings.state == "postgresql://u:hunter2@h/db"
    assert "hunter2" not in repr(found.settings)
