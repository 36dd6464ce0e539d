"""The docs say what is true: compared with the code, and run.

As a program this file writes the option tables and the demo's output anew.
"""

import contextlib
import csv
import gzip
import inspect
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import click
import pyarrow as pa
import pytest
from click.testing import CliRunner

from werks import cli, hookspecs, schema
from werks.config import Settings
from werks.options import words
from werks.plugins import Plugins

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted(DOCS.rglob("*.md")),
    *sorted(path for path in ROOT.glob("*/README.md")),
    *sorted(path for path in ROOT.glob("plugins/*/README.md")),
]
ANEW = "run .venv/bin/python tests/test_docs.py to write it anew"


def blocks(page: Path, language: str) -> list[str]:
    """Return the fenced blocks of one language."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S)
    return [text for name, text in found if name == language]


def marked(page: Path, name: str, end: str) -> str:
    """Return what stands between two comments."""
    found = re.search(f"<!-- {name} -->\n(.*?)<!-- {end} -->", page.read_text("utf-8"), re.S)
    assert found, f"{page}: there is no <!-- {name} -->"
    return found[1]


def cells(table: str) -> list[list[str]]:
    """Return the cells of a table's rows, without its header."""
    rows = [line.strip("| \n") for line in table.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"\s*\|\s*", row)] for row in rows[2:]]


def code(cell: str) -> str:
    return cell.strip("`")


# What the code says, as the pages have it


def option_tables() -> str:
    """Return a table of options for each component of ours, out of its fields."""
    plugins, tables = Plugins(), []
    for kind in ("source", "transform", "sink", "observer"):
        for name in plugins.names():
            for type_ in plugins.components(name).get(kind, {}):
                if plugins.distribution(name).startswith("werks"):
                    tables.append(_table(kind, type_, plugins.find(kind, type_).values()))
    return "\n" + "\n".join(tables) + "\n"


def _table(kind: str, type_: str, classes: Any) -> str:
    fields = {f.name: f for cls in classes for f in attrs.fields(attrs.resolve_types(cls))}
    if not fields:
        return f"### {type_} ({kind})\n\nNo options of its own.\n"
    rows = "".join(_row(field) for field in fields.values())
    return f"### {type_} ({kind})\n\n| option | takes | default | |\n|---|---|---|---|\n{rows}"


def _row(field: Any) -> str:
    takes = words(field.type).replace(" | ", ", ")
    note = "" if field.metadata["identity"] else " *(changes no rows)*"
    return f"| `{field.name}` | {takes} | {_default(field)} | {field.metadata['help']}{note} |\n"


def _default(field: Any) -> str:
    if field.default is attrs.NOTHING:
        return "required"
    if field.default is None or field.default == ():
        return ""
    return f"`{json.dumps(field.default, default=str)}`"


