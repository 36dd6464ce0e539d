"""A run that is killed at any moment, and started again, ends with the files of a quiet one."""

import os
import random
import signal
import subprocess
import sys
import time
from datetime import timedelta

import pytest

from .conftest import FIRST, PIPELINE

MORE = """
[sinks.table]
type = "sqlite"
inputs = ["big", "minutes", "dollars"]
path = "{root}/rows.db"
"""


def start(file) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "werks", "run", str(file), "--quiet"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def rows(path) -> dict[str, list[tuple[object, ...]]]:
    """Return all tables of a SQLite file."""
    import sqlite3

    db = sqlite3.connect(path)
    names = [n for (n,) in db.execute("select name from sqlite_master where type = 'table'")]
    found = {
        name: sorted(db.execute(f'select * from "{name}"').fetchall(), key=repr)
        for name in names
        if not name.startswith("werks")
    }
    db.close()
    return found


def storm(market, kills: int, executor: str) -> None:
    market.publish(days=3, rows=10_000)
    market.run(market.file("quiet.toml", PIPELINE.replace("{root}/", "{root}/quiet-") + MORE))
    quiet_rows = rows(market.root / "rows.db")
    (market.root / "rows.db").unlink()
    settings = f'tries = 1\nexecutor = "{executor}"\nworkers = 2'
    file = market.file(text=PIPELINE + MORE, settings=settings)
    began = time.monotonic()
    whole = start(file)
    assert whole.wait(60) == 0, whole.stderr.read()
    whole.stderr.close()
    length = time.monotonic() - began
    chance = random.Random(20240301)
    for _ in range(kills):
        for name in ("data", "rows.db", "rows.db-wal", "rows.db-shm", "werks.db", "werks.db-wal"):
            subprocess.run(["rm", "-rf", str(market.root / name)], check=True)
        process = start(file)
        time.sleep(chance.uniform(0.3, 1.0) * length)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stderr.close()
        assert market.run(file).ok
        assert market.tree(receipts=True) == market.tree("quiet-data", receipts=True)
        assert rows(market.root / "rows.db") == quiet_rows


@pytest.mark.parametrize(
    ("executor", "kills"), [("inline", 1), pytest.param("processes", 2, marks=pytest.mark.long)]
)
def test_a_killed_run_started_again_ends_with_identical_files(market, executor, kills):
    storm(market, kills, executor)


@pytest.mark.long
@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_a_hundred_kills(market, executor):
    storm(market, 100, executor)


def test_an_interrupt_says_so_and_leaves_nothing_half_written(market):
    market.publish(days=3, rows=50_000)
    process = start(market.file())
    while not list((market.root).glob("data/*/*/*/.*")) and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=30)[1].decode()
    assert process.returncode == 1
    assert said == "stopped: what was committed stays; run again to go on\n"
    assert not [path for path in market.tree() if "/." in path]
    report = market.run()
    assert report.ok
    assert len(market.table("trades")) == 150_000


@pytest.mark.long
def test_a_pool_of_processes_stops_at_an_interrupt(market):
    market.publish(days=3, rows=50_000)
    settings = 'tries = 1\nexecutor = "processes"\nworkers = 2'
    process = start(market.file(settings=settings, stop=FIRST + timedelta(days=3)))
    while not list((market.root).glob("data/*/*/*/.*")) and process.poll() is None:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    said = process.communicate(timeout=30)[1].decode()
    assert (process.returncode, said) == (
        1,
        "stopped: what was committed stays; run again to go on\n",
    )
    assert market.run().ok
