"""Archive and REST as one stream: which door a day has, what is missing, and how it is repaired."""

import json
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest

from werks.cli.look import plan_file
from werks.components import Stream
from werks.errors import ConfigError
from werks.history import Pages, Span
from werks.http import Http
from werks.ledger import Ledger
from werks.pipeline import load, run, verify
from werks_sim import Exchange, OpenInterest, answers

from .conftest import read as rows_of

STREAM = Stream("sim", "BTCUSD", "sim.trades")
DAYS = [date(2024, 1, day) for day in (1, 2, 3, 4)]
NOW = datetime(2024, 2, 1, tzinfo=UTC)
TEXT = """
[pipeline]
name = "test"
state = "{root}/werks.db"
quarantine = "{root}/quarantine"
{settings}

[sources.trades]
type = "sim.trades"
symbols = ["BTCUSD"]
start = 2024-01-01
{stop}
trades_per_day = 3000
{source}

[transforms.ticks]
type = "aggregate"

[transforms.minutes]
type = "bars"
by = "time"
every = "1m"

[transforms.dollars]
type = "bars"
inputs = ["ticks"]
by = "notional"
every = 100000
{bars}

[sinks.files]
type = "feather"
inputs = ["trades", "ticks", "minutes", "dollars"]
path = "{root}/data"
"""


