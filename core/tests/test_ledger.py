"""The ledger gives back what was recorded, all of a window or nothing, and keeps no secret."""

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import date
from threading import Barrier, Timer

import attrs
import pytest

from werks.components import Stream
from werks.errors import ConfigError, WerksError
from werks.ledger import VERSION, Commit, Difference, Gap, Ledger, WindowRecord

STREAM = Stream("bazaar", "BTC/USD:币", "bazaar.trades")
OTHERS = [attrs.evolve(STREAM, **{name: "x"}) for name in ("exchange", "symbol", "component")]
ONE, TWO = date(2024, 5, 1), date(2024, 5, 2)
COMMIT = Commit("a" * 64, "", 1714608000000000000, {"ticks": {"rows": 7, "path": "x", "sum": None}})


def window(stream: Stream = STREAM, day: date = ONE, **given) -> WindowRecord:
    record = WindowRecord(
        stream=stream,
        day=day,
        door="archive",
        url="http://x/day.csv.gz",
        until=1714608000000000000,
        finished=True,
        rows=93_598,
        repeats=0,
        holes=None,
        size="111415.49185099",
        notional="123456789012345678901234567890.12345678",
        first_id="a",
        last_id=None,
    )
    return attrs.evolve(record, **given)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "werks.db"


@pytest.fixture
def ledger(path):
    ledger = Ledger(str(path), "test")
    yield ledger
    ledger.close()


@pytest.fixture
def reopened(path):
    """Return a function that opens the ledger anew."""
    opened = []

    def again(pipeline: str = "test") -> Ledger:
        opened.append(Ledger(str(path), pipeline))
        return opened[-1]

    yield again
    for each in opened:
        each.close()


def test_a_new_ledger_is_empty(ledger):
    assert (ledger.windows(), ledger.commits(), ledger.marks(ONE), ledger.gaps()) == (
        [],
        {},
        {},
        [],
    )


def test_a_window_comes_back_as_it_was_recorded(ledger, reopened):
    state = {"carry": ["1.10", None, True], "deep": {"ö": 2**60}}
    commits = {("ticks", "files"): COMMIT, ("bars", "files"): attrs.evolve(COMMIT, began="b" * 64)}
    ledger.done(window(), commits, {"bars": ("c" * 64, state)})
    for each in (ledger, reopened()):
        assert each.windows() == [window()]
        expected = {(STREAM, node, ONE, sink): commit for (node, sink), commit in commits.items()}
        assert each.commits() == expected
        assert each.marks(ONE) == {(STREAM, "bars"): ("c" * 64, state)}
        assert each.marks(TWO) == {}


def test_a_window_that_is_recorded_again_replaces_the_first(ledger):
    ledger.done(window(), {("ticks", "files"): COMMIT}, {"bars": ("old", {"n": 1})})
    more = attrs.evolve(COMMIT, until=5, receipt={})
    again = window(rows=5, repeats=2, holes=3, finished=False)
    ledger.done(again, {("ticks", "files"): more}, {"bars": ("new", {"n": 2})})
    assert ledger.windows() == [again]
    assert ledger.commits() == {(STREAM, "ticks", ONE, "files"): more}
    assert ledger.marks(ONE) == {(STREAM, "bars"): ("new", {"n": 2})}


def test_what_is_not_named_again_stays(ledger):
    commits = {("ticks", "files"): COMMIT, ("ticks", "table"): COMMIT, ("bars", "files"): COMMIT}
    ledger.done(window(), commits, {"bars": ("f", {}), "more": ("g", {})})
    changed = attrs.evolve(COMMIT, fingerprint="other")
    ledger.done(window(), {("bars", "files"): changed}, {"bars": ("h", {})})
    found = {key[1::2]: commit.fingerprint for key, commit in ledger.commits().items()}
    assert found == {
        ("ticks", "files"): COMMIT.fingerprint,
        ("ticks", "table"): COMMIT.fingerprint,
        ("bars", "files"): "other",
    }
    assert {node: mark[0] for (_, node), mark in ledger.marks(ONE).items()} == {
        "bars": "h",
        "more": "g",
    }


def test_streams_days_and_pipelines_are_kept_apart(ledger, reopened):
    places = [(STREAM, ONE), (STREAM, TWO), *((other, ONE) for other in OTHERS)]
    for rows, (stream, day) in enumerate(places):
        ledger.done(window(stream, day, rows=rows), {("n", "s"): COMMIT}, {"n": ("f", {"n": rows})})
    reopened("another").done(window(rows=99), {}, {})
    found = {(each.stream, each.day): each.rows for each in ledger.windows()}
    assert found == {place: rows for rows, place in enumerate(places)}
    assert {key[0::2] for key in ledger.commits()} == set(places)
    assert ledger.marks(TWO) == {(STREAM, "n"): ("f", {"n": 1})}
    assert len(ledger.marks(ONE)) == 4
    assert [each.rows for each in reopened("another").windows()] == [99]


