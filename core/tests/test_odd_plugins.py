"""What a plugin's code raises or gives wrongly is one line, whatever it is and wherever."""

import sys
from datetime import UTC, date, datetime
from pathlib import Path

import attrs
import pyarrow as pa
import pytest

from werks.components import File
from werks.errors import ConfigError, PluginError, WerksError
from werks.hookspecs import hookimpl
from werks.pipeline import Report, load, run
from werks.plugins import Plugins

SHOP = Path(__file__).with_name("shop.py")
NOW = datetime(2024, 5, 3, 12, tzinfo=UTC)
TEXT = """
[pipeline]
state = "werks.db"

[sources.trades]
type = "shop.trades"
symbols = ["X"]
start = 2024-05-01
stop = 2024-05-02
folder = "shelf"

[transforms.odd]
type = "odd"
at = "{at}"
what = "{what}"

[sinks.lines]
type = "shop"
path = "out"
"""
ODD = """
import attrs
from werks import hookimpl, option

WHAT = {"exit": SystemExit(0), "end": EOFError("no more"), "key": KeyError("k")}


@attrs.frozen
class Odd:
    "Raises something somewhere."

    at: str = option("", help="where")
    what: str = option("", help="what")

    def __attrs_post_init__(self):
        self.maybe("init")

    def maybe(self, at):
        if at == self.at:
            raise WHAT[self.what]

    @property
    def seam(self):
        self.maybe("seam")
        return "day"

    def output(self, schemas):
        self.maybe("output")
        return next(iter(schemas.values()))

    def start(self, schemas, state):
        self.maybe("start")
        return self

    def push(self, batch, node):
        return [batch]

    def advance(self, time):
        return []

    cut = flush = lambda self: []

    def state(self):
        return {}


@hookimpl
def werks_transforms():
    return {"odd": Odd}
"""
RAISED = [("exit", "SystemExit"), ("end", "EOFError"), ("key", "KeyError")]


@pytest.fixture
def shelf(shop, tmp_path, monkeypatch):
    """Return the current folder, with a shelf of one day."""
    monkeypatch.chdir(tmp_path)
    for name in ("shop", "odd"):
        monkeypatch.delitem(sys.modules, f"werks_file_{name}", raising=False)
    (tmp_path / "shelf").mkdir()
    shop.day_file(tmp_path / "shelf", "X", date(2024, 5, 1))
    Path("odd.py").write_text(ODD)
    return tmp_path


def ran(at: str = "", what: str = "", *observers: object) -> Report:
    Path("p.toml").write_text(TEXT.format(at=at, what=what))
    graph = load(Path("p.toml"), NOW, (SHOP, Path("odd.py")))
    for observer in observers:
        graph.config.plugins.manager.register(observer)
    return run(graph, now=NOW)


EVENTS = ("werks_run_started", "werks_observer_failed", "werks_window_done", "werks_run_ended")


class Told:
    """Keeps what it is told."""

    def __init__(self):
        self.events, self.failed = [], []

    def take(self, event):
        self.events.append(event)

    @hookimpl
    def werks_run_started(self, plan):
        self.take("werks_run_started")

    @hookimpl
    def werks_window_done(self, stream, window, done):
        self.take("werks_window_done")

    @hookimpl
    def werks_run_ended(self, report):
        self.take("werks_run_ended")

    @hookimpl
    def werks_observer_failed(self, observer, error):
        self.failed.append((observer, error))
        self.take("werks_observer_failed")


@pytest.mark.parametrize("at", ["init", "seam", "output"])
@pytest.mark.parametrize(("what", "name"), RAISED)
def test_a_component_that_fails_before_the_run_is_a_problem_of_the_file(shelf, at, what, name):
    with pytest.raises(ConfigError, match=rf"^p\.toml: transforms\.odd.*{name} in odd\.py:"):
        ran(at, what)


@pytest.mark.parametrize(("what", "name"), RAISED)
def test_a_component_that_fails_in_the_run_is_an_error_of_its_window(shelf, what, name):
    ((_, error),) = ran("start", what).errors
    assert f"X-2024-05-01.csv: {name} in odd.py:" in str(error)


@pytest.mark.parametrize("raised", [SystemExit(0), EOFError("no more"), KeyError("k")])
@pytest.mark.parametrize("event", ["werks_run_started", "werks_window_done", "werks_run_ended"])
def test_an_observer_that_fails_is_told_and_ends_nothing(shelf, event, raised):
    class Watch:
        """Fails at an event, each time that it is told of it."""

    def fail(self):
        raise raised

    setattr(Watch, event, hookimpl(fail))
    first, last = Told(), Told()
    report = ran("", "", last, Watch(), first)
    assert report.done == 1
    ((who, error),) = report.errors
    assert who == "Watch"
    assert f"an observer, at {event}: {type(raised).__name__} in test_odd_plugins" in str(error)
    for told in (first, last):
        assert told.events.count(event) == 1
        assert told.failed == [("Watch", error)]


