"""A file that a plugin names wrongly is told, not taken for one that is not there."""

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from werks.components import File
from werks.pipeline import load, run

SHOP = Path(__file__).with_name("shop.py")
NOW = datetime(2024, 5, 3, 12, tzinfo=UTC)
DAY = date(2024, 5, 1)
TEXT = """
[sources.trades]
type = "shop.trades"
symbols = ["X"]
start = 2024-05-01
stop = 2024-05-02
folder = "shelf"

[sinks.lines]
type = "shop"
path = "out"
"""


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"url": ""}, "url is text"),
        ({"url": None}, "url is text"),
        ({"start": "2024-05-01"}, "u: start of a File is a date"),
        ({"stop": NOW}, "u: stop of a File is a date"),
        ({"stop": date(2024, 4, 30)}, "u: stop of a File is 2024-04-30, before its start"),
        ({"symbols": "X"}, "u: symbols of a File are a tuple of texts, not 'X'"),
        ({"symbols": ["X"]}, "u: symbols of a File"),
        ({"symbols": ("X", 5)}, "u: symbols of a File"),
        ({"checksum": None}, "checksum is text"),
    ],
)
def test_a_file_of_the_wrong_shape_is_none(given, why):
    good = {"url": "u", "start": DAY, "stop": DAY + timedelta(days=1), "symbols": ("X",)}
    assert File(**good).checksum == ""
    with pytest.raises((TypeError, ValueError), match=re.escape(why)):
        File(**{**good, **given})


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ((DAY, DAY, ("X",)), "x.csv: it covers no day: start is 2024-05-01, and stop"),
        ((DAY, NOW, ("X",)), "shop.trades: TypeError in plain.py"),
        ((DAY, NOW.date(), "X"), "shop.trades: TypeError in plain.py"),
    ],
)
def test_a_plugin_that_names_such_a_file_is_told(given, why, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shelf").mkdir()
    Path("p.toml").write_text(TEXT)
    graph = load(Path("p.toml"), NOW, (SHOP,))
    (branch,) = graph.branches
    monkeypatch.setattr(type(branch.source.door), "files", lambda *_: [File("x.csv", *given)])
    ((where, error),) = run(graph, now=NOW).errors
    assert where == "shop X"
    assert str(error).startswith(why)
    assert "x.csv: " in str(error)
