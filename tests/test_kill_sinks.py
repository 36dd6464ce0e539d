"""A run into each sink, killed at any moment and started again: the sink holds every row, once."""

import json
import os
import random
import runpy
import signal
import subprocess
import sys
import time
from operator import itemgetter
from pathlib import Path

import pytest
from click.testing import CliRunner

from werks import cli
from werks.pipeline import load, run

from .conftest import PIPELINE

ROOT = Path(__file__).parents[1]
SERVERS = runpy.run_path(str(ROOT / "sinks/tests/servers.py"))
STORES = runpy.run_path(str(ROOT / "sinks/tests/s3_server.py"))
postgres, database = itemgetter("postgres", "database")(SERVERS)
s3_server = STORES["s3_server"]

SINKS = {
    "feather": 'type = "feather"\npath = "{root}/data"',
    "parquet": 'type = "parquet"\npath = "{root}/data"',
    "csv": 'type = "csv"\npath = "{root}/data"',
    "rotating": 'type = "csv"\npath = "{root}/data"\nrotate = "100 KB"\ncompression = "gz"',
    "sqlite": 'type = "sqlite"\npath = "{root}/rows.db"',
    "shared": 'type = "sqlite"\npath = "{root}/werks.db"',
    "postgres": 'type = "postgres"\nurl = "{url}"',
    "s3": 'type = "s3"\npath = "{root}/spool"\n{store}',
}
BEFORE = PIPELINE.partition("[sinks.files]")[0]
NODES = '\ninputs = ["trades", "ticks", "minutes"]\n'


def text(name: str, **given: str) -> str:
    sink = SINKS[name].replace("{url}", given.get("url", ""))
    sink = sink.replace("{store}", given.get("store", ""))
    unused = BEFORE.index("[transforms.big]"), BEFORE.index("[transforms.minutes]")
    before = BEFORE[: unused[0]] + BEFORE[unused[1] : BEFORE.index("[transforms.dollars]")]
    return f"{before}[sinks.rows]\n{sink}{NODES}"


def started(file: Path) -> subprocess.Popen[str]:
    call = [sys.executable, "-m", "werks", "run", str(file), "--quiet"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    return subprocess.Popen(call, start_new_session=True, text=True, **quiet)


def kill(file: Path, seconds: float) -> None:
    with started(file) as process:
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGKILL)


def again(file: Path) -> None:
    report = run(load(file))
    assert report.ok, report.errors


def proven(file: Path) -> dict[str, tuple[int, str]]:
    """Return rows and hash of each node, every row read back from the sink."""
    done = CliRunner().invoke(cli.main, ["verify", str(file), "--sink", "rows", "--json"])
    found = json.loads(done.stdout or "[]")
    assert done.exit_code == 0, [each["problems"] for each in found] or done.stderr
    return {each["node"]: (each["rows"], each["hash"]) for each in found}


def storm(market, name: str, kills: int, given: dict[str, str], empty) -> None:
    """Kill so often, each time at another moment, and compare with a run that nobody disturbed."""
    market.publish(days=3, rows=3000)
    file = market.file(text=text(name, **given))
    began = time.monotonic()
    with started(file) as whole:
        assert whole.wait(100) == 0, whole.stderr.read()
    length = time.monotonic() - began
    expected = proven(file)
    assert expected["trades"][0] == 9000
    chance = random.Random(f"{name} 20240301")
    for number in range(kills):
        empty(number)
        kill(file, chance.uniform(0.3, 1.0) * length)
        again(file)
        assert proven(file) == expected


def remove(root: Path, *names: str) -> None:
    for name in names:
        subprocess.run(["rm", "-rf", str(root / name)], check=True)


def files(market):
    every = ("data", "rows.db", "rows.db-wal", "rows.db-shm", "spool")
    ledger = ("werks.db", "werks.db-wal", "werks.db-shm")
    return lambda _: remove(market.root, *every, *ledger)


LOCAL = ["feather", "parquet", "csv", "rotating", "sqlite", "shared"]


@pytest.mark.parametrize(
    "name", ["shared", "rotating", pytest.param("parquet", marks=pytest.mark.long)]
)
@pytest.mark.few(1)
def test_a_kill_loses_and_doubles_nothing(market, name):
    storm(market, name, 1, {}, files(market))


def postgres_storm(market, postgres, database, kills: int) -> None:
    """Rows and ledger share one database, so that the mark is in the transaction of the rows."""
    url = postgres.url(database)
    settings = f'tries = 1\nstate = "{url.replace("postgresql:", "postgresql+psycopg:")}"'
    file_of = market.file

    def file(**given):
        made = file_of(**given, settings="")
        plain = made.read_text().replace(f'state = "{market.root}/werks.db"', settings)
        made.write_text(plain)
        return made

    market.file = file

    def empty(_: int) -> None:
        with postgres.connect(database) as connection:
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")

    storm(market, "postgres", kills, {"url": url}, empty)


def test_a_kill_loses_nothing_in_postgres(market, postgres, database):
    postgres_storm(market, postgres, database, 1)


def s3_storm(market, server, kills: int) -> None:
    import obstore

    server.make_bucket("kills")
    options = {"url": "s3://kills/rows", "endpoint": server.endpoint, "region": "us-east-1"}
    options |= {"access_key": STORES["ACCESS"], "secret_key": STORES["SECRET"]}
    client = server.client("kills")

    def empty(number: int) -> None:
        files(market)(number)
        for each in obstore.list(client).collect():
            obstore.delete(client, each["path"])

    store = "\n".join(f'{name} = "{value}"' for name, value in options.items())
    storm(market, "s3", kills, {"store": store}, empty)


@pytest.mark.long
@pytest.mark.parametrize("name", LOCAL)
def test_many_kills(market, name):
    storm(market, name, 25, {}, files(market))


@pytest.mark.long
def test_many_kills_in_postgres(market, postgres, database):
    postgres_storm(market, postgres, database, 25)


@pytest.mark.long
def test_many_kills_in_s3(market, s3_server):
    s3_storm(market, s3_server, 25)


def test_a_kill_loses_nothing_in_s3(market, s3_server):
    s3_storm(market, s3_server, 1)