class Place:
    """A folder with a pipeline of the simulated exchange in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(exist_ok=True)

    def file(self, source: str = "", **given) -> Path:
        given = {"settings": "", "bars": "", "stop": "stop = 2024-01-05"} | given
        path = self.root / "p.toml"
        path.write_text(TEXT.format(root=self.root, source=source, **given), encoding="utf-8")
        return path

    def run(self, source: str = "", now: datetime = NOW, again=None, **given):
        return run(load(self.file(source, **given), now), now=now, again=again)

    def tree(self) -> dict[str, bytes]:
        data = self.root / "data"
        files = [p for p in data.rglob("*") if p.is_file() and p.parent.name != "_receipts"]
        return {str(p.relative_to(data)): p.read_bytes() for p in files}

    def table(self, node: str) -> pa.Table:
        return rows_of(self.root / "data" / node / "sim" / "BTCUSD")

    def ledger(self) -> Ledger:
        return Ledger(f"{self.root}/werks.db", "test")

    def windows(self) -> dict[date, object]:
        with closing(self.ledger()) as ledger:
            return {each.day: each for each in ledger.windows(STREAM)}

    def gaps(self, every: bool = False) -> list:
        with closing(self.ledger()) as ledger:
            return ledger.gaps(every)


def faulty(*faults: str, day: date = DAYS[1]) -> str:
    return f"faults = {json.dumps(faults)}\nfaulty_days = [{day}]"


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path / "one")


@pytest.fixture(scope="module")
def quiet(tmp_path_factory):
    """Return what an undisturbed run writes."""
    place = Place(tmp_path_factory.mktemp("quiet"))
    assert place.run().ok
    return place.tree()


class TestDoors:
    def test_rest_gives_the_same_files_as_the_archive(self, place, quiet):
        report = place.run('via = ["rest"]')
        assert report.ok
        assert place.tree() == quiet
        assert {each.door for each in place.windows().values()} == {"rest"}

    @pytest.mark.parametrize(
        ("fault", "reason"),
        [
            ("missing_day", "the archive has no file of this day"),
            ("mangled", "a spreadsheet has cut"),
            ("truncated", "cut off or corrupt"),
            ("checksum", "checksum"),
        ],
    )
    @pytest.mark.few(2)
    def test_a_day_that_the_archive_cannot_give_is_read_by_rest(self, place, quiet, fault, reason):
        report = place.run(faulty(fault))
        assert report.ok
        windows = place.windows()
        assert [windows[day].door for day in DAYS] == ["archive", "rest", "archive", "archive"]
        assert reason in windows[DAYS[1]].reason
        assert windows[DAYS[0]].reason == ""
        assert place.tree() == quiet
        assert place.gaps() == []

    def test_days_are_joined_by_their_ids(self, place):
        place.run(faulty("missing_day"))
        windows = place.windows()
        assert [windows[day].joined for day in DAYS] == ["", "ids", "ids", "ids"]
        for one, two in pairwise(DAYS):
            assert windows[two].least_id == windows[one].most_id + 1

    def test_rest_alone_goes_on_from_the_day_before(self, place, loopback):
        serve(loopback, Exchange(trades_per_day=3000))
        via = f'via = ["rest"]\nrest_url = "{loopback.url}"'
        place.run(via, stop="stop = 2024-01-03")
        first = loopback.asked("/trades")
        place.run(via, stop="stop = 2024-01-04")
        assert loopback.asked("/trades") - first <= 5
        starts = [each for each in loopback.requests if "start" in each.query]
        assert len(starts) == 1

    def test_what_is_not_published_yet_comes_by_rest_up_to_now(self, place):
        now = datetime(2024, 1, 3, 12, 30, tzinfo=UTC)
        report = place.run(now=now, stop="")
        assert report.ok
        windows = place.windows()
        assert list(windows) == DAYS[:3]
        assert (windows[DAYS[2]].door, windows[DAYS[2]].finished) == ("rest", False)
        assert windows[DAYS[2]].reason == "not published yet"
        last = place.table("trades")["timestamp"].cast(pa.int64()).to_pylist()[-1]
        assert last < now.timestamp() * 10**9

    def test_a_day_that_goes_on_is_replaced(self, place, quiet):
        for hour in (1, 12, 23):
            place.run(now=datetime(2024, 1, 4, hour, tzinfo=UTC), stop="")
        place.run()
        assert place.tree() == quiet

    @pytest.mark.parametrize("order", ["oldest", "newest"])
    def test_the_order_of_the_windows_changes_nothing(self, place, quiet, order):
        # Without rows carried over midnight, so that days may go in any order.
        place.run(settings=f'order = "{order}"', bars='reset = "day"')
        with closing(sqlite3.connect(place.root / "werks.db")) as db:
            days = [
                row[0]
                for row in db.execute("select day from werks_ledger_windows order by done_at")
            ]
        assert days == sorted(days, reverse=order == "newest")
        same = {name: data for name, data in place.tree().items() if "dollars" not in name}
        assert same == {name: data for name, data in quiet.items() if "dollars" not in name}

    def test_a_plan_names_the_doors(self, place, capsys):
        assert plan_file(place.file(faulty("missing_day")), (), as_json=True) == 0
        files = json.loads(capsys.readouterr().out)["files"]
        assert [each["door"] for each in files] == ["archive", "rest", "archive", "archive"]
        assert files[1]["reason"] == "the archive has no file of this day"
        source = 'via = ["rest"]'
        assert plan_file(place.file(source), (), as_json=True) == 0
        files = json.loads(capsys.readouterr().out)["files"]
        assert {each["door"] for each in files} == {"rest"}
        assert plan_file(place.file(source), (), as_json=False) == 0
        assert "by REST, all nodes" in capsys.readouterr().out


def serve(loopback, exchange: Exchange) -> None:
    for path, answer in answers(exchange).items():
        loopback.answer(path, answer)
    for path, body in exchange.published("BTCUSD", DAYS[0], DAYS[-1] + timedelta(days=1)):
        loopback.put(path, body)


class TestFaultsOfTheWay:
    @pytest.fixture
    def urls(self, loopback):
        serve(loopback, Exchange(trades_per_day=3000))
        return f'archive_url = "{loopback.url}"\nrest_url = "{loopback.url}"'

    @pytest.mark.parametrize("fault", ["fail", "cut", "retry"])
    @pytest.mark.few(1)
    def test_a_fault_of_rest_is_survived(self, place, quiet, loopback, urls, fault):
        if fault == "cut":
            loopback.cut("/trades", 200)
        else:
            status, after = (503, None) if fault == "fail" else (429, 0)
            loopback.fail("/trades", status, retry_after=after)
        assert place.run(f'{urls}\nvia = ["rest"]').ok
        assert place.tree() == quiet

    @pytest.mark.parametrize("body", [b"<html>busy</html>", b'{"rows": [{"id": 1, ', b"{}", b""])
    @pytest.mark.few(2)
    def test_a_page_that_cannot_be_read_is_named_and_kept_aside(self, place, loopback, urls, body):
        loopback.swap("/trades", body)
        report = place.run(f'{urls}\nvia = ["rest"]')
        ((where, error),) = report.errors
        assert where == "sim BTCUSD"
        assert "/trades" in str(error)
        (kept,) = (place.root / "quarantine").iterdir()
        assert kept.read_bytes().endswith(b"\n\n" + body)
        assert str(kept) in str(error)
        assert [gap.day for gap in place.gaps()] == DAYS[:1]
        assert place.run(f'{urls}\nvia = ["rest"]').ok
        assert place.gaps() == []

    @pytest.mark.parametrize("fault", ["order", "digits"])
    @pytest.mark.few(1)
    def test_a_page_that_cannot_be_true_is_named_and_kept_aside(self, place, loopback, urls, fault):
        query = {"symbol": "BTCUSD", "limit": "1000", "start": "1704067200000000"}
        _, body, _ = answers(Exchange(trades_per_day=3000))["/trades"](query)
        rows = json.loads(body)["rows"]
        if fault == "order":
            later = {"symbol": "BTCUSD", "limit": "1000", "after": rows[-1]["id"]}
            _, body, _ = answers(Exchange(trades_per_day=3000))["/trades"](later)
            rows = json.loads(body)["rows"] + rows[:10]
        else:
            rows[5]["price"] = "1.12345678901234567890"
        loopback.swap("/trades", json.dumps({"rows": rows}).encode())
        report = place.run(f'{urls}\nvia = ["rest"]')
        ((_, error),) = report.errors
        (kept,) = (place.root / "quarantine").iterdir()
        assert str(kept) in str(error)
        assert place.run(f'{urls}\nvia = ["rest"]').ok

    def test_an_exchange_that_is_away_is_asked_again_later(
        self, place, quiet, loopback, urls, monkeypatch
    ):
        pauses = []
        monkeypatch.setattr("werks.pipeline.walking.time.sleep", pauses.append)
        monkeypatch.setattr("werks.pipeline.walking._PAUSE", 0.001)
        loopback.fail("/trades", 503, times=2)
        report = place.run(f'{urls}\nvia = ["rest"]', settings="tries = 1\nrounds = 3")
        assert report.ok
        assert place.tree() == quiet

    def test_a_window_that_failed_for_good_is_a_gap_until_it_is_done(
        self, place, quiet, loopback, urls, monkeypatch
    ):
        monkeypatch.setattr("werks.pipeline.walking._PAUSE", 0.001)
        loopback.fail("/trades", 503, times=8)
        report = place.run(f'{urls}\nvia = ["rest"]', settings="tries = 1\nrounds = 2")
        assert len(report.errors) == 4
        assert [(gap.day, gap.kind, gap.status) for gap in place.gaps()] == [
            (day, "day", "open") for day in DAYS
        ]
        assert place.run(f'{urls}\nvia = ["rest"]').ok
        assert place.tree() == quiet
        assert {gap.status for gap in place.gaps(every=True)} == {"repaired"}

    def test_an_unknown_symbol_does_not_stop_the_others(self, place, loopback, urls):
        file = place.file(f'{urls}\nvia = ["rest"]')
        text = file.read_text().replace('["BTCUSD"]', '["NOSUCH", "BTCUSD"]')
        file.write_text(text)
        report = run(load(file, NOW), now=NOW)
        assert {where for where, _ in report.errors} == {"sim NOSUCH"}
        assert len(place.windows()) == 4


class TestIds:
    def test_ids_that_are_left_out_are_an_open_gap(self, place):
        place.run(faulty("hole"))
        (gap,) = place.gaps()
        assert (gap.day, gap.kind, gap.status, gap.missing) == (DAYS[1], "ids", "open", 29)
        assert gap.evidence == "ids 4423 to 4451"

    def test_ids_that_are_left_out_between_two_days_are_a_gap(self, place):
        place.run(f"lost_days = [{DAYS[1]}]")
        (gap,) = place.gaps()
        assert (gap.day, gap.kind, gap.missing) == (DAYS[2], "ids", 2934)
        assert gap.evidence == "ids 2956 to 5889 (after 2024-01-01)"

    @pytest.mark.parametrize(
        ("source", "last"), [(faulty("hole"), 4422), (f"lost_days = [{DAYS[1]}]", 2955)]
    )
    def test_no_bar_runs_across_trades_that_are_missing(self, place, source, last):
        place.run(source)
        bars = place.table("dollars").select(["first_trade_id", "last_trade_id", "complete"])
        ends = {int(each["last_trade_id"]): each["complete"] for each in bars.to_pylist()}
        assert ends[last] is False
        for each in bars.to_pylist():
            assert not int(each["first_trade_id"]) <= last < int(each["last_trade_id"])

    def test_repair_reads_by_rest_and_gives_the_files_of_a_quiet_run(self, place, quiet):
        place.run(faulty("hole"))
        assert place.tree() != quiet
        code, said = werks("repair", place.file(faulty("hole")))
        assert (code, said[-1]) == (0, "no gap is open")
        assert place.tree() == quiet
        (gap,) = place.gaps(every=True)
        assert gap.status == "repaired"
        assert place.windows()[DAYS[1]].door == "rest"
        assert place.run(faulty("hole")).done == 0

    @pytest.mark.long
    def test_what_rest_does_not_know_either_is_absent(self, place):
        place.run(f"lost_days = [{DAYS[1]}]")
        code, said = werks("repair", place.file(f"lost_days = [{DAYS[1]}]"))
        assert code == 0, said
        (gap,) = place.gaps(every=True)
        assert gap.status == "absent"

    @pytest.mark.long
    def test_what_cannot_be_repaired_is_said(self, place):
        source = faulty("hole") + '\nvia = ["archive"]'
        place.run(source)
        code, said = werks("repair", place.file(source))
        assert code == 1
        assert said == ["left: sim BTCUSD 2024-01-02: there is no other door to read it by"]

    @pytest.mark.long
    def test_a_file_that_is_repaired_by_its_publisher_is_read_again(self, place, loopback, quiet):
        serve(loopback, Exchange(trades_per_day=3000, lost_days=(DAYS[1],)))
        source = f'archive_url = "{loopback.url}"\nrest_url = "{loopback.url}"'
        place.run(source)
        serve(loopback, Exchange(trades_per_day=3000))
        code, said = werks("repair", place.file(source))
        assert (code, said[-1]) == (0, "no gap is open")
        assert place.tree() == quiet


def werks(*args: object) -> tuple[int, list[str]]:
    done = subprocess.run(
        [sys.executable, "-m", "werks", *map(str, args)],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout.strip().splitlines()


class TestVerification:
    def test_minutes_equal_the_candles_of_the_exchange(self, place):
        report = place.run("verify = true")
        assert report.streams[STREAM].verified == {True: 4}
        windows = place.windows()
        assert [windows[day].verified for day in DAYS] == [True] * 4
        minutes = len(place.table("minutes"))
        equal = [windows[day].verified_why.split(" of ")[0] for day in DAYS]
        assert sum(int(count.replace(",", "")) for count in equal) == minutes

    def test_minutes_that_differ_are_told_with_the_reason(self, place):
        place.run(f"verify = true\n{faulty('hole')}")
        windows = place.windows()
        assert [windows[day].verified for day in DAYS] == [True, False, True, True]
        with closing(place.ledger()) as ledger:
            ((key, found),) = ledger.differences().items()
        assert key == (STREAM, DAYS[1])
        assert len({each.minute for each in found}) == 7
        assert all(each.reason.startswith("missing: ") for each in found)
        kinds = {(gap.kind, gap.status) for gap in place.gaps()}
        assert kinds == {("ids", "open"), ("mismatch", "suspected")}

    @pytest.mark.long
    def test_a_repair_settles_the_mismatch_too(self, place, quiet):
        source = f"verify = true\n{faulty('hole')}"
        place.run(source)
        assert werks("repair", place.file(source))[0] == 0
        assert place.gaps() == []
        assert place.windows()[DAYS[1]].verified is True
        assert place.tree() == quiet

    def test_what_is_not_final_is_not_judged(self, place):
        now = datetime(2024, 1, 3, 12, tzinfo=UTC)
        place.run("verify = true", now=now, stop="")
        windows = place.windows()
        assert windows[DAYS[2]].verified is None
        assert "not final" in windows[DAYS[2]].verified_why
        assert windows[DAYS[1]].verified is True

    @pytest.mark.long
    def test_windows_read_without_it_are_verified_later(self, place):
        place.run()
        assert {each.verified for each in place.windows().values()} == {None}
        code, said = werks("verify", place.file())
        assert (code, said) == (0, ["4 windows: 4 equal"])
        assert {each.verified for each in place.windows().values()} == {True}

    def test_a_source_that_has_changed_is_not_judged(self, place):
        place.run(faulty("hole"))
        graph = load(place.file(), NOW)
        with closing(place.ledger()) as ledger, Http() as http:
            found = {each.day: each for each in verify(graph, ledger, http, NOW)}
        assert found[DAYS[1]].verified is None
        assert found[DAYS[1]].verified_why == "the source has 2,934 rows now, 2,905 were read"

    def test_candles_that_cannot_be_had_leave_it_unknown(self, place, loopback):
        serve(loopback, Exchange(trades_per_day=3000))
        loopback.fail("/candles", 503, times=100)
        source = f'verify = true\nrest_url = "{loopback.url}"'
        report = place.run(source, settings="tries = 1")
        assert report.ok
        assert report.streams[STREAM].verified == {None: 4}
        loopback.answer("/other", answers(Exchange())["/candles"])
        with closing(place.ledger()) as ledger:
            assert len(list(ledger.minutes())) == 4


class TestOtherRows:
    @pytest.mark.long
    def test_differences_are_a_source_of_their_own(self, place):
        source = f"verify = true\n{faulty('hole')}"
        path = place.file(source)
        path.write_text(
            path.read_text()
            + f"""
