"""Tasks give the same wherever they run, and a process that dies ends the run with a sentence."""

import os
import signal
from concurrent.futures import Executor
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from werks.errors import ConfigError
from werks.executors.inline import Inline
from werks.executors.processes import Processes
from werks.pipeline import load, run

SHOP = Path(__file__).with_name("shop.py")
NOW = datetime(2024, 6, 1, tzinfo=UTC)
TEXT = """
[pipeline]
state = "{name}.db"
executor = "{executor}"
workers = {workers}

[sources.trades]
type = "shop.trades"
symbols = {symbols}
start = 2024-05-01
stop = 2024-05-04
folder = "shelf"

[transforms.minutes]
type = "bars"
by = "time"
every = "1m"

[transforms.lots]
type = "bars"
by = "notional"
inputs = ["trades"]
every = 500

[sinks.lines]
type = "shop"
inputs = ["trades", "minutes", "lots"]
path = "{name}"
"""


@pytest.fixture
def shelf(shop, tmp_path, monkeypatch) -> Path:
    """Return the current folder, with the shelf of a shop: three days of each symbol."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shelf").mkdir()
    for symbol in ("A", "B", "DEATH"):
        for day in (1, 2, 3):
            shop.day_file(tmp_path / "shelf", symbol, date(2024, 5, day), rows=100)
    return tmp_path


def report(executor: str, workers: int = 0, symbols: str = '["A", "B"]', name: str = "out"):
    path = Path(f"{name}.toml")
    path.write_text(TEXT.format(executor=executor, workers=workers, symbols=symbols, name=name))
    return run(load(path, NOW, (SHOP,)), now=NOW)


def tree(folder: str) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.few(1)
def test_processes_give_what_one_process_gives(shelf, workers):
    one = report("inline")
    more = report("processes", workers, name="more")
    assert (more.done, more.rows, more.errors) == (one.done, one.rows, one.errors) == (6, 600, [])
    assert tree("more") == tree("out")
    assert len(tree("out")) == 2 * (3 + 3 + 3 + 1)


def test_an_error_in_a_process_is_the_error_in_this_one(shelf):
    bad = shelf / "shelf" / "A-2024-05-02.csv"
    bad.write_text(bad.read_text().replace(",100.5,", ",many,", 1))
    said = []
    for executor in ("inline", "processes"):
        found = report(executor, name=executor)
        said.append([(where, type(error), str(error)) for where, error in found.errors])
        assert found.done == 5
    assert said[0] == said[1]
    assert len(said[0]) == 1
    assert "row 2: price cannot be 'many'" in said[0][0][2]
    assert tree("inline") == tree("processes")


def test_a_process_that_dies_ends_the_run_with_a_sentence(shelf):
    found = report("processes", 2, '["A", "DEATH"]')
    (where, error), *others = found.errors
    assert where == "executor"
    assert str(error).endswith("run again to go on")
    assert (others, found.ok) == ([], False)
    for path in (shelf / "shelf").glob("DEATH-*"):
        path.unlink()
    again = report("processes", 2, '["A", "DEATH"]')
    assert again.ok
    assert again.done + again.known == 3
    assert report("inline", symbols='["A"]', name="quiet").done == 3
    assert tree("out") == tree("quiet")


def test_inline_runs_at_once_and_here():
    with Inline().executor(3) as executor:
        assert isinstance(executor, Executor)
        future = executor.submit(os.getpid)
        assert future.done()
        assert future.result() == os.getpid()


def test_processes_run_elsewhere_and_leave_an_interrupt_to_this_one():
    with Processes().executor(2) as executor:
        assert executor.at_once == 3
        assert executor.submit(os.getpid).result() != os.getpid()
        handler = executor.submit(signal.getsignal, signal.SIGINT).result()
        assert handler == signal.SIG_IGN
        with pytest.raises(ZeroDivisionError):
            executor.submit(divmod, 1, 0).result()


def test_without_a_number_there_is_a_process_for_each_core():
    with Processes().executor(0) as executor:
        assert executor.at_once == (os.cpu_count() or 1) + 1


@pytest.mark.parametrize(
    ("executor", "said"),
    [
        ("proces", 'no plugin "proces" is installed; did you mean "processes"[?]'),
        ("bars", 'the plugin "bars" offers no executor .it offers: transform.'),
    ],
)
def test_an_executor_that_is_not_there_is_told(shelf, executor, said):
    with pytest.raises(ConfigError, match=rf"^out\.toml: pipeline\.executor: {said}$"):
        report(executor)
