"""`werks status` and `werks gaps` show what the ledger has, and connect to nothing."""

import json
import re
import sqlite3
from contextlib import closing
from datetime import date, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner

from werks.cli import main
from werks.cli.calendar.terminal import GLYPHS
from werks.components import Stream
from werks.ledger import Difference, Gap, Ledger
from werks.pipeline.coverage import MARKS

SHOP = Path(__file__).with_name("shop.py")
A, B = Stream("shop", "A", "shop.trades"), Stream("shop", "B", "shop.trades")
TEXT = """
[pipeline]
name = "p"
state = "werks.db"

[sources.trades]
type = "shop.trades"
symbols = ["A", "B"]
start = 2024-05-01
stop = 2024-05-08
via = ["archive"]
folder = "shelf"

[sinks.lines]
type = "shop"
path = "out"
"""


def day(number: int) -> date:
    return date(2024, 5, number)


def werks(*arguments: object, code: int = 0, columns: int = 100):
    """Return what a command prints, as (stdout, stderr)."""
    given = [*map(str, arguments), "--plugin", str(SHOP)]
    result = CliRunner().invoke(main, given, env={"COLUMNS": str(columns)})
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.stdout, result.stderr


def data(*arguments: object, code: int = 0):
    return json.loads(werks(*arguments, "--json", code=code)[0])