[sources.differences]
type = "checks"
exchange = "sim"
component = "sim.trades"
state = "{place.root}/werks.db"
pipeline = "test"
symbols = ["BTCUSD"]
start = 2024-01-01
stop = 2024-01-05

[sinks.more]
type = "feather"
inputs = ["differences"]
path = "{place.root}/data"
"""
        )
        assert run(load(path, NOW), now=NOW).ok
        rows = place.table("differences")
        with closing(place.ledger()) as ledger:
            ((_, found),) = ledger.differences().items()
        assert rows["field"].to_pylist() == [each.field for each in found]
        assert rows["theirs"].to_pylist() == [each.theirs for each in found]
        assert werks("repair", path)[0] == 0
        assert not [name for name in place.tree() if "differences" in name]

    def test_candles_interest_and_instruments_are_ordinary_sources(self, place):
        path = place.root / "other.toml"
        nodes = {"candles": '"1m"', "open_interest": None, "instruments": None}
        text = f'[pipeline]\nname = "test"\nstate = "{place.root}/werks.db"\n'
        for name, interval in nodes.items():
            text += f'[sources.{name}]\ntype = "sim.{name}"\n'
            if name != "instruments":
                text += 'symbols = ["BTCUSD"]\nstart = 2024-01-01\nstop = 2024-01-03\n'
                text += "trades_per_day = 3000\n"
            text += f"interval = {interval}\n" if interval else ""
        text += (
            f'[sinks.files]\ntype = "feather"\ninputs = {json.dumps(list(nodes))}\n'
            f'path = "{place.root}/data"\n'
        )
        path.write_text(text)
        report = run(load(path, NOW), now=NOW)
        assert (report.errors, report.missing) == ([], {})
        place.run(stop="stop = 2024-01-03", source='archive_url = ""')
        minutes, candles = place.table("minutes"), place.table("candles")
        for ours, theirs in (("timestamp", "timestamp"), ("close", "close"), ("ticks", "trades")):
            assert minutes[ours].to_pylist() == candles[theirs].to_pylist()
        assert len(place.table("open_interest")) == 2 * 288
        listed = [rows_of(each) for each in sorted((place.root / "data/instruments/sim").iterdir())]
        assert [each["symbol"].to_pylist()[0] for each in listed] == ["BTCUSD", "DOGEUSD", "ETHUSD"]
        assert run(load(path, NOW), now=NOW + timedelta(hours=1)).done == 3

    def test_a_pattern_stands_for_the_instruments_that_look_so(self, place):
        path = place.file(stop="stop = 2024-01-02")
        path.write_text(path.read_text().replace('["BTCUSD"]', '["*CUSD", "E?HUSD"]'))
        report = run(load(path, NOW), now=NOW)
        assert {stream.symbol for stream in report.streams} == {"BTCUSD", "ETHUSD"}
        path.write_text(path.read_text().replace('"E?HUSD"', '"X*"'))
        (error,) = run(load(path, NOW), now=NOW).errors
        assert str(error[1]) == "sim: no instrument looks like 'X*'"


class TestLease:
    def test_a_window_of_another_run_is_left_alone(self, place):
        place.run(stop="stop = 2024-01-02")
        with closing(place.ledger()) as ledger:
            # A process of another machine: this one cannot tell whether it lives.
            assert ledger.lease(STREAM, DAYS[1], "elsewhere:1:x", 3600) is None
        report = place.run()
        assert set(place.windows()) == {DAYS[0]}
        reasons = set(report.waiting.values())
        assert any("another run is at it: elsewhere:1:x" in reason for reason in reasons)

    def test_a_window_of_a_run_that_died_here_is_taken(self, place, quiet):
        done = subprocess.run(
            [sys.executable, "-c", "import os; print(os.getpid())"],
            capture_output=True,
            text=True,
            check=True,
        )
        place.run(stop="stop = 2024-01-02")
        with closing(place.ledger()) as ledger:
            owner = f"{socket.gethostname()}:{done.stdout.strip()}:x"
            assert ledger.lease(STREAM, DAYS[1], owner, 3600) is None
        assert place.run().ok
        assert place.tree() == quiet

    @pytest.mark.long
    def test_two_runs_at_once_do_each_window_once(self, place, quiet):
        file = place.file()
        command = [sys.executable, "-m", "werks", "run", str(file), "--json"]
        both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        done = 0
        for each in both:
            out, _ = each.communicate(timeout=100)
            done += json.loads(out)["windows"]["done"]
        place.run()
        assert place.tree() == quiet
        assert 1 <= done <= 4


class TestEvents:
    def test_the_log_tells_of_gaps_repairs_and_mismatches(self, place):
        log = f'[observers.log]\ntype = "log"\npath = "{place.root}/log.jsonl"\n'

        def told(source: str, again=None) -> list[tuple[str, str]]:
            path = place.file(source)
            path.write_text(path.read_text() + log)
            run(load(path, NOW), now=NOW, again=again)
            lines = (place.root / "log.jsonl").read_text().splitlines()
            (place.root / "log.jsonl").unlink()
            found = [json.loads(line) for line in lines]
            return [
                (each["event"], each["window"])
                for each in found
                if each["event"] not in ("run_started", "run_ended", "window_done")
            ]

        second = "2024-01-02"
        spoilt = f"verify = true\n{faulty('hole')}"
        assert told(spoilt) == [("gap_found", second), ("mismatch_found", second)]
        assert told(spoilt, {(STREAM, DAYS[1]): "rest"}) == [("gap_repaired", second)]


class TestBeside:
    SOURCE = """
