"""A live source is one run's at a time, and free again once that has ended or was killed."""

import os
import socket
import subprocess
import sys
from contextlib import closing
from types import SimpleNamespace

import pytest

from werks.ledger import Ledger
from werks.pipeline import claim
from werks.pipeline.claim import Claims, TakenError

DOOR = SimpleNamespace(exchange="shop")
BRANCHES = [
    SimpleNamespace(source=SimpleNamespace(door=DOOR, name=name, type="shop.trades"))
    for name in ("spot", "futures")
]


@pytest.fixture
def ledger(tmp_path, monkeypatch):
    monkeypatch.setattr(claim, "_LEASE", 1.0)
    monkeypatch.setattr(claim, "_RENEWED", 0.1)
    with closing(Ledger(str(tmp_path / "werks.db"), "p")) as made:
        yield made


def keep(claims, seconds):
    """Renew as a run does, for so long."""
    until = claim.time.monotonic() + seconds
    while claim.time.monotonic() < until:
        claims.renew()
        claim.time.sleep(0.02)


def test_another_run_is_refused_as_long_as_one_renews(ledger, monkeypatch):
    one, other = Claims(ledger, BRANCHES), Claims(ledger, BRANCHES[1:])
    one.take()
    monkeypatch.setattr(claim.time, "sleep", lambda _: one.renew())
    who = f"process {os.getpid()} on {socket.gethostname()}"
    with pytest.raises(TakenError, match=rf"^sources\.futures is live .*, {who}: let one run at"):
        other.take()


def test_what_is_released_or_not_renewed_is_free(ledger):
    one, other = Claims(ledger, BRANCHES), Claims(ledger, BRANCHES)
    one.take()
    one.release()
    other.take()
    one.take()  # once the other's time is over
    with pytest.raises(TakenError):
        other.renew()
    keep(one, 1.3)
    one.release()
    other.take()


def test_a_source_of_another_name_is_another(ledger):
    for branch in BRANCHES:
        Claims(ledger, [branch]).take()


def test_a_run_that_was_killed_has_lost_its_sources_at_once(ledger, monkeypatch):
    gone = subprocess.Popen([sys.executable, "-c", "pass"])
    gone.wait()
    monkeypatch.setattr(claim, "_LEASE", 3600.0)
    one = Claims(ledger, BRANCHES)
    one._owner = f"{socket.gethostname()}:{gone.pid}:abc"
    one.take()
    Claims(ledger, BRANCHES).take()
