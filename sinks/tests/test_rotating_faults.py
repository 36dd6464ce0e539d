"""What a kill, a torn line or a full disk leaves, and that the next run mends it."""

import json
import os
import random
import signal
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import attrs
import pytest

from werks.errors import SinkError
from werks_sinks.csv import Csv

# Runs into each sink are killed in `make test` as well: tests/test_kill_sinks.py.
pytestmark = pytest.mark.long

CHILD = Path(__file__).with_name("growing_child.py")
_spec = spec_from_file_location("growing_child", CHILD)
child = module_from_spec(_spec)
_spec.loader.exec_module(child)

WAYS = ("history", "live")
COMMON = ("begun", "rows", "torn", "noted")
STEPS = {"": (*COMMON, "renaming", "renamed"), "gz": (*COMMON, "packing", "packed", "published")}


def contents(folder):
    return {p.name: p.read_bytes() for p in folder.rglob("*.csv*") if p.is_file()}


def start(way, path, packing="gz", step="never", time=0, known=None):
    words = [way, str(path), packing, step, str(time), json.dumps(known)]
    pipe = subprocess.PIPE
    # Without a buffer, in which marks would be lost that were read ahead.
    return subprocess.Popen(
        [sys.executable, str(CHILD), *words], bufsize=0, stdout=pipe, stderr=pipe
    )


def last_mark(out, known=None):
    marks = out.splitlines()
    return json.loads(marks[-1]) if marks else known