def test_windows_come_in_order(ledger):
    for day in (3, 1, 2):
        for symbol in "BA":
            stream = attrs.evolve(STREAM, symbol=symbol)
            ledger.done(window(stream, date(2024, 5, day)), {}, {})
    found = [(each.stream.symbol, each.day.day) for each in ledger.windows()]
    assert found == [("A", 1), ("A", 2), ("A", 3), ("B", 1), ("B", 2), ("B", 3)]


def gap(stream: Stream = STREAM, day: date = ONE, cause: str = "cause", **given) -> Gap:
    return Gap(stream, day, "day", cause, **given)


def causes(ledger: Ledger) -> dict:
    return {(each.stream, each.day): each.cause for each in ledger.gaps()}


def test_a_gap_is_closed_by_its_window(ledger):
    first = gap(cause="never published"), gap(day=TWO, cause="first cause")
    assert ledger.found(first) == list(first)
    assert ledger.found([gap(day=TWO, cause="another cause")]) == []
    ledger.found([gap(OTHERS[0], cause="its own")])
    assert causes(ledger) == {
        (STREAM, ONE): "never published",
        (STREAM, TWO): "another cause",
        (OTHERS[0], ONE): "its own",
    }
    ledger.done(window(), {}, {})
    assert set(causes(ledger)) == {(STREAM, TWO), (OTHERS[0], ONE)}
    status = {(each.stream, each.day): each.status for each in ledger.gaps(every=True)}
    assert status[STREAM, ONE] == "repaired"


def test_attempts_at_a_gap_are_counted_until_it_is_closed(ledger):
    for _ in range(3):
        ledger.found([gap()])
    assert [each.attempts for each in ledger.gaps()] == [3]
    assert ledger.settle(STREAM, ONE, "day", "absent")
    assert not ledger.settle(STREAM, ONE, "day", "absent")
    assert ledger.found([gap()]) == [gap()]
    assert [each.attempts for each in ledger.gaps()] == [1]


def test_gaps_of_two_kinds_stand_side_by_side(ledger):
    ids = attrs.evolve(gap(), kind="ids", missing=5, evidence="ids 3 to 7", status="suspected")
    ledger.found([gap(), ids])
    ledger.done(window(), {}, {})
    assert ledger.gaps() == [ids]


def test_what_was_checked_stands_in_the_window(ledger):
    rows = [Difference(60 * 10**9, "open", "1", "2", "late trade"), Difference(0, "high", "1", "2")]
    ledger.done(window(), {}, {}, minutes=b"minutes")
    assert list(ledger.minutes()) == [(STREAM, ONE, b"minutes")]
    ledger.checked(STREAM, ONE, None, "not final", [])
    assert list(ledger.minutes()) == [(STREAM, ONE, b"minutes")]
    ledger.checked(STREAM, ONE, False, "2 differ", rows)
    assert list(ledger.minutes()) == []
    assert ledger.differences() == {(STREAM, ONE): rows[::-1]}
    (found,) = ledger.windows()
    assert (found.verified, found.verified_why) == (False, "2 differ")
    ledger.done(window(), {}, {}, minutes=b"other")
    assert (ledger.differences(), ledger.windows()) == ({}, [window()])


def test_a_window_is_leased_to_one_owner_at_a_time(ledger, reopened):
    other = reopened()
    assert ledger.lease(STREAM, ONE, "one", 60) is None
    assert ledger.lease(STREAM, ONE, "one", 60) is None
    assert other.lease(STREAM, ONE, "two", 60) == "one"
    assert other.lease(STREAM, TWO, "two", 60) is None
    ledger.release("one")
    assert other.lease(STREAM, ONE, "two", 60) is None


def test_a_lease_that_has_run_out_may_be_taken(ledger):
    assert ledger.lease(STREAM, ONE, "one", -1) is None
    assert ledger.lease(STREAM, ONE, "two", 60) is None


def test_a_window_is_recorded_whole_or_not_at_all(ledger):
    ledger.found([gap()])
    broken = attrs.evolve(COMMIT, receipt={"path": object()})
    with pytest.raises(TypeError):
        ledger.done(window(), {("a", "s"): COMMIT, ("b", "s"): broken}, {})
    assert (ledger.windows(), ledger.commits()) == ([], {})
    assert causes(ledger) == {(STREAM, ONE): "cause"}


def test_sums_are_kept_as_text(ledger, path):
    ledger.done(window(), {}, {})
    with closing(sqlite3.connect(path)) as db:
        (kept,) = db.execute("select notional from werks_ledger_windows").fetchone()
    assert kept == "123456789012345678901234567890.12345678"


