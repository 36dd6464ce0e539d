"""The command line says what was done, on stdout, and what went wrong, in one line, on stderr."""

import json
import os
import pty
import re
import select
import subprocess
import sys
import tomllib
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner

from werks.cli import main

SHOP = Path(__file__).with_name("shop.py")
COMMANDS = [
    "audit",
    "chart",
    "check",
    "compact",
    "describe",
    "export",
    "gaps",
    "new",
    "plan",
    "plugins",
    "repair",
    "run",
    "status",
    "top",
    "upload",
    "verify",
]
TEXT = """
[pipeline]
state = "werks.db"

[sources.trades]
type = "shop.trades"
symbols = ["A", "B"]
start = 2024-05-01
stop = 2024-05-04
folder = "shelf"

[transforms.minutes]
type = "bars"
by = "time"
every = "1m"

[sinks.lines]
type = "shop"
inputs = ["trades", "minutes"]
path = "out"
"""


@pytest.fixture
def shelf(shop, tmp_path, monkeypatch) -> Path:
    """Return the current folder, with a pipeline file and three days of two symbols, less one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shelf").mkdir()
    for symbol, day in (("A", 1), ("A", 2), ("A", 3), ("B", 1), ("B", 3)):
        shop.day_file(tmp_path / "shelf", symbol, date(2024, 5, day), rows=1000)
    (tmp_path / "p.toml").write_text(TEXT)
    return tmp_path


def werks(*arguments: object, code: int = 0, plugin: bool = True):
    """Return what a command prints, as (stdout, stderr)."""
    more = ["--plugin", str(SHOP)] if plugin else []
    result = CliRunner().invoke(main, [*map(str, arguments), *more])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.stdout, result.stderr


def data(*arguments: object, code: int = 0):
    out, err = werks(*arguments, "--json", code=code)
    assert err == ""
    return json.loads(out)


def test_help_lists_all_commands():
    out, err = werks("--help", plugin=False)
    assert re.findall(r"^  ([a-z]+) +[A-Z]", out, re.MULTILINE) == COMMANDS
    assert "..." not in out.partition("Commands:")[2]  # where click cuts off what is too long
    assert err == ""
    assert werks("-h", plugin=False)[0] == out


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help_for_each_option(command):
    out, _ = werks(command, "--help", plugin=False)
    assert out.startswith(f"Usage: main {command} ")
    assert len(main.commands[command].help.splitlines()[0]) > 10
    for option in main.commands[command].params:
        assert option.param_type_name == "argument" or option.help, option.name


def test_the_version_is_told():
    assert werks("--version", plugin=False)[0] == "werks, version 0.1.0\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rum", "p.toml"], "No such command 'rum'"),
        (["run", "p.toml", "--jsn"], "--json"),
        (["run"], "Missing argument 'FILE'"),
        (["run", "p.toml", "--workers", "-1"], "Invalid value for '--workers': -1"),
        (["run", "p.toml", "q.toml"], "unexpected extra argument"),
        (["new", "plugin"], "new plugin takes the NAME of the plugin"),
        (["new", "p.toml", "tally"], "new takes one FILE, or `plugin` and the NAME"),
        (["new", "plugin", ""], "a plugin's name is lower case"),
    ],
)
def test_a_command_that_is_misspelt_is_told(arguments, said):
    out, err = werks(*arguments, code=2, plugin=False)
    assert out == ""
    assert said in err


@pytest.mark.parametrize("command", ["run", "check", "plan"])
def test_a_file_that_is_not_there_is_told(shelf, command):
    said = "none.toml: cannot be read: No such file or directory"
    assert werks(command, "none.toml", code=2) == ("", f"error: {said}\n")
    assert data(command, "none.toml", code=2) == {"ok": False, "problems": [said]}


@pytest.mark.parametrize("command", ["run", "check", "plan"])
def test_every_problem_is_a_line(shelf, command):
    Path("p.toml").write_text(TEXT.replace("every", "evry").replace("folder", "foldr"))
    lines = [
        'p.toml: sources.trades.foldr: there is no such option; did you mean "folder"?',
        "p.toml: sources.trades.folder: this option is required",
        'p.toml: transforms.minutes.evry: there is no such option; did you mean "every"?',
        "p.toml: transforms.minutes.every: this option is required",
    ]
    expected = "".join(f"error: {line}\n" for line in lines)
    assert werks(command, "p.toml", code=2) == ("", expected)
    assert data(command, "p.toml", code=2)["problems"] == lines
    assert [path.name for path in shelf.iterdir()] == ["shelf", "p.toml"]


def test_check_says_that_a_file_is_good(shelf):
    good = "p.toml: good: 1 source, 1 transform, 1 sink\n"
    assert werks("check", "p.toml") == (good, "")
    assert data("check", "p.toml") == {"ok": True, "sources": 1, "transforms": 1, "sinks": 1}
    assert not Path("werks.db").exists()


def test_run_says_what_was_done(shelf):
    out, err = werks("run", "p.toml")
    words = out.split()
    for text in ("shop A", "2024-05-01 … 2024-05-03", "3,000", "shop.trades", "5,000", "2,500"):
        assert text.split()[0] in words, text
    assert "missing: shop B 2024-05-02: the archive has no file of this day\n" in out
    assert re.search(r"^5 windows done: 5,000 rows in \d+\.\d\d s, [\d,]+ rows/s$", out, re.M)
    assert err.splitlines()[0] == "5 windows wanted, 5 to do"
    assert sorted(err.splitlines()[1:]) == [
        "shop A 2024-05-01: 1,000 rows",
        "shop A 2024-05-02: 1,000 rows",
        "shop A 2024-05-03: 1,000 rows",
        "shop B 2024-05-01: 1,000 rows",
        "shop B 2024-05-03: 1,000 rows",
    ]
    assert "\x1b" not in out + err


def test_a_second_run_says_that_there_is_nothing_to_do(shelf):
    werks("run", "p.toml")
    out, err = werks("run", "p.toml")
    assert out.splitlines() == [
        "nothing to do: 5 windows in the ledger already",
        "missing: shop B 2024-05-02: the archive has no file of this day",
    ]
    assert err == "5 windows wanted, 0 to do\n"


def test_quiet_prints_errors_only(shelf):
    bad = shelf / "shelf" / "A-2024-05-02.csv"
    assert werks("run", "p.toml", "--quiet") == ("", "")
    bad.write_text("")
    Path("werks.db").unlink()
    out, err = werks("run", "p.toml", "--quiet", code=1)
    said = f"{bad.as_uri()}: the file is empty; fetch it again later"
    assert (out, err) == ("", f"error: shop A: {said}\n")


def test_an_error_is_told_when_it_happens_and_at_the_end(shelf):
    bad = shelf / "shelf" / "A-2024-05-02.csv"
    bad.write_text("")
    out, err = werks("run", "p.toml", code=1)
    said = f"{bad.as_uri()}: the file is empty; fetch it again later"
    assert f"shop A 2024-05-02: failed: {said}\n" in err
    assert err.splitlines()[-1] == f"error: shop A: {said}"
    assert "4 windows done" in out


def test_json_is_all_that_is_printed(shelf):
    found = data("run", "p.toml")
    assert found["ok"] is True
    assert found["pipeline"] == "pipeline"
    assert found["windows"] == {"done": 5, "known": 0}
    first, second = found["streams"]
    assert (first["symbol"], first["rows"], first["first"]) == ("A", 3000, "2024-05-01")
    assert second["written"] == {"trades": 2000, "minutes": 1000}
    cause = "the archive has no file of this day"
    assert found["missing"] == [{"stream": "shop B", "day": "2024-05-02", "reason": cause}]
    assert found["errors"] == []
    assert data("run", "p.toml")["windows"] == {"done": 0, "known": 5}


def test_json_holds_the_errors_too(shelf):
    bad = shelf / "shelf" / "A-2024-05-02.csv"
    bad.write_text("")
    found = data("run", "p.toml", code=1)
    said = f"{bad.as_uri()}: the file is empty; fetch it again later"
    assert found["ok"] is False
    assert found["errors"] == [{"where": "shop A", "error": said}]


def test_the_command_line_has_the_last_word_on_where_tasks_run(shelf):
    assert data("run", "p.toml", "--executor", "processes", "--workers", 2)["windows"]["done"] == 5
    out, err = werks("run", "p.toml", "--executor", "nobody", code=2)
    said = 'no plugin "nobody" is installed; if there is one: pip install werks-nobody'
    assert (out, err) == ("", f"error: p.toml: pipeline.executor: {said}\n")


def test_plan_says_what_would_be_read(shelf):
    expected = [
        "    read  shop A 2024-05-01 … 2024-05-03: by the archive, all nodes",
        "    read  shop B 2024-05-01: by the archive, all nodes",
        "    read  shop B 2024-05-03: by the archive, all nodes",
        " missing  shop B 2024-05-02: the archive has no file of this day",
        "5 of 5 windows to do (p.toml)",
    ]
    assert werks("plan", "p.toml") == ("".join(f"{line}\n" for line in expected), "")
    assert not Path("out").exists()
    werks("run", "p.toml")
    out, _ = werks("plan", "p.toml")
    assert out.splitlines()[0] == "    done  shop A 2024-05-01 … 2024-05-03: in the ledger already"
    assert out.splitlines()[-1] == "0 of 5 windows to do (p.toml)"
    Path("p.toml").write_text(TEXT.replace('"1m"', '"5m"'))
    out, _ = werks("plan", "p.toml")
    assert out.splitlines()[0].endswith("2024-05-03: by the archive, only minutes")


def test_a_plan_is_data_too(shelf):
    werks("run", "p.toml")
    Path("p.toml").write_text(TEXT.replace('"1m"', '"5m"'))
    (shelf / "out" / "trades" / "A" / "2024-05-02.txt").unlink()
    found = data("plan", "p.toml")
    assert found["windows"] == {"wanted": 5, "to_do": 5}
    redo = {(each["stream"], each["day"]): each["redo"] for each in found["files"]}
    assert redo["shop A", "2024-05-01"] == {"minutes": ["lines"]}
    assert redo["shop A", "2024-05-02"] == {"trades": ["lines"], "minutes": ["lines"]}
    assert found["files"][0]["url"] == (shelf / "shelf" / "A-2024-05-01.csv").as_uri()
    assert found["missing"] == [["shop B", "2024-05-02", "the archive has no file of this day"]]
    assert found["waiting"] == found["errors"] == []


def test_plugins_are_listed_with_what_they_offer():
    out, err = werks("plugins")
    lines = [line.split(None, 2) for line in out.splitlines()]
    assert ["source", "shop.trades", "a file"] in lines
    assert ["sink", "shop", "a file"] in lines
    assert [line[:2] for line in lines if line[0] == "executor"] == [
        ["executor", "inline"],
        ["executor", "processes"],
    ]
    assert err == ""
    found = data("plugins")
    assert found["shop"] == {
        "distribution": "a file",
        "offers": {"source": ["shop.night", "shop.other", "shop.trades"], "sink": ["shop"]},
    }
    assert found["bars"]["offers"] == {"transform": ["bars"]}


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Return a function that installs a distribution with a module and entry points."""

    def made(name: str, points: str, text: str) -> None:
        folder = tmp_path / f"site-{name}"
        info = folder / f"{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(points)
        (folder / f"{name}.py").write_text(text)
        monkeypatch.syspath_prepend(str(folder))

    before = set(sys.modules)
    yield made
    for name in set(sys.modules) - before:
        if name in ("acme", "greeting", "one", "two"):
            del sys.modules[name]


