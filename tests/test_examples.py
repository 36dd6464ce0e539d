"""The examples and the templates of `werks new`: checked, run, and tested as a user would."""

import gzip
import os
import sqlite3
import subprocess
import sys
import tomllib
from contextlib import closing
from datetime import date
from pathlib import Path

import pyarrow.compute as pc
import pytest

from .conftest import exact, read

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.toml"))


def werks(*arguments: object, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does, in a folder of its own."""
    return subprocess.run(
        [sys.executable, "-m", "werks", *map(str, arguments)],
        cwd=cwd,
        env=os.environ | env,
        capture_output=True,
        text=True,
        check=False,
    )


def good(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> Path:
    """Return a folder in which the steps of `make demo` have been done."""
    folder = tmp_path_factory.mktemp("demo")
    (folder / "demo").mkdir()
    good(werks("run", ROOT / "examples" / "quickstart.toml", cwd=folder))
    return folder / "demo"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
@pytest.mark.few(2)
def test_an_example_is_good(path, tmp_path):
    assert good(werks("check", path, cwd=tmp_path)).startswith(f"{path}: good: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.long
def test_the_quickstart_accounts_for_every_trade(demo):
    for symbol in ("BTCUSD", "ETHUSD"):
        nodes = {name: read(demo / "data" / name / "sim" / symbol) for name in _nodes(demo)}
        ids = nodes["ticks"]["trade_id"].to_pylist()
        assert len(set(ids)) == len(ids)
        trades = int(nodes["ticks"]["last_trade_id"][-1].as_py())
        counts = {"ticks": "ticks", "big": "total_ticks"}
        for name, table in nodes.items():
            assert pc.sum(table[counts.get(name, "ticks")]).as_py() == trades
            column = "total_notional" if name == "big" else "notional"
            assert exact(table, column) == exact(nodes["ticks"], "notional")


def _nodes(demo: Path) -> list[str]:
    names = sorted(path.name for path in (demo / "data").iterdir())
    assert names == ["big", "minute_bars", "notional_bars", "ticks"]
    return names


def test_the_quickstart_has_the_same_bars_in_sqlite(demo):
    with closing(sqlite3.connect(demo / "bars.db")) as database:
        for node in ("minute_bars", "notional_bars"):
            (rows,) = database.execute(f"SELECT count(*) FROM {node}").fetchone()
            assert rows == sum(
                len(read(folder)) for folder in (demo / "data" / node / "sim").iterdir()
            )


def test_the_quickstart_does_nothing_twice(demo):
    again = werks("run", ROOT / "examples" / "quickstart.toml", cwd=demo.parent)
    assert good(again) == "nothing to do: 6 windows in the ledger already\n"


def test_the_demo_ends_with_a_chart_and_a_page(demo):
    shown = werks("chart", "demo/data", "--html", "demo/chart.html", cwd=demo.parent)
    assert good(shown).startswith("sim BTCUSD minute_bars ")
    page = (demo / "chart.html").read_text(encoding="utf-8")
    assert "notional_bars" in page
    assert "<script src=" not in page


@pytest.mark.long
def test_a_new_pipeline_file_runs_as_it_is(tmp_path):
    assert "next: werks check first.toml" in good(werks("new", "first.toml", cwd=tmp_path))
    good(werks("check", "first.toml", cwd=tmp_path))
    good(werks("run", "first.toml", "--quiet", cwd=tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "first-data",
        "first.db",
        "first.toml",
    ]
    again = werks("new", "first.toml", cwd=tmp_path)
    assert (again.returncode, again.stdout) == (2, "")


@pytest.fixture(scope="module")
def skeleton(tmp_path_factory) -> Path:
    """Return a folder with the plugin that `werks new plugin acme` makes, as if installed."""
    folder = tmp_path_factory.mktemp("skeleton")
    good(werks("new", "plugin", "acme", cwd=folder))
    # What an editable install adds to an environment: a path, and metadata with the entry point.
    metadata = folder / "werks-acme" / "werks_acme-0.1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: werks-acme\nVersion: 0.1.0\n")
    (metadata / "entry_points.txt").write_text("[werks]\nacme = werks_acme\n")
    return folder / "werks-acme"


def test_a_new_plugin_says_how_it_is_installed(skeleton):
    project = tomllib.loads((skeleton / "pyproject.toml").read_text())
    assert project["project"]["name"] == "werks-acme"
    assert project["project"]["entry-points"]["werks"] == {"acme": "werks_acme"}
    assert "NAME" not in "".join(p.read_text() for p in skeleton.rglob("*") if p.is_file())


@pytest.mark.long
def test_a_new_plugin_keeps_the_rules_of_an_archive(skeleton):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=skeleton,
        env=os.environ | {"PYTHONPATH": str(skeleton)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


def test_a_new_plugin_is_found_by_its_name_and_read(skeleton, loopback, tmp_path):
    text = "id,time,side,price,size\n1,1704067200000,buy,42000.5,0.25\n"
    loopback.put("BTCUSD/BTCUSD-2024-01-01.csv.gz", gzip.compress(text.encode()))
    example = (ROOT / "examples" / "quickstart.toml").read_text(encoding="utf-8")
    source = f'type = "acme.trades"\narchive_url = "{loopback.url}"'
    file = tmp_path / "acme.toml"
    file.write_text(
        example.replace('type = "sim.trades"', source)
        .replace('["BTCUSD", "ETHUSD"]', '["BTCUSD"]')
        .replace("stop = 2024-01-04", f"stop = {date(2024, 1, 2)}")
    )
    (tmp_path / "demo").mkdir()
    listed = good(werks("plugins", cwd=tmp_path, PYTHONPATH=str(skeleton)))
    assert "acme.trades" in listed
    good(werks("run", file, cwd=tmp_path, PYTHONPATH=str(skeleton)))
    (tick,) = read(tmp_path / "demo" / "data" / "ticks" / "acme" / "BTCUSD").to_pylist()
    assert str(tick["notional"].normalize()) == "10500.125"


def test_a_plugin_is_not_written_over_what_is_there(tmp_path):
    good(werks("new", "plugin", "acme", cwd=tmp_path))
    again = werks("new", "plugin", "acme", cwd=tmp_path)
    assert again.returncode == 2
    assert again.stderr == "error: werks-acme: is there already; move it away\n"
