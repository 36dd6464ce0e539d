"""A process beside this one makes batches, and leaves nothing behind however it ends."""

import os
import signal
import subprocess
import sys
import time
from collections import deque

import numpy as np
import pyarrow as pa
import pytest

from werks.archive import Apart
from werks.archive.slots import SLOTS
from werks.errors import DataError, WerksError
from werks.processes import lives

MANY = 10_000  # batches of a size that fills any pipe before they are through


def batches(request):
    """Yield as many batches as a request says, then raise the error that it names."""
    count, failure, *rows = request
    for n in range(count):
        yield made(n, *rows)
    if failure is not None:
        raise failure


def made(n, rows=5_000):
    words = pa.array([f"word {n}", "other"]).dictionary_encode()
    numbers = pa.array(np.full(rows, n))
    texts = pa.array([None, f"text {n}"]).take(pa.array(np.arange(rows) % 2))
    return pa.record_batch(
        {"n": numbers, "text": texts, "word": words.take(pa.array(np.arange(rows) % 2))}
    )


class Odd(Exception):  # noqa: N818
    """An error that is no plain data."""

    def __init__(self) -> None:
        super().__init__("odd\nvery odd")
        self.file = sys.stdin


@pytest.fixture
def apart(monkeypatch):
    """A process; here other threads may be about, which have nothing to do."""
    monkeypatch.setattr("werks.archive.apart.may_fork", lambda: True)
    monkeypatch.setattr("werks.archive.apart.cores", lambda: 2)
    made = Apart(batches)
    assert made.ready()
    yield made
    made.close()


def taken(apart, *request) -> list[int]:
    with apart.made(request) as found:
        return [batch["n"][0].as_py() for batch in found]


def pid_of(apart) -> int:
    return apart._child.pid


def test_one_process_answers_one_request_after_the_other(apart):
    pid = pid_of(apart)
    assert taken(apart, 3, None) == [0, 1, 2]
    assert taken(apart, 0, None) == []
    assert apart.ready()
    assert taken(apart, 200, None) == list(range(200))
    assert pid_of(apart) == pid


@pytest.mark.parametrize("rows", [10, 300_000], ids=["small", "too large for a slot"])
@pytest.mark.parametrize("kept", [0, 1, SLOTS - 1, SLOTS, 12])
def test_no_batch_changes_as_long_as_it_is_kept(apart, rows, kept):
    keeping, columns = deque(maxlen=kept), deque(maxlen=kept)
    with apart.made((12, None, rows)) as given:
        for n, batch in enumerate(given):
            assert batch.equals(made(n, rows))
            keeping.append((n, batch))
            columns.append((n, batch.slice(2)["text"]))
            del batch
            number, first = keeping[0] if keeping else (n, made(n, rows))
            assert first.equals(made(number, rows))
    for number, each in columns:
        keeping.clear()
        assert each.equals(made(number, rows).slice(2)["text"])
    assert taken(apart, 3, None) == [0, 1, 2]
    apart.close()
    for number, each in columns:
        assert each.equals(made(number, rows).slice(2)["text"])


@pytest.mark.parametrize("count", [0, 2])
def test_an_error_is_raised_where_the_batches_are_taken(apart, count):
    found = []
    with (
        pytest.raises(DataError, match=r"^no such trade$"),
        apart.made((count, DataError("no such trade"))) as given,
    ):
        found.extend(given)
    assert len(found) == count
    assert taken(apart, 1, None) == [0]


def test_an_error_that_is_no_plain_data_is_told_as_one_line(monkeypatch):
    monkeypatch.setattr("werks.archive.apart.may_fork", lambda: True)
    monkeypatch.setattr("werks.archive.apart.cores", lambda: 2)

    def odd(_):
        raise Odd
        yield

    apart = Apart(odd)
    assert apart.ready()
    with pytest.raises(WerksError, match=r"^a file: Odd in test_archive_apart\.py:\d+: odd$"):
        taken(apart, 0, None)
    apart.close()


def test_batches_that_nobody_takes_end_the_process(apart):
    pid = pid_of(apart)
    with apart.made((MANY, None)) as given:
        next(given)
        assert not apart.ready()  # it has something to do
    assert not lives(pid)
    assert apart.ready()
    assert pid_of(apart) != pid
    assert taken(apart, 2, None) == [0, 1]


@pytest.mark.parametrize("before", [0, 1], ids=["at once", "behind a batch"])
def test_a_process_that_is_killed_is_named(apart, before):
    with apart.made((MANY, None)) as given:
        for _ in range(before):
            next(given)
        os.kill(pid_of(apart), signal.SIGKILL)
        with pytest.raises(WerksError, match=r"^the process that reads files has ended; run again"):
            list(given)
    assert apart.ready()
    assert taken(apart, 2, None) == [0, 1]


def test_an_interrupt_at_the_terminal_is_left_to_the_parent(apart):
    for number in (signal.SIGINT, signal.SIGHUP):
        os.kill(pid_of(apart), number)
    assert taken(apart, 2, None) == [0, 1]


def test_without_a_second_core_or_beside_threads_there_is_no_process(monkeypatch):
    monkeypatch.setattr("werks.archive.apart.may_fork", lambda: True)
    monkeypatch.setattr("werks.archive.apart.cores", lambda: 1)
    assert not Apart(batches).ready()
    monkeypatch.setattr("werks.archive.apart.cores", lambda: 2)
    monkeypatch.setattr("werks.archive.apart.may_fork", lambda: False)
    assert not Apart(batches).ready()


_PARENT = """
import time
import pyarrow as pa
from werks.archive import apart
apart.may_fork, apart.cores = lambda: True, lambda: 2
def batches(many):
    while many:
        yield pa.record_batch({"n": [1] * 5_000})
made = apart.Apart(batches)
assert made.ready()
with made.made(%s) as given:
    if %s:
        next(given)
    print(made._child.pid, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize(
    "busy",
    [pytest.param(True, id="at work"), pytest.param(False, id="idle", marks=pytest.mark.long)],
)
def test_it_does_not_outlive_a_parent_that_is_killed(busy):
    code = _PARENT % (busy, busy)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        pid = int(parent.stdout.readline())
        assert lives(pid)
        parent.kill()
    end = time.monotonic() + 20
    while lives(pid) and time.monotonic() < end:
        time.sleep(0.02)
    assert not lives(pid)