def test_a_broken_plugin_is_shown_as_such_and_stops_nothing(install, shelf):
    install("acme", "[werks]\nacme = acme\n", "import no_such_module")
    out, err = werks("plugins")
    said = "cannot be loaded: ModuleNotFoundError: No module named 'no_such_module'"
    assert "shop.trades" in out
    assert err == f'error: the plugin "acme" of acme 1.0 {said}\n'
    assert data("plugins")["acme"]["error"].endswith(said)
    werks("run", "p.toml", "--quiet")


def test_a_misspelt_hook_is_shown_at_its_own_plugin(install):
    text = "from werks import hookimpl\n@hookimpl\ndef werks_sink():\n    return {}\n"
    install("acme", "[werks]\nacme = acme\n", text)
    out, err = werks("plugins")
    assert err == "error: the plugin \"acme\": unknown hook 'werks_sink'\n"
    assert "transform  bars" in out


COMMAND = """
import click

@click.command()
@click.argument("name")
def hello(name):
    "Greet somebody."
    click.echo(f"hello {name}")
"""


def test_an_entry_point_adds_a_command(install):
    install("greeting", "[werks.commands]\nhello = greeting:hello\n", COMMAND)
    assert "\n  hello     Greet somebody." in werks("--help", plugin=False)[0]
    assert werks("hello", "you", plugin=False)[0] == "hello you\n"
    assert werks("run", "--help", plugin=False)[0].startswith("Usage: main run")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1 / 0", "of greeting cannot be loaded: ZeroDivisionError: division by zero"),
        ("hello = 5", "of greeting is no click.Command: 5"),
    ],
)
def test_a_broken_command_says_so_and_stops_no_other(install, text, said):
    install("greeting", "[werks.commands]\nhello = greeting:hello\n", text)
    assert "\n  hello     (broken)" in werks("--help", plugin=False)[0]
    out, err = werks("hello", "--you", "there", code=2, plugin=False)
    assert (out, err) == ("", f'error: the command "hello" {said}\n')