def test_an_observer_that_fails_at_everything_is_told_once_of_each(shelf):
    class Watch(Told):
        """Fails at each event, also at being told of that."""

        def take(self, event):
            super().take(event)
            raise WerksError(f"no {event}")

    watch = Watch()
    errors = ran("", "", watch).errors
    assert {who for who, _ in errors} == {"Watch"}
    assert [str(error) for _, error in errors] == [f"no {event}" for event in EVENTS]
    assert [str(error) for _, error in watch.failed] == [
        f"no {event}" for event in EVENTS if event != "werks_observer_failed"
    ]


def test_a_file_that_ends_the_program_when_it_is_loaded_is_told(shelf):
    Path("odd.py").write_text("import sys\nsys.exit(0)\n")
    with pytest.raises(PluginError, match=r"^odd\.py: SystemExit: 0$"):
        Plugins([Path("odd.py")])


@pytest.mark.parametrize(("what", "name"), RAISED)
def test_a_sink_that_cannot_tell_what_it_holds_is_told(shelf, monkeypatch, what, name):
    assert ran().done == 1
    graph = load(Path("p.toml"), NOW, (SHOP, Path("odd.py")))
    raised = {"exit": SystemExit(0), "end": EOFError("no more"), "key": KeyError("k")}[what]

    def holds(*_: object) -> bool:
        raise raised

    monkeypatch.setattr(type(graph.sink("lines")), "holds", holds)
    with pytest.raises(WerksError, match=f"^lines: {name} in test_odd_plugins"):
        run(graph, now=NOW)


def test_a_writer_that_gives_no_receipt_is_told(shelf, monkeypatch):
    Path("p.toml").write_text(TEXT.format(at="", what=""))
    graph = load(Path("p.toml"), NOW, (SHOP, Path("odd.py")))
    writer = graph.sink("lines").open({"odd": graph.branches[0].schemas["odd"]})
    monkeypatch.setattr(type(writer), "commit", lambda *_: None)
    ((_, error),) = run(graph, now=NOW).errors
    assert str(error) == "lines: its writer gave None where it has to give a receipt"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["Y"], "rows of 'Y', which was not asked for: mend the plugin"),
        (["X", "Y"], "rows of ['X', 'Y'] in one batch, not of one symbol: mend the plugin"),
    ],
)
def test_rows_of_another_symbol_are_refused_before_they_are_mixed(shelf, monkeypatch, given, said):
    Path("p.toml").write_text(TEXT.format(at="", what=""))
    graph = load(Path("p.toml"), NOW, (SHOP, Path("odd.py")))
    (branch,) = graph.branches
    read = type(branch.source.door).read

    def other(self, file: File, stream, symbols):
        for batch in read(self, file, stream, symbols):
            names = [given[row % len(given)] for row in range(len(batch))]
            yield batch.set_column(1, batch.schema.field(1), pa.array(names).dictionary_encode())

    monkeypatch.setattr(type(branch.source.door), "read", other)
    ((_, error),) = run(graph, now=NOW).errors
    assert str(error).endswith(said)
    assert not list(Path().glob("out/**/*.txt"))


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("timestamp", None, "row 3 of a batch has no timestamp: the plugin is to give one"),
        ("price", None, "row 3 of a batch has no price: the plugin is to give one"),
        ("tick_rule", None, "row 3 of a batch has no tick_rule: the plugin is to give one"),
        ("tick_rule", 2, "has a tick_rule beyond -1, 0 and 1; mend the plugin"),
        ("flag", "offbook", "has a flag that is none of block, liquidation, off_book, rpi; mend"),
    ],
)
def test_a_value_that_no_trade_has_is_refused(shelf, monkeypatch, column, value, said):
    Path("p.toml").write_text(TEXT.format(at="", what=""))
    graph = load(Path("p.toml"), NOW, (SHOP, Path("odd.py")))
    (branch,) = graph.branches
    read = type(branch.source.door).read

    def wrong(self, file: File, stream, symbols):
        for batch in read(self, file, stream, symbols):
            place = batch.schema.get_field_index(column)
            values = batch[column].to_pylist()
            values[2] = value
            made = pa.array(values, batch.schema.field(place).type)
            yield batch.set_column(place, batch.schema.field(place), made)

    monkeypatch.setattr(type(branch.source.door), "read", wrong)
    ((_, error),) = run(graph, now=NOW).errors
    assert said in str(error)
    assert not list(Path().glob("out/**/*.txt"))


def test_observers_that_have_no_hash_are_all_told(shelf):
    """Such as frozen attrs classes with a list."""

    @attrs.frozen
    class Watch:
        heard: list[str]
        raises: bool = False

        @hookimpl
        def werks_window_done(self, window):
            self.heard.append(window.name)
            if self.raises:
                raise KeyError(window.name)

    first, second = Watch([], raises=True), Watch([])
    report = ran("", "", second, first)
    assert first.heard == second.heard == ["2024-05-01"]
    assert [who for who, _ in report.errors] == ["Watch"]
