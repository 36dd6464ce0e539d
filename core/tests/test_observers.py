"""What happens in a run is told to observers, and the log keeps a line of JSON for each event."""

import json
import re
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from werks.errors import ConfigError, PluginError, WerksError
from werks.hookspecs import hookimpl
from werks.pipeline import Report, load, run

SHOP = Path(__file__).with_name("shop.py")
TEXT = """
[pipeline]
state = "werks.db"

[sources.trades]
type = "shop.trades"
symbols = ["X"]
start = 2024-05-01
stop = 2024-05-05
folder = "shelf"

[sinks.lines]
type = "shop"
path = "out"

[observers.log]
type = "log"
path = "{log}"
"""
NOW = datetime(2024, 5, 5, 12, tzinfo=UTC)


@pytest.fixture
def shelf(shop, tmp_path, monkeypatch):
    """Return the current folder, with a shelf of two good days, a broken one and one to come."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "werks_file_shop", raising=False)
    (tmp_path / "shelf").mkdir()
    for day in (1, 3):
        shop.day_file(tmp_path / "shelf", "X", date(2024, 5, day))
    return tmp_path


def run_file(log: str, *observers: object) -> Report:
    Path("p.toml").write_text(TEXT.format(log=log))
    graph = load(Path("p.toml"), NOW, (SHOP,))
    for observer in observers:
        graph.config.plugins.manager.register(observer)
    return run(graph, now=NOW)


def lines() -> list[dict[str, object]]:
    return [json.loads(line) for line in Path("log.txt").read_text().splitlines()]


def test_each_event_is_a_line_of_json(shelf):
    (shelf / "shelf" / "X-2024-05-03.csv").write_text("id,time\n")
    began = datetime.now(UTC)
    run_file("log.txt")
    found = lines()
    for line in found:
        assert began <= datetime.fromisoformat(line.pop("time")) <= datetime.now(UTC)
    of = {"exchange": "shop", "symbol": "X", "component": "shop.trades"}
    url = (shelf / "shelf" / "X-2024-05-03.csv").as_uri()
    what = "unknown header 'id,time': there is no column price, size"
    said = f"{url}: {what}; fetch the file again, or update the plugin"
    gap, waiting, done, failed, ended = found
    cause = "the archive has no file of this day"
    assert gap == {"event": "gap_found", **of, "window": "2024-05-02", "cause": cause}
    reason = "2024-05-04: not published yet"
    assert waiting == {"event": "waiting", **of, "reason": reason}
    assert done["event"] == "window_done"
    assert {name: done[name] for name in ("window", "rows", "repeats", "size", "written")} == {
        "window": "2024-05-01",
        "rows": 10,
        "repeats": 0,
        "size": "4.6000",
        "written": {"trades": 10},
    }
    assert failed == {"event": "window_failed", **of, "window": "2024-05-03", "error": said}
    assert ended["event"] == "run_ended"
    assert ended["windows"] == {"done": 1, "known": 0}
    assert ended["ok"] is False
    assert [error["error"] for error in ended["errors"]] == [said]


def test_a_second_run_goes_on_with_the_same_file(shelf):
    run_file("log.txt")
    before = len(lines())
    run_file("log.txt")
    events = [line["event"] for line in lines()[before:]]
    assert events == ["gap_found", "waiting", "run_ended"]
    assert lines()[-1]["windows"] == {"done": 0, "known": 2}


@pytest.mark.parametrize("log", ["shelf", "p.toml/log.txt", "no/such/log.txt"])
def test_a_log_that_cannot_be_written_is_told(shelf, log):
    said = "the log cannot be written: .*; name another path or take the observer out"
    ((who, error),) = run_file(log).errors
    assert isinstance(error, WerksError)
    assert re.fullmatch(f"{log}: {said}", str(error))
    assert who == "observers.log"
    assert len(list((shelf / "out").rglob("2024-05-0*"))) == 2


def test_an_observer_takes_the_arguments_that_it_wants(shelf):
    class Counting:
        def __init__(self):
            self.heard = []

        @hookimpl
        def werks_run_started(self):
            self.heard.append("started")

        @hookimpl
        def werks_window_done(self, window):
            self.heard.append(window.name)

        @hookimpl
        def werks_run_ended(self, report):
            self.heard.append(report.rows)

    counting = Counting()
    run_file("log.txt", counting)
    assert counting.heard == ["started", "2024-05-01", "2024-05-03", 20]


BAD = """
import attrs
from werks import hookimpl

@attrs.frozen
class Quiet:
    token: str = "a plain text"

    @hookimpl
    def {hook}(self{argument}):
        pass

@hookimpl
def werks_observers():
    return {{"quiet": Quiet}}
"""


@pytest.mark.parametrize(
    ("hook", "argument", "said"),
    [
        ("werks_windows_done", "", "unknown hook 'werks_windows_done'"),
        ("werks_window_done", ", windows", "Argument(s) {'windows'} are declared in the hookimpl"),
    ],
)
def test_a_hook_of_an_observer_that_would_never_be_called_is_told(shelf, hook, argument, said):
    Path("quiet.py").write_text(BAD.format(hook=hook, argument=argument))
    text = TEXT.format(log="log.txt") + '\n[observers.quiet]\ntype = "quiet"\n'
    Path("p.toml").write_text(text)
    sys.modules.pop("werks_file_quiet", None)
    with pytest.raises(ConfigError) as raised:
        load(Path("p.toml"), NOW, (SHOP, Path("quiet.py")))
    (problem,) = raised.value.problems
    assert problem.startswith("p.toml: observers.quiet.type: an observer: ")
    assert said in problem
    assert "a plain text" not in problem


def test_an_observer_that_cannot_be_made_is_told_once(shelf):
    text = TEXT.format(log="log.txt") + '\n[observers.quiet]\ntype = "quiet"\ntoken = 5\n'
    Path("p.toml").write_text(text)
    Path("quiet.py").write_text(BAD.format(hook="werks_windows_done", argument=""))
    sys.modules.pop("werks_file_quiet", None)
    with pytest.raises(ConfigError) as raised:
        load(Path("p.toml"), NOW, (SHOP, Path("quiet.py")))
    assert len(raised.value.problems) == 1
    assert "quiet.token" in raised.value.problems[0]


def test_a_hook_that_a_program_registers_and_nobody_calls_is_told(shelf):
    class Deaf:
        @hookimpl
        def werks_gaps_found(self, stream):
            raise AssertionError

    with pytest.raises(PluginError, match="an observer: unknown hook 'werks_gaps_found'"):
        run_file("log.txt", Deaf())
    assert not Path("out").exists()