def test_a_command_that_two_claim_is_refused(install):
    for name in ("one", "two"):
        install(name, f"[werks.commands]\nhello = {name}:hello\n", COMMAND)
    _, err = werks("hello", "you", code=2, plugin=False)
    assert err == 'error: the command "hello" is claimed by one and two: uninstall one of them\n'


def test_a_plugin_may_not_take_the_name_of_a_command(install):
    install("greeting", "[werks.commands]\nrun = greeting:hello\n", COMMAND)
    out, _ = werks("--help", plugin=False)
    assert out.count("\n  run ") == 1
    assert "Greet" not in out


def test_describe_tells_all_of_a_component():
    out, err = werks("describe", "shop.trades")
    assert out.splitlines() == [
        "shop.trades (source)",
        "",
        "The trades of a shop around the corner.",
        "",
        "core options: symbols, start, stop, via, verify, record, replay",
        "",
        "options:",
        "  folder: a path; required",
        "      where the day files lie",
        '  market: "spot" | "linear"; default "spot"',
        "      spot or linear",
        '  least: a number; default "0"',
        "      an amount",
        "  deep: true or false; default false",
        "      yes or no",
        '  token: text; default ""',
        "      a password",
        "  speed: a whole number; default 1",
        "      how often a second",
        "",
        "trade ids: contiguous",
        "cannot be proven: what is sold at night",
    ]
    assert err == ""


