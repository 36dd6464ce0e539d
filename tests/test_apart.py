"""A run reads large files by a process beside it, and nobody sees a difference but the clock."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from werks.processes import cores, lives
from werks.testing import Loopback

from .conftest import FIRST, Market, csv_gz, day_rows, path_of

ROWS = 90_000  # in a file of more than a megabyte
NOT_NUMBER = "PlusTick,x,0,0,0\n"
HOWS = {"apart": "", "in turn": "read_ahead = false"}

pytestmark = pytest.mark.skipif(
    cores() < 2 or not Path(f"/proc/self/task/{os.getpid()}/children").exists(),
    reason="the process is there with two cores, on Linux",
)


@pytest.fixture(scope="module")
def lines() -> list[str]:
    return day_rows("BTCUSDT", FIRST, ROWS)


@pytest.fixture
def market(tmp_path, lines) -> Iterator[Market]:
    """A day that is large, and one that is small."""
    with Loopback() as server:
        made = Market(server, tmp_path)
        made.publish("BTCUSDT", 2, 3000)
        server.put(path_of("BTCUSDT", FIRST), csv_gz(lines))
        yield made


class Running:
    """A run in a process of its own, in a group of its own as at a terminal."""

    def __init__(self, market: Market, how: str) -> None:
        (market.root / how).mkdir()
        self.root = market.root / how
        file = market.file(
            f"{how}.toml",
            root=self.root,
            settings=HOWS[how] + "\ntries = 1",
            stop=FIRST + timedelta(days=2),
        )
        self.process = subprocess.Popen(
            [sys.executable, "-m", "werks", "run", str(file)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def child(self) -> int | None:
        """Return the process beside it as soon as there is one; None if it ends without."""
        pid = self.process.pid
        while self.process.poll() is None:
            try:
                children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            except OSError:
                break
            if children:
                return int(children[0])
            time.sleep(0.002)
        return None

    def end(self) -> tuple[int, str]:
        said, errors = self.process.communicate(timeout=60)
        assert "Traceback" not in errors
        # But for how long it took, and in which folder.
        same = re.sub(r"(?m) in [\d.]+ s.*$", "", said + errors).replace(str(self.root), "")
        return self.process.returncode, same

    def files(self) -> dict[str, bytes]:
        return {
            str(path.relative_to(self.root)): path.read_bytes()
            for path in sorted((self.root / "data").rglob("*.feather"))
        }


def test_rows_are_the_same_whoever_reads_them(market):
    apart, turn = (Running(market, how) for how in HOWS)
    assert apart.child() is not None
    assert turn.child() is None
    for run in (apart, turn):
        status, said = run.end()
        assert status == 0, said
        assert "93,000 rows" in said
    assert apart.files() == turn.files() != {}


@pytest.mark.parametrize("wrong", ["a row", "the end"])
@pytest.mark.long
def test_what_is_wrong_is_said_in_the_same_words(market, lines, wrong):
    if wrong == "a row":
        bad = lines[50_000].replace(",BTCUSDT,", ",BTCUSDT,,", 1)
        data = csv_gz([*lines[:50_000], bad, *lines[50_001:]])
    else:
        data = csv_gz(lines)[:-100_000]
    market.server.put(path_of("BTCUSDT", FIRST), data)
    apart, turn = (Running(market, how) for how in HOWS)
    assert apart.child() is not None
    ended = [run.end() for run in (apart, turn)]
    assert ended[0] == ended[1]
    status, said = ended[0]
    assert status == 1
    assert ("row 50002 has 11 fields" if wrong == "a row" else "cut off or corrupt") in said


def test_an_interrupt_at_the_terminal_stops_both(market):
    run = Running(market, "apart")
    child = run.child()
    assert child is not None
    os.killpg(run.process.pid, signal.SIGINT)
    status, said = run.end()
    assert (status, "stopped" in said) == (1, True), said
    end = time.monotonic() + 10
    while lives(child) and time.monotonic() < end:
        time.sleep(0.01)
    assert not lives(child)