def demo() -> str:
    """Return what the steps of `make demo` print, as a block."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "demo").mkdir()
        printed = werks(folder, "run", ROOT / "examples" / "quickstart.toml")
        printed += werks(folder, "chart", "demo/data", "--html", "demo/chart.html")
    text = re.sub(r" in [\d.]+ s, [\d,]+ rows/s", " in … s, … rows/s", printed)
    return "```text\n" + "".join(f"{line.rstrip()}\n" for line in text.splitlines()) + "```\n"


def werks(folder: Path | str, *arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "werks", *map(str, arguments)],
        cwd=folder,
        env=os.environ | {"COLUMNS": "100"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def write() -> None:
    for page, name, end, text in (
        (ROOT / "README.md", "demo:start", "demo:end", demo()),
        (DOCS / "pipeline-file.md", "options", "/options", option_tables()),
    ):
        old, new = (
            f"<!-- {name} -->\n{part}<!-- {end} -->" for part in (marked(page, name, end), text)
        )
        page.write_text(page.read_text("utf-8").replace(old, new), encoding="utf-8")


# Tests


def test_each_hook_is_a_heading_with_its_arguments():
    hooks = {
        f"{name}({', '.join(inspect.signature(hook).parameters)})"
        for name, hook in vars(hookspecs).items()
        if name.startswith("werks_")
    }
    text = (DOCS / "hooks.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^### (.+)$", text, re.M)) == hooks


@pytest.mark.parametrize("kind", ["TRADE", "TICK", "SIGNIFICANT", "BAR"])
def test_the_columns_of_rows_are_those_of_the_schema(kind):
    scales = schema.Scales(price=3, size=5)
    amounts = {3: "price", 5: "size", 8: "notional", schema.VARIANCE_SCALE: "variance"}
    plain = {pa.string(): "text", schema.WORD: "word", schema.TIME: "time"}
    plain |= {pa.int64(): "count", pa.int8(): "sign", pa.bool_(): "flag"}
    expected = [
        [f.name, amounts[f.type.scale] if pa.types.is_decimal(f.type) else plain[f.type]]
        for f in schema.schema(kind, scales)
    ]
    table = cells(marked(DOCS / "rows.md", f"rows:{kind}", "/rows"))
    assert [[code(row[0]), row[1]] for row in table] == expected


def test_the_option_tables_are_those_of_the_fields():
    assert marked(DOCS / "pipeline-file.md", "options", "/options") == option_tables(), ANEW


def test_the_settings_are_those_of_the_code():
    takes = [(f, words(f.type).replace(" | ", ", ")) for f in attrs.fields(Settings)]
    expected = [[f.name, taken, _default(f)] for f, taken in takes]
    table = cells(marked(DOCS / "pipeline-file.md", "settings", "/settings"))
    assert [[code(row[0]), *row[1:3]] for row in table] == expected


def test_the_commands_are_those_of_the_program():
    context = click.Context(cli.main)
    expected = set()
    for name in cli.main.list_commands(context):
        command = cli.main.get_command(context, name)
        assert command
        options = [p.opts[0] for p in command.params if isinstance(p, click.Option)]
        expected.add((name, ", ".join(f"`{option}`" for option in options)))
    table = cells(marked(DOCS / "pipeline-file.md", "commands", "/commands"))
    assert {(code(row[0]).split()[1], row[1]) for row in table} == expected


def test_the_readme_names_all_that_is_installed():
    plugins = Plugins()
    expected = {
        (kind, type_)
        for name in plugins.names()
        if plugins.distribution(name).startswith("werks")
        for kind, types in plugins.components(name).items()
        for type_ in types
    }
    text = (ROOT / "README.md").read_text(encoding="utf-8").split("## What is there")[1]
    rows = [row for row in cells(text) if row[0] in {kind for kind, _ in expected}]
    assert {(row[0], code(type_)) for row in rows for type_ in row[1].split(", ")} == expected


def test_the_demo_prints_what_the_readme_shows():
    assert marked(ROOT / "README.md", "demo:start", "demo:end") == demo(), ANEW


def test_the_picture_is_small():
    assert 20_000 < (DOCS / "demo.png").stat().st_size < 200_000


def _toml() -> Iterator[Any]:
    for page in PAGES:
        for number, text in enumerate(blocks(page, "toml"), 1):
            yield pytest.param(page, text, id=f"{page.relative_to(ROOT)}:{number}")


@pytest.mark.parametrize(("page", "text"), list(_toml()))
def test_a_toml_block_is_a_good_pipeline(page, text, tmp_path, monkeypatch):
    if "sources" not in tomllib.loads(text):
        return  # part of a pyproject.toml
    if "[sinks." not in text:
        text += '\n[sinks.any]\ntype = "csv"\npath = "any"\n'
    monkeypatch.setenv("WERKS_LEDGER", "werks.db")
    (tmp_path / "tally.py").write_text(blocks(DOCS / "writing-a-plugin.md", "python")[0])
    (tmp_path / "page.toml").write_text(text, encoding="utf-8")
    plugin = ["--plugin", str(tmp_path / "tally.py")] if "tally." in text else []
    done = CliRunner().invoke(cli.main, ["check", str(tmp_path / "page.toml"), *plugin])
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_link_leads_somewhere(page):
    links = re.findall(
        r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.S)
    )
    for link in links:
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in _anchors(target), link


def _anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.fixture
def tally(tmp_path) -> Path:
    """Return a folder with the files of the page on writing a plugin."""
    page = DOCS / "writing-a-plugin.md"
    plugin, test, rest, course = blocks(page, "python")
    (tmp_path / "tally.py").write_text(f"{plugin}\n\n{rest}", encoding="utf-8")
    (tmp_path / "test_tally.py").write_text(test, encoding="utf-8")
    (tmp_path / "test_course.py").write_text(course, encoding="utf-8")
    (tmp_path / "tally.toml").write_text(blocks(page, "toml")[0], encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("executor", ["inline", "processes"])
@pytest.mark.few(1)
def test_the_plugin_of_one_file_gives_the_bars_of_its_page(tally, loopback, executor):
    trades, bars = blocks(DOCS / "writing-a-plugin.md", "csv")
    loopback.put("BTC-USD/2024-01-01.csv.gz", gzip.compress(trades.encode()))
    file = tally / "tally.toml"
    file.write_text(file.read_text().replace("http://127.0.0.1:8000", loopback.url))
    werks(tally, "run", file, "--plugin", "tally.py", "--executor", executor)
    made = tally / "tally-data" / "minutes" / "tally" / "BTC-USD" / "2024-01-01.csv"
    assert made.read_text() == bars


def test_the_second_door_gives_the_same_bars(tally, loopback):
    trades, bars = blocks(DOCS / "writing-a-plugin.md", "csv")
    rows = [dict(row, trade=int(row["trade"]), ms=int(row["ms"])) for row in table_of(trades)]

    def page(query):
        least = int(query.get("from_id", 0))
        found = [row for row in rows if row["trade"] >= least]
        return json.dumps(found[:2]).encode()

    loopback.answer("/trades", page)
    file = tally / "tally.toml"
    text = file.read_text().replace("archive_url", "rest_url")
    text = text.replace("http://127.0.0.1:8000", loopback.url)
    file.write_text(text.replace("[transforms.minutes]", 'via = ["rest"]\n[transforms.minutes]'))
    werks(tally, "run", file, "--plugin", "tally.py")
    made = tally / "tally-data" / "minutes" / "tally" / "BTC-USD" / "2024-01-01.csv"
    assert made.read_text() == bars


def table_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_the_plugin_of_one_file_keeps_the_rules_of_an_archive(tally):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tally,
        env=os.environ | {"PYTHONPATH": str(tally)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


def test_the_examples_of_embedding_print_what_the_page_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    text = (DOCS / "embedding.md").read_text(encoding="utf-8")
    parts = re.findall(r"```(python|text)\n(.*?)```", text, re.S)
    assert [kind for kind, _ in parts] == ["python", "text"] * (len(parts) // 2)
    for (_, source), (_, expected) in zip(parts[::2], parts[1::2], strict=True):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(source, names)
        assert printed.getvalue() == expected


if __name__ == "__main__":
    write()