def test_a_description_is_data_too():
    found = data("describe", "shop.trades")
    assert (found["type"], found["kind"]) == ("shop.trades", "source")
    assert found["doors"] == ["archive", "live"]
    assert found["options"][0] == {
        "name": "folder",
        "takes": "a path",
        "required": True,
        "default": None,
        "help": "where the day files lie",
    }
    assert found["blind_spots"] == ["what is sold at night"]


@pytest.mark.parametrize("type_", ["aggregate", "bars", "filter", "inline", "processes", "log"])
def test_what_is_built_in_is_described(type_):
    out, err = werks("describe", type_)
    assert re.match(rf"{type_} \((transform|executor|observer)\)\n\n[A-Z].*\.", out)
    assert "options" in out
    assert err == ""


@pytest.mark.parametrize(
    ("type_", "said"),
    [
        ("barz", 'no plugin "barz" is installed; did you mean "bars"?'),
        (
            "shop.trade",
            'the plugin "shop" has no "shop.trade"; it has: shop, shop.night, shop.other',
        ),
    ],
)
def test_what_cannot_be_described_is_told(type_, said):
    out, err = werks("describe", type_, code=2)
    assert out == ""
    assert err.startswith(f"error: {said}")
    assert err.count("\n") == 1


def test_a_plugin_file_that_is_not_there_is_told(shelf):
    for command in (["run", "p.toml"], ["plugins"], ["describe", "bars"]):
        out, err = werks(*command, "--plugin", "none.py", code=2)
        assert (out, err) == ("", "error: none.py: there is no Python file\n")


def test_new_writes_a_file_to_begin_with(shelf):
    out, _ = werks("new", "first.toml", plugin=False)
    assert out == "first.toml\nnext: werks check first.toml && werks run first.toml\n"
    made = tomllib.loads(Path("first.toml").read_text())
    assert made["pipeline"] == {"name": "first", "state": "first.db"}
    assert list(made) == ["pipeline", "sources", "transforms", "sinks"]