[sources.interest]
type = "sim.open_interest"
symbols = ["BTCUSD"]
start = 2024-01-01
stop = 2024-01-05
trades_per_day = 3000
"""

    def file(self, place, bars: str) -> Path:
        path = place.file(bars=bars)
        text = path.read_text().replace("[transforms.ticks]", f"{self.SOURCE}\n[transforms.ticks]")
        text = text.replace('type = "aggregate"', 'type = "aggregate"\ninputs = ["trades"]')
        path.write_text(text)
        return path

    def test_each_bar_has_the_last_open_interest_known_at_its_end(self, place):
        path = self.file(place, 'with = ["interest"]')
        assert run(load(path, NOW), now=NOW).ok
        bars = place.table("dollars")
        assert bars.schema.names[-2:] == ["open_interest", "open_interest_notional"]
        interest = interest_of(DAYS[0], DAYS[-1])
        for end, value in zip(
            bars["end"].cast(pa.int64()).to_pylist(), bars["open_interest"].to_pylist(), strict=True
        ):
            known = [size for time, size in interest if time <= end]
            assert value == (known[-1] if known else None)
        assert bars["open_interest"].null_count < len(bars) / 100

    def test_it_is_the_same_however_the_days_are_run(self, place, tmp_path):
        other = Place(tmp_path / "two")
        run(load(self.file(place, 'with = ["interest"]'), NOW), now=NOW)
        for stop in (2, 3, 5):
            path = self.file(other, 'with = ["interest"]')
            head, tail = path.read_text().split("stop = 2024-01-05", 1)
            path.write_text(f"{head}stop = 2024-01-{stop:02}{tail}")
            run(load(path, NOW), now=NOW)
        assert other.tree() == place.tree()

    @pytest.mark.parametrize(
        ("bars", "said"),
        [
            ('with = ["trades"]', "takes OPEN_INTEREST, FUNDING and not TRADE"),
            ('with = ["nothing"]', '"nothing" is no source that is read by REST'),
            ('with = "interest"', "a list of names of sources is expected"),
            ('with = ["interest", "interest"]', "a list of names of sources is expected"),
        ],
    )
    def test_what_cannot_stand_beside_a_bar_is_told(self, place, bars, said):
        with pytest.raises(ConfigError) as caught:
            load(self.file(place, bars), NOW)
        assert any(f"transforms.dollars.with: {said}" in line for line in caught.value.problems)


def interest_of(first: date, last: date) -> list:
    door = OpenInterest(trades_per_day=3000)
    begin, end = (
        int(datetime(d.year, d.month, d.day, tzinfo=UTC).timestamp()) * 10**9
        for d in (first, last + timedelta(days=1))
    )
    with Http() as http:
        pages = list(Pages(door, http, Span("BTCUSD", begin, end), "interest"))
    rows = pa.Table.from_batches(pages)
    times = rows["timestamp"].cast(pa.int64()).to_pylist()
    return list(zip(times, rows["open_interest"].to_pylist(), strict=True))