def finished(way, path, packing, known):
    again = start(way, path, packing, known=known)
    _, said = again.communicate(timeout=60)
    assert again.returncode == 0, said.decode()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Return what an undisturbed run makes."""
    made = {}

    def _undisturbed(way, packing):
        if (way, packing) not in made:
            path = tmp_path_factory.mktemp("undisturbed")
            finished(way, path, packing, None)
            made[way, packing] = contents(path)
        return made[way, packing]

    return _undisturbed


def require_whole(path, way, packing, expected):
    """All rows are there once, in the same files of the same bytes, and nothing else is."""
    assert contents(path) == expected
    assert not [p for p in path.rglob("*") if p.suffix == ".tmp"]
    sink = Csv(path=path, rotate="2 KB", compression=packing)
    found = list(sink.proofs("node"))
    assert found == [
        (child.window(n), child.proofs(child.rows(n))["node"]) for n in range(child.DAYS)
    ]
    for window, _ in found:
        stored = [row for each in sink.read(window, "node", child.OF) for row in each.to_pylist()]
        assert len(stored) == child.ROWS


def test_live_and_history_are_the_same(undisturbed):
    for packing in STEPS:
        assert undisturbed("live", packing) == undisturbed("history", packing)
        assert len(undisturbed("live", packing)) > 4


def require_mended(way, path, packing, step, time, expected):
    killed = start(way, path, packing, step, time)
    out, said = killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL, said.decode()
    finished(way, path, packing, last_mark(out))
    require_whole(path, way, packing, expected)


each_step = pytest.mark.parametrize(
    ("packing", "step"),
    [
        pytest.param(packing, step, marks=[] if packing else [pytest.mark.long])
        for packing in STEPS
        for step in STEPS[packing]
    ],
)


@each_step
def test_a_kill_at_each_step_is_mended(packing, step, tmp_path, undisturbed):
    require_mended("live", tmp_path, packing, step, 1, undisturbed("live", packing))


@pytest.mark.long
@each_step
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("time", [0, 2])
def test_a_kill_at_each_step_now_or_later(way, packing, step, time, tmp_path, undisturbed):
    require_mended(way, tmp_path, packing, step, time, undisturbed(way, packing))


@pytest.mark.long
@pytest.mark.parametrize("way", WAYS)
def test_a_kill_at_each_step_again_and_again_is_mended(way, tmp_path, undisturbed):
    known = None
    for step in [*STEPS["gz"], *reversed(STEPS["gz"])]:
        killed = start(way, tmp_path, "gz", step, 0, known)
        out, said = killed.communicate(timeout=60)
        assert killed.returncode in (0, -signal.SIGKILL), said.decode()
        known = last_mark(out, known)
    finished(way, tmp_path, "gz", known)
    require_whole(tmp_path, way, "gz", undisturbed(way, "gz"))


def kill_at_random(way, path, times):
    """Kill a run soon after some mark; return the last one."""
    known = None
    for _ in range(times):
        running = start(way, path, "gz", known=known)
        wanted, seen = random.randrange(6), []
        for line in running.stdout:
            seen.append(line)
            if len(seen) > wanted:
                break
        os.kill(running.pid, signal.SIGKILL)
        rest, _ = running.communicate(timeout=60)
        known = last_mark(b"".join(seen) + rest, known)
    return known


@pytest.mark.parametrize("way", ["live", pytest.param("history", marks=pytest.mark.long)])
def test_kills_at_random_moments_are_mended(way, tmp_path, undisturbed):
    finished(way, tmp_path, "gz", kill_at_random(way, tmp_path, 5))
    require_whole(tmp_path, way, "gz", undisturbed(way, "gz"))


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("number", range(20))
def test_many_kills_at_random_moments_are_mended(way, number, tmp_path, undisturbed):
    finished(way, tmp_path, "gz", kill_at_random(way, tmp_path, 5))
    require_whole(tmp_path, way, "gz", undisturbed(way, "gz"))


@pytest.fixture
def sink(tmp_path):
    return Csv(path=tmp_path / "data", rotate="2 KB")


@pytest.fixture
def journal(sink):
    return sink.path / "node" / "bazaar" / "XBTUSD" / "_growing" / "journal.jsonl"


def commit(sink, number):
    writer, given = sink.open({"node": child.OF}), child.rows(number)
    try:
        writer.write(child.window(number), "node", given)
        return writer.commit(child.window(number), child.proofs(given))
    except SinkError:
        writer.abort()
        raise
    finally:
        writer.close()


def test_a_torn_line_is_none(sink, journal):
    sink = attrs.evolve(sink, rotate="1 GB")
    receipts = [commit(sink, 0), commit(sink, 1)]
    text = journal.read_bytes()
    journal.write_bytes(text[:-20])
    assert sink.holds(child.window(0), "node", receipts[0])
    assert not sink.holds(child.window(1), "node", receipts[1])
    assert commit(sink, 1) == receipts[1]
    assert journal.read_bytes() == text


def test_a_damaged_line_is_named(sink, journal):
    commit(sink, 0)
    journal.write_bytes(journal.read_bytes().replace(b'"rows":40', b'"rows"!40') + b"{}\n")
    with pytest.raises(SinkError, match=r"journal\.jsonl: line 2 is damaged: .*; move .*XBTUSD"):
        commit(sink, 1)
    with pytest.raises(SinkError, match="line 2 is damaged"):
        list(sink.proofs("node"))


def test_a_journal_of_a_later_version_is_left_alone(sink, journal):
    commit(sink, 0)
    journal.write_bytes(journal.read_bytes().replace(b'"werks":1', b'"werks":9'))
    with pytest.raises(SinkError, match="is of version 9, this werks writes version 1"):
        commit(sink, 1)


def test_a_full_disk_leaves_what_was_there(small_disk):
    sink = Csv(path=small_disk / "data", rotate="100 KB")
    receipts = [commit(sink, number) for number in range(3)]
    before = contents(sink.path)
    filler = small_disk / "filler"
    with pytest.raises(SinkError, match="the disk is full; make room and run again"):
        fill(filler, sink)
    assert all(sink.holds(child.window(n), "node", each) for n, each in enumerate(receipts))
    filler.unlink()
    commit(sink, 3)
    after = contents(sink.path)
    assert [name for name in before if not after[name].startswith(before[name])] == []
    assert len([row for batch in sink.read(child.window(3), "node", child.OF) for row in batch]) > 0


def fill(filler, sink):
    """Leave a few bytes on the disk, then write a window."""
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12):
            try:
                while file.write(b"\0" * size) == size:
                    pass
            except OSError:
                continue
    commit(sink, 3)


def test_rows_in_published_files_that_the_ledger_lost_are_told(sink, caplog):
    """What is published stays; the rows that come instead are in files of their own."""
    receipt = commit(sink, 0)
    commit(sink, 1)
    writer = sink.open({"node": child.OF})
    writer.resume(child.window(0), {})
    assert "rows of 2024-05-01 that the ledger does not know of are in published" in caplog.text
    writer.write(child.window(0), "node", child.rows(0))
    again = writer.finish(child.window(0), child.proofs(child.rows(0)))
    writer.close()
    assert (receipt["node"]["again"], again["node"]["again"]) == (0, 1)
    assert sink.holds(child.window(0), "node", again)
    assert sum(map(len, sink.read(child.window(0), "node", child.OF))) == child.ROWS


def test_a_ledger_that_knows_more_than_is_there_is_told(sink):
    writer = sink.open({"node": child.OF})
    with pytest.raises(SinkError, match="2024-05-01 has 0 bytes of rows where the ledger knows"):
        writer.resume(child.window(0), {"node": {"rows": 3, "bytes": 99}})
    writer.close()


def test_after_an_error_the_last_rows_are_not_published(sink):
    """A finish whose mark was not made is taken back and done again."""
    writer, given = sink.open({"node": child.OF}), child.rows(0)
    writer.write(child.window(0), "node", given.slice(0, 30))
    receipt = writer.append(child.window(0), ["node"])
    writer.write(child.window(0), "node", given.slice(30))
    writer.finish(child.window(0), child.proofs(given))
    whole = contents(sink.path)
    writer.abort()
    writer.close()
    writer = sink.open({"node": child.OF})
    writer.resume(child.window(0), receipt)
    assert sum(map(len, sink.read(child.window(0), "node", child.OF))) == 30
    writer.write(child.window(0), "node", given.slice(30))
    writer.finish(child.window(0), child.proofs(given))
    assert contents(sink.path) == whole
    writer.close()