@pytest.fixture
def here(shop, tmp_path, monkeypatch) -> Path:
    """Return the current folder, with a pipeline file and a shelf of six days of two symbols."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shelf").mkdir()
    for number in (2, 3, 6):
        shop.day_file(tmp_path / "shelf", "A", day(number), rows=1000)
    for number in range(1, 8):
        shop.day_file(tmp_path / "shelf", "B", day(number), rows=10)
    (tmp_path / "p.toml").write_text(TEXT)
    return tmp_path


@pytest.fixture
def read(here) -> Path:
    """Return the folder after a run: A lacks three days, and is judged in different ways."""
    werks("run", "p.toml", "--quiet")
    ledger = Ledger("werks.db", "p")
    ledger.checked(A, day(2), True, "1,000 of 1,000 minutes are equal", [])
    ledger.checked(A, day(3), False, "", [Difference(0, "open", "1", "2", "a <b> & c")])
    differ = Gap(A, day(3), "mismatch", "1 minute differs", "first at 00:00", 1, "suspected")
    left_out = Gap(A, day(6), "ids", "trade ids are left out", "ids 7 to 1,206", 1_200)
    ledger.found([differ, left_out])
    ledger.close()
    return here


def gap_lines(*arguments: object, code: int = 1) -> list[str]:
    out, err = werks("gaps", "p.toml", *arguments, code=code)
    assert err == ""
    return [re.sub(r"  +", "|", line) for line in out.splitlines()]


def test_gaps_are_a_line_a_span_of_equal_days(read):
    assert gap_lines() == [
        "suspected|mismatch|shop A shop.trades|2024-05-03|1 minute"
        "|1 minute differs: first at 00:00",
        "open|day|shop A shop.trades|2024-05-04 … 2024-05-05|2 days"
        "|the archive has no file of this day",
        "open|ids|shop A shop.trades|2024-05-06|1,200 trades"
        "|trade ids are left out: ids 7 to 1,206",
        "open|day|shop A shop.trades|2024-05-07|1 day|the archive has no file of this day",
        "open: 1 minute unlike the candles, 3 days that cannot be had, 1,200 trades",
    ]


@pytest.mark.parametrize(
    ("more", "said"),
    [([None], "1,200 trades and an unknown number of trades"), ([None, 3], "1,203 trades and an")],
)
def test_a_number_that_is_not_known_is_no_zero(read, more, said):
    ledger = Ledger("werks.db", "p")
    ledger.found([Gap(B, day(n), "ids", "an outage", missing=m) for n, m in enumerate(more, 1)])
    ledger.close()
    assert f"3 days that cannot be had, {said}" in gap_lines()[-1]


def test_gaps_say_how_often_they_were_tried(read):
    werks("run", "p.toml", "--quiet")
    assert gap_lines()[1].endswith("the archive has no file of this day (tried 2 times)")


def test_a_gap_that_is_settled_is_shown_on_demand_and_is_no_failure(read):
    ledger = Ledger("werks.db", "p")
    ledger.settle(A, day(6), "ids", "absent")
    ledger.settle(A, day(3), "mismatch", "repaired")
    for number in (4, 5, 7):
        ledger.settle(A, day(number), "day", "lost")
    ledger.close()
    assert gap_lines(code=0) == ["no gap is open"]
    lines = gap_lines("--all", code=0)
    assert [line.partition("|")[0] for line in lines] == [
        "repaired",
        "lost",
        "absent",
        "lost",
        "no gap is open",
    ]


def test_gaps_are_data_too(read):
    found = data("gaps", "p.toml", code=1)
    assert (found["pipeline"], found["read"], found["open"]) == ("p", True, 4)
    assert found["gaps"][1] == {
        "exchange": "shop",
        "symbol": "A",
        "component": "shop.trades",
        "kind": "day",
        "status": "open",
        "first": "2024-05-04",
        "last": "2024-05-05",
        "days": 2,
        "missing": 2,
        "cause": "the archive has no file of this day",
        "evidence": "",
        "attempts": 1,
        "named": True,
    }


def test_gaps_of_a_stream_that_the_file_names_no_more_are_shown_and_count_no_more(read):
    Path("p.toml").write_text(TEXT.replace('["A", "B"]', '["B"]'))
    lines = gap_lines(code=0)
    assert len(lines) == 5
    assert all(line.endswith(" (no longer in the file)") for line in lines[:-1])
    assert lines[-1] == "no gap is open"
    assert {gap["named"] for gap in data("gaps", "p.toml")["gaps"]} == {False}


def test_what_an_exchange_says_cannot_break_a_line(read):
    ledger = Ledger("werks.db", "p")
    ledger.found([Gap(B, day(1), "ids", "left\nout \x1b[31m[red]", missing=1)])
    ledger.close()
    assert gap_lines()[4] == "open|ids|shop B shop.trades|2024-05-01|1 trade|left out ?[31m[red]"


@pytest.mark.parametrize("command", ["gaps", "status"])
def test_without_a_ledger_nothing_has_been_read_and_none_is_made(here, command):
    out, _ = werks(command, "p.toml")
    assert out.startswith("werks.db: there is no ledger yet: nothing has been read\n")
    assert data(command, "p.toml")["read"] is False
    assert not Path("werks.db").exists()


@pytest.mark.parametrize("command", ["gaps", "status"])
def test_a_ledger_of_another_version_is_refused(read, command):
    with closing(sqlite3.connect("werks.db")) as db, db:
        db.execute("update werks_ledger set version = 1")
    out, err = werks(command, "p.toml", code=1)
    assert out == ""
    assert err.startswith("error: werks.db: the ledger has version 1, this werks writes ")


@pytest.mark.parametrize("command", ["gaps", "status"])
def test_a_file_that_is_wrong_is_told(here, command):
    Path("p.toml").write_text(TEXT.replace("folder", "foldr"))
    out, err = werks(command, "p.toml", code=2)
    assert out == ""
    assert 'sources.trades.foldr: there is no such option; did you mean "folder"?' in err
    assert data(command, "p.toml", code=2)["ok"] is False


def test_status_draws_a_character_a_day(read):
    Path("p.toml").write_text(TEXT.replace("05-08", "05-10"))
    out, err = werks("status", "p.toml")
    assert err == ""
    assert out.splitlines()[:8] == [
        "shop A shop.trades  2024-05-01 … 2024-05-09",
        "        1   5    10   15   20   25   30",
        "2024-05 ·■≠××!×··",
        "■ 1 verified  ≠ 1 mismatch  ! 1 gap  × 3 missing  · 3 waiting",
        "1 day before 2024-05-02: not published, or not read yet",
        "3,000 rows of 3 days, 2024-05-02 … 2024-05-06: 3 by the archive",
        "against the exchange's candles: 1 day equal, 1 day different, 1 day unknown",
        "open gaps: 1 minute unlike the candles, 3 days that cannot be had, 1,200 trades",
    ]
    assert "2024-05 □□□□□□□··" in out
    assert "■ verified    equal to the exchange's candles\n" in out
    assert "part" not in out


def test_marks_differ_without_colours():
    assert GLYPHS.keys() == MARKS.keys()
    assert len({glyph for glyph, _ in GLYPHS.values()}) == len(MARKS)


@pytest.mark.parametrize(("columns", "beside"), [(40, 1), (79, 1), (80, 2), (121, 3), (999, 4)])
def test_months_stand_beside_each_other_as_they_fit(here, columns, beside):
    wide = TEXT.replace("2024-05-08", "2025-06-01").replace("2024-05-01", "2024-04-16")
    Path("p.toml").write_text(wide.replace('["A", "B"]', '["A"]'))
    ledger = Ledger("werks.db", "p")
    ledger.found([Gap(A, date(2024, 4, 17), "day", "gone")])
    ledger.close()
    lines = werks("status", "p.toml", columns=columns)[0].splitlines()[1:]
    months = [line for line in lines if re.match(r"20\d\d-\d\d ", line)]
    assert [len(re.findall(r"20\d\d-\d\d ", line)) for line in months[:-1]] == [beside] * (
        len(months) - 1
    )
    assert all(len(line) <= columns for line in months)
    assert months[0].startswith("2024-04 " + " " * 15 + "·×·············")
    assert sum(line.count("·") for line in months) == 410
    assert lines[0].count("30") == beside


def test_a_long_time_of_which_nothing_is_known_is_only_said(read):
    Path("p.toml").write_text(TEXT.replace("2024-05-01", "2014-05-01"))
    out, _ = werks("status", "p.toml")
    assert "3,654 days before 2024-05-02: not published, or not read yet\n" in out
    assert re.findall(r"^20\d\d-\d\d ", out, re.M) == ["2024-05 ", "2024-05 "]


def test_status_is_data_too(read):
    found = data("status", "p.toml")
    assert (found["pipeline"], found["read"]) == ("p", True)
    assert found["streams"][0] == {
        "exchange": "shop",
        "symbol": "A",
        "component": "shop.trades",
        "named": True,
        "first": "2024-05-02",
        "last": "2024-05-06",
        "windows": 3,
        "rows": 3000,
        "doors": {"archive": 3},
        "verified": {"equal": 1, "different": 1, "unknown": 1},
        "live": {},
        "gaps": 5,
        "days": {"waiting": 1, "verified": 1, "mismatch": 1, "missing": 3, "gap": 1},
        "spans": [
            {"mark": "waiting", "first": "2024-05-01", "last": "2024-05-01"},
            {"mark": "verified", "first": "2024-05-02", "last": "2024-05-02"},
            {"mark": "mismatch", "first": "2024-05-03", "last": "2024-05-03"},
            {"mark": "missing", "first": "2024-05-04", "last": "2024-05-05"},
            {"mark": "gap", "first": "2024-05-06", "last": "2024-05-06"},
            {"mark": "missing", "first": "2024-05-07", "last": "2024-05-07"},
        ],
    }


def test_a_stream_that_the_file_names_no_more_is_shown_as_such(read):
    Path("p.toml").write_text(TEXT.replace('["A", "B"]', '["B"]'))
    out, _ = werks("status", "p.toml", "--html", "s.html")
    named, _, left = out.partition("no longer in the file:\n")
    assert "shop B shop.trades" in named
    assert "shop A shop.trades  2024-05-02 … 2024-05-07\n" in left
    assert Path("s.html").read_text().count("(no longer in the file)") == 1


class Page(HTMLParser):
    """The parts of a page that matter: its tags, the titles of days, what it refers to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.days: list[str] = []
        self.refers: list[str] = []
        self._open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.refers += [value for name, value in attrs if name in ("href", "src")]
        if tag == "title":
            self._open.append("")

    def handle_data(self, text):
        if self._open:
            self._open[-1] += text

    def handle_endtag(self, tag):
        if tag == "title":
            self.days.append(self._open.pop())


