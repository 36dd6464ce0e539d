"""What the packages look like: small files that know no exchange and speak to nobody."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = [
    ROOT / "core" / "werks",
    ROOT / "sinks" / "werks_sinks",
    *sorted((ROOT / "plugins").glob("*/werks_*")),
]
SOURCES = [path for package in PACKAGES for path in sorted(package.rglob("*.py"))]
EXCHANGES = re.compile("binance|bybit|bitmex|coinbase|kraken|bitfinex", re.IGNORECASE)
BAD_NAMES = {"utils", "util", "helpers", "base", "manager", "handler", "common", "mixin", "misc"}
# Kits of many small rules, each a test with its sentence.
LONG = {"core/werks/testing/archive.py", "core/werks/testing/sink.py"}


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_there_are_packages():
    assert {package.name for package in PACKAGES} >= {"werks", "werks_sinks", "werks_sim"}
    assert len(SOURCES) > 60


def code(path: Path) -> str:
    """Return what a file does: its text without comments and docstrings."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        return re.sub(r"(^|\s)#.*", "", text)
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
            node
        ):
            node.body[0] = ast.Pass()
    return ast.unparse(tree)


@pytest.mark.parametrize("folder", ["core", "sinks"])
def test_core_and_sinks_know_no_exchange(folder):
    """A docstring may name one as an example; what runs and what is written may not."""
    kinds = (".py", ".toml", ".txt", ".md", ".html")
    paths = [path for path in (ROOT / folder).glob("werks*/**/*") if path.suffix in kinds]
    assert len(paths) > 10
    assert [name(path) for path in paths if EXCHANGES.search(code(path))] == []


def test_no_plugin_names_another_exchange():
    for package in PACKAGES[2:]:
        own = package.name.removeprefix("werks_")
        for path in package.rglob("*.py"):
            found = {each.lower() for each in EXCHANGES.findall(path.read_text(encoding="utf-8"))}
            assert found <= {own}, name(path)


def test_files_are_small():
    long = {name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert {path: lines for path, lines in long.items() if lines > 300 and path not in LONG} == {}
    assert sorted(long.values())[len(long) // 2] < 130


def test_nothing_prints_outside_the_command_line():
    printing = re.compile(r"(^|[^.\w])(print|click\.echo)\(|sys\.std(out|err)\.write")
    found = [
        name(path)
        for path in SOURCES
        if "werks/cli" not in name(path) and printing.search(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_no_module_has_a_name_that_says_nothing():
    assert [name(path) for path in SOURCES if path.stem in BAD_NAMES] == []


def test_a_catch_all_is_explained_or_raises():
    found = []
    for path in SOURCES:
        lines = [*path.read_text(encoding="utf-8").splitlines(), "", ""]
        for number, line in enumerate(lines):
            if re.search(r"except (Base)?Exception\b|except:", line) and "#" not in line:
                following = " ".join(lines[number : number + 4])
                found += [] if "raise" in following else [f"{name(path)}:{number + 1}"]
    assert found == []


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_each_distribution_stands_for_itself(package):
    folder = package.parent
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (folder / "README.md").read_text(encoding="utf-8").startswith("# ")
    assert project["readme"] == "README.md"
    assert project["requires-python"] == ">=3.11"
    assert project["license"] == "MIT"
    assert (package / "py.typed").exists()
    assert list((folder / "tests").glob("test_*.py"))
    points = project.get("entry-points", {}).get("werks", {})
    assert points
    for target in points.values():
        assert target.split(".")[0] == package.name