def test_new_writes_the_skeleton_of_a_plugin(shelf):
    out, _ = werks("new", "plugin", "acme", plugin=False)
    *made, then = out.splitlines()
    assert made == [
        "werks-acme/pyproject.toml",
        "werks-acme/README.md",
        "werks-acme/werks_acme/__init__.py",
        "werks-acme/tests/test_acme.py",
    ]
    assert then == "next: pip install -e 'werks-acme[test]' && pytest werks-acme"
    assert all("NAME" not in Path(path).read_text() for path in made)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["p.toml"], 2, "p.toml: is there already; name another file"),
        (["p.toml/q.toml"], 1, "p.toml/q.toml: cannot be written: "),
        (["plugin", "Acme"], 2, "Acme: a plugin's name is lower case: [a-z][a-z0-9_]*"),
        (["plugin", "../acme"], 2, "../acme: a plugin's name is lower case"),
        (["plugin", "there"], 2, "werks-there: is there already; move it away"),
    ],
)
def test_new_writes_over_nothing(shelf, arguments, code, said):
    Path("werks-there").mkdir()
    out, err = werks("new", *arguments, code=code, plugin=False)
    assert out == ""
    assert err.startswith(f"error: {said}")
    assert Path("p.toml").read_text() == TEXT
    assert list(Path("werks-there").iterdir()) == []


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("nowhere", "nowhere: there is no such file or folder"),
        ("shelf", "shelf: no bars in .feather or .parquet files there; run a pipeline"),
        ("p.toml", "p.toml: charts are drawn from .feather and .parquet files only"),
    ],
)
def test_chart_says_where_there_are_no_bars(shelf, path, said):
    out, err = werks("chart", path, code=1, plugin=False)
    assert (out, err) == ("", f"error: {said}\n")


def on_a_terminal(*arguments: str, columns: int = 100) -> tuple[int, str]:
    """Run a command in a pseudo-terminal; return its exit code and all that it wrote there."""
    ours, theirs = pty.openpty()
    env = os.environ | {"TERM": "xterm-256color", "COLUMNS": str(columns), "LINES": "30"}
    child = subprocess.Popen(
        [sys.executable, "-m", "werks", *arguments], stdout=theirs, stderr=theirs, env=env
    )
    os.close(theirs)
    written = b""
    while select.select([ours], [], [], 30)[0]:
        try:
            part = os.read(ours, 65_536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        written += part
    os.close(ours)
    return child.wait(30), written.decode()


ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


def test_on_a_terminal_there_is_a_bar_for_each_stream(shelf):
    code, written = on_a_terminal("run", "p.toml", "--plugin", str(SHOP))
    plain = ESCAPES.sub("", written)
    assert code == 0
    for bar in ("shop A +━+ *3/3 +days +3,000 rows", "shop B +━+ *2/2 +days +2,000 rows"):
        assert re.search(rf"{bar} +[\d,]+/s +\d:\d\d:\d\d", plain), plain
    assert "5 windows done: 5,000 rows" in plain
    assert "shop A 2024-05-01: 1,000 rows" not in plain
    # The cursor is hidden while bars move, and given back.
    assert written.rfind("\x1b[?25h") > written.rfind("\x1b[?25l") >= 0


def test_on_a_terminal_an_error_stands_above_the_bars(shelf):
    (shelf / "shelf" / "A-2024-05-02.csv").write_text("")
    code, written = on_a_terminal("run", "p.toml", "--plugin", str(SHOP), columns=200)
    plain = ESCAPES.sub("", written)
    assert code == 1
    assert "A-2024-05-02.csv: the file is empty; fetch it again later" in plain
    assert "Traceback" not in plain
    assert written.rfind("\x1b[?25h") > written.rfind("\x1b[?25l") >= 0


@pytest.mark.long
def test_on_a_terminal_nothing_to_do_draws_no_bars(shelf):
    werks("run", "p.toml", "--quiet")
    code, written = on_a_terminal("run", "p.toml", "--plugin", str(SHOP))
    plain = ESCAPES.sub("", written)
    assert code == 0
    assert "nothing to do: 5 windows in the ledger already" in plain
    assert "━" not in plain


def test_python_dash_m_is_the_command(shelf):
    done = subprocess.run(
        [sys.executable, "-m", "werks", "check", "p.toml", "--plugin", str(SHOP)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "p.toml: good: 1 source, 1 transform, 1 sink\n"
