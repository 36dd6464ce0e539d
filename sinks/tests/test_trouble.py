import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from importlib import import_module

import pyarrow as pa
import pytest

from werks.errors import SinkError
from werks.testing.sink import DAY, REMAINDER, SCHEMAS, no_rows, prove, sample

KINDS = ("csv", "feather", "parquet", "sqlite")


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def made(kind, path):
    return import_module(f"werks_sinks.{kind}").werks_sinks()[kind](path=path)


def write(sink, window, *batches):
    writer = sink.open(SCHEMAS)
    try:
        for rows in batches:
            writer.write(window, "trades", rows)
        return writer.commit(window, {"trades": prove("trades", *batches)})
    finally:
        writer.close()


def files(folder):
    return sorted(p.name for p in folder.rglob("*") if p.is_file())


def noise(rows):
    """Rows whose ids no compression makes smaller."""
    given = pa.concat_batches([sample("trades", rows=1000)] * (rows // 1000))
    ids = pa.array([os.urandom(128).hex() for _ in range(rows)])
    return given.set_column(4, given.schema.field(4), ids)


@pytest.mark.few(2)
def test_a_full_disk_is_named_and_what_was_committed_stays(kind, small_disk):
    sink = made(kind, small_disk / "data")
    receipt = write(sink, DAY, sample("trades"))
    before = files(small_disk)
    with pytest.raises(SinkError, match=f"{small_disk}.* (full|room)"):
        write(sink, REMAINDER, noise(40_000))
    assert files(small_disk) == before
    assert sink.holds(DAY, "trades", receipt)
    assert not sink.holds(REMAINDER, "trades", receipt)
    assert sink.holds(DAY, "trades", write(sink, DAY, sample("trades", rows=7)))


def test_a_full_disk_at_the_commit_leaves_the_writer_usable(kind, small_disk):
    sink = made(kind, small_disk / "data")
    writer = sink.open(SCHEMAS)
    given = noise(12_000)
    writer.write(DAY, "trades", given)
    with pytest.raises(SinkError, match=r"full|room"):
        writer.commit(DAY, {"trades": prove("trades", given)})
    writer.abort()
    writer.write(DAY, "trades", sample("trades"))
    receipt = writer.commit(DAY, {"trades": prove("trades", sample("trades"))})
    assert sink.holds(DAY, "trades", receipt)
    writer.close()


def test_after_an_error_nothing_is_committed_before_an_abort(kind, small_disk):
    """Rows may be missing then, and a commit without them would empty the window."""
    sink = made(kind, small_disk / "data")
    receipt = write(sink, DAY, sample("trades"))
    writer = sink.open(SCHEMAS)
    given = noise(12_000)
    writer.write(DAY, "trades", given)
    with pytest.raises(SinkError, match=r"full|room"):
        writer.commit(DAY, {"trades": prove("trades", given)})
    for _ in range(2):
        with pytest.raises(SinkError, match="rows were lost in an error before this; abort"):
            writer.commit(DAY, no_rows("trades"))
    with pytest.raises(SinkError, match="rows were lost"):
        writer.write(DAY, "trades", sample("trades"))
    writer.close()
    assert sink.holds(DAY, "trades", receipt)


@pytest.mark.few(1)
def test_a_limit_for_files_is_named(kind, tmp_path, child):
    call = [sys.executable, str(child), kind, str(tmp_path / "data"), "2024-05-01", "70000"]
    done = subprocess.run([*call, "10000"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"SinkError: {tmp_path}")
    assert "run again" in done.stderr
    sink = made(kind, tmp_path / "data")
    assert [name for name in files(tmp_path) if not name.startswith("data")] == []
    assert sink.holds(DAY, "trades", write(sink, DAY, sample("trades")))


def test_a_path_below_a_file_is_named_at_once(kind, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SinkError, match=r"/file is no folder; move it away or set another path"):
        made(kind, tmp_path / "file" / "data" / "more").open(SCHEMAS)
    assert files(tmp_path) == ["file"]


def test_a_file_in_the_way_that_comes_later_is_named(kind, tmp_path):
    writer = made(kind, tmp_path / "data" / "more").open(SCHEMAS)
    (tmp_path / "data").write_text("in the way")
    writer.write(DAY, "trades", sample("trades"))
    with pytest.raises(SinkError, match=r"/data/more\S*: a file stands where a folder is needed"):
        writer.commit(DAY, {"trades": prove("trades", sample("trades"))})
    writer.close()
    assert files(tmp_path) == ["data"]


def test_a_read_only_disk_is_named_at_once(kind, small_disk):
    sink = made(kind, small_disk / "data")
    receipt = write(sink, DAY, sample("trades"))
    remount = ["mount", "-o", "remount,ro", str(small_disk)]
    subprocess.run(remount, check=True, capture_output=True)
    with pytest.raises(
        SinkError, match=r"/small/data\S* .*(written to|read-only); set another path"
    ):
        sink.open(SCHEMAS)
    if kind != "sqlite":
        assert sink.holds(DAY, "trades", receipt)


def test_a_disk_that_becomes_read_only_is_named(kind, small_disk):
    sink = made(kind, small_disk / "data")
    writer = sink.open(SCHEMAS)
    writer.write(DAY, "trades", sample("trades"))
    remount = ["mount", "-o", "remount,ro", str(small_disk)]
    subprocess.run(remount, check=True, capture_output=True)
    with pytest.raises(SinkError, match=r"/small/data.*(read-only|cannot be opened)"):
        writer.commit(DAY, {"trades": prove("trades", sample("trades"))})
    writer.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_named(kind, tmp_path):
    (tmp_path / "closed").mkdir(mode=0o500)
    with pytest.raises(SinkError, match="may not be written to"):
        made(kind, tmp_path / "closed" / "data").open(SCHEMAS)


@pytest.mark.long
def test_a_database_killed_in_its_commit_is_as_before(tmp_path, child):
    path = tmp_path / "werks.sqlite"
    sink = made("sqlite", path)
    before = write(sink, DAY, sample("trades"))
    call = [sys.executable, str(child), "sqlite", str(path), "2024-05-01", "200000", "commit"]
    with subprocess.Popen(call, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"written\n"
        log = path.with_name("werks.sqlite-wal")
        while process.poll() is None and not (log.exists() and log.stat().st_size > 10_000):
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert sink.holds(DAY, "trades", before)
    after = write(sink, DAY, sample("trades", rows=90))
    assert sink.holds(DAY, "trades", after)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_run_killed_before_its_commit_leaves_no_database(tmp_path, child):
    path = tmp_path / "werks.sqlite"
    call = [sys.executable, str(child), "sqlite", str(path), "2024-05-01", "70000", "hold"]
    with subprocess.Popen(call, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"written\n"
        process.kill()
    assert files(tmp_path) == []