def test_a_ledger_of_another_version_is_refused(path):
    Ledger(str(path), "test").close()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("update werks_ledger set version = version + 1")
    with pytest.raises(WerksError) as raised:
        Ledger(str(path), "test")
    assert str(raised.value) == (
        f"{path}: the ledger has version {VERSION + 1}, this werks writes {VERSION}:"
        " name another one as state"
    )


def test_the_folder_of_a_ledger_is_made(tmp_path):
    path = tmp_path / "a" / "b" / "werks.db"
    Ledger(str(path), "test").close()
    assert path.is_file()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("folder", "the ledger cannot be opened: unable to open database file"),
        ("text", "the ledger cannot be opened: file is not a database"),
        ("text/werks.db", "the ledger cannot be there: .*; name another path as state"),
        ("cut", "the ledger cannot be opened: database disk image is malformed"),
    ],
)
def test_a_place_that_is_no_ledger_is_named(tmp_path, name, said):
    (tmp_path / "folder").mkdir()
    (tmp_path / "text").write_text("no database" * 1000)
    Ledger(str(tmp_path / "cut"), "test").close()
    (tmp_path / "cut").write_bytes((tmp_path / "cut").read_bytes()[:5000])
    with pytest.raises(WerksError, match=rf"^{tmp_path / name}: {said}$"):
        Ledger(str(tmp_path / name), "test")


def test_a_receipt_that_was_altered_is_told(path):
    with closing(Ledger(str(path), "test")) as ledger:
        ledger.done(window(), {("ticks", "files"): COMMIT}, {})
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("update werks_ledger_commits set receipt = 'cut {'")
        said = "the ledger cannot be read: somebody has altered it: .*; name another one as state"
        with pytest.raises(WerksError, match=rf"^{path}: {said}$"):
            ledger.commits()


def test_tables_of_somebody_else_are_told(path):
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("create table werks_ledger_windows (a integer)")
    with closing(Ledger(str(path), "test")) as ledger:
        with pytest.raises(WerksError, match=rf"^{path}: the ledger cannot be read: no such"):
            ledger.windows()
        with pytest.raises(WerksError, match=rf"^{path}: the ledger cannot be written: "):
            ledger.done(window(), {}, {})


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nosuch://u:hunter2@h/db", "there is no kind of database 'nosuch'"),
        ("oracle+cx_oracle://u:hunter2@h/db", "the driver of this database is not installed: .*"),
        ("://h", "Could not parse SQLAlchemy URL .*"),
    ],
)
def test_a_url_that_leads_nowhere_is_told_without_its_password(url, said):
    with pytest.raises(ConfigError, match=f"^pipeline.state: {said}$") as raised:
        Ledger(url, "test")
    assert "hunter2" not in str(raised.value)


def test_a_database_url_is_a_ledger_too(tmp_path):
    url = f"sqlite:///{tmp_path}/werks.db"
    with closing(Ledger(url, "test")) as ledger:
        ledger.done(window(), {}, {})
        assert ledger.windows() == [window()]
    (tmp_path / "bad").write_text("no database" * 1000)
    with pytest.raises(WerksError, match=r"^sqlite:///.*/bad: the ledger cannot be opened: "):
        Ledger(f"sqlite:///{tmp_path}/bad", "test")


FILL = """
import resource, signal, sys
from datetime import date
from threading import Barrier, Timer
from werks.components import Stream
from werks.errors import WerksError
from werks.ledger import Gap, Ledger
ledger = Ledger(sys.argv[1], "test")
ledger.found([Gap(Stream("a", "b", "c"), date(2024, 5, 1), "day", "kept")])
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
try:
    for day in range(1, 29):
        ledger.found([Gap(Stream("a", "b", "c"), date(2024, 6, day), "day", "x" * 50_000)])
except WerksError as error:
    sys.exit(str(error))
"""


def test_a_disk_that_is_full_is_named_and_the_ledger_stays_whole(path, reopened):
    done = subprocess.run(
        [sys.executable, "-c", FILL, str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"{path}: the ledger cannot be written: ")
    assert done.stderr.count("\n") == 1

    assert (Stream("a", "b", "c"), date(2024, 5, 1)) in causes(reopened())


def test_runs_that_begin_at_once_make_one_ledger(tmp_path):
    path, ready = str(tmp_path / "werks.db"), Barrier(6)

    def opened(name):
        ready.wait()
        Ledger(path, name).close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(opened, "abcdef"))
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM werks_ledger").fetchone() == (1,)


def test_a_ledger_that_another_run_is_just_making_is_waited_for(tmp_path):
    path = tmp_path / "werks.db"
    with closing(sqlite3.connect(path, check_same_thread=False, isolation_level=None)) as other:
        other.execute("CREATE TABLE its (n)")
        other.execute("BEGIN IMMEDIATE")  # SQLite refuses WAL at once now
        other.execute("INSERT INTO its VALUES (1)")
        later = Timer(0.3, lambda: other.execute("COMMIT"))
        later.start()
        Ledger(str(path), "p").close()
        later.join()
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