def test_the_page_asks_the_network_for_nothing_and_needs_no_script(read):
    out, _ = werks("status", "p.toml", "--html", "s.html")
    assert out.endswith("s.html: the same as a page\n")
    text = Path("s.html").read_text()
    found = Page(text)
    assert "script" not in found.tags
    assert all(each.startswith(("#", "data:")) for each in found.refers)
    assert "default-src 'none'" in text
    assert "prefers-color-scheme: dark" in text


def test_the_page_tells_of_each_day_what_is_known_of_it(read):
    werks("status", "p.toml", "--html", "s.html")
    title, *days = Page(Path("s.html").read_text()).days
    assert title == "werks: p"
    assert len(days) == 14
    assert days[0] == "Wed 2024-05-01: waiting"
    assert days[1].splitlines() == [
        "Thu 2024-05-02: verified",
        "1,000 rows by the archive",
        "candles: 1,000 of 1,000 minutes are equal",
    ]
    gap = "suspected gap (mismatch): 1 minute differs: first at 00:00"
    assert days[2].splitlines()[-1] == gap
    assert days[3] == (
        "Sat 2024-05-04: missing\nopen gap (day): the archive has no file of this day"
    )


def test_the_page_escapes_what_is_foreign(read):
    ledger = Ledger("werks.db", "p")
    ledger.found([Gap(B, day(1), "ids", "<script>alert(1)</script>", missing=1)])
    ledger.close()
    werks("status", "p.toml", "--html", "s.html")
    text = Path("s.html").read_text()
    assert "<script" not in text
    assert text.count("&lt;script&gt;") == 2


def test_a_page_of_several_years_has_a_row_for_each(read):
    ledger = Ledger("werks.db", "p")
    ledger.found([Gap(A, date(2021, 12, 30) + timedelta(days=n), "day", "gone") for n in range(4)])
    ledger.close()
    werks("status", "p.toml", "--html", "s.html")
    text = Path("s.html").read_text()
    assert re.findall(r">(20\d\d)</text>", text) == ["2021", "2022", "2024", "2024"]


def test_a_page_that_cannot_be_written_is_told(read):
    _, err = werks("status", "p.toml", "--html", "no/s.html", code=1)
    assert err == "error: no/s.html: cannot be written: No such file or directory\n"
