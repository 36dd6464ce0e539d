"""Runs killed between any two steps of a commit, an append, a finish or a way back."""

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pyarrow as pa
import pytest

from werks.testing.sink import DAY, SCHEMAS, prove, sample

# Runs into each sink are killed in `make test` as well: tests/test_kill_sinks.py.
pytestmark = pytest.mark.long

CHILD = Path(__file__).with_name("kill_child.py")
OLD = sample("trades", rows=10, seed=9)
A, B = sample("trades", rows=30), sample("trades", rows=20, seed=3)


@pytest.fixture(params=[12, pytest.param(1, marks=pytest.mark.long)], ids=["some", "all"])
def every(request):
    return request.param


@pytest.fixture(params=["csv", "feather", "parquet"])
def sink(request, tmp_path):
    kind = request.param
    return import_module(f"werks_sinks.{kind}").werks_sinks()[kind](path=tmp_path / "data")


def committed(sink, *batches):
    writer = sink.open(SCHEMAS)
    for rows in batches:
        writer.write(DAY, "trades", rows)
    receipt = writer.commit(DAY, {"trades": prove("trades", *batches)})
    writer.close()
    return receipt


def appended(sink, *batches):
    writer = sink.open(SCHEMAS)
    writer.resume(DAY, {})
    for rows in batches:
        writer.write(DAY, "trades", rows)
    receipt = writer.append(DAY, ["trades"])
    writer.close()
    return receipt


def found(sink):
    batches = sink.read(DAY, "trades", SCHEMAS["trades"])
    return pa.Table.from_batches(batches, SCHEMAS["trades"])["trade_id"].to_pylist()


def ids(*batches):
    return [name for rows in batches for name in rows["trade_id"].to_pylist()]


def files(sink):
    return {p.relative_to(sink.path).as_posix() for p in sink.path.rglob("*") if p.is_file()}


def kill_everywhere(sink, every, steps, prepare, allowed):
    """Kill at one step after the other, look at what is there, and do it again undisturbed."""
    receipt = prepare(sink)
    kind = type(sink).__name__.lower()
    call = [sys.executable, str(CHILD), kind, str(sink.path), steps, json.dumps(receipt)]
    proofs = [None, *(prove("trades", *rows) for rows in (*allowed, (A, B)))]
    with subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        for number in range(1 + len(steps) % every, 500, every):
            assert prepare(sink) == receipt
            for _ in range(2):  # the second time from where the kill left it
                child.stdin.write(f"{number}\n")
                child.stdin.flush()
                end = child.stdout.readline()
                if end == "killed\n":
                    assert found(sink) in [ids(*rows) for rows in (*allowed, (A, B))]
                    assert all(proof in proofs for _, proof in sink.proofs("trades"))
            child.stdin.write("1000000\n")
            child.stdin.flush()
            assert child.stdout.readline() == "done 0\n"
            yield
            if end == "done 0\n":
                break
        child.stdin.close()
    assert number > 8


@pytest.mark.parametrize("before", ["nothing", "a day", "segments"])
def test_a_run_killed_in_a_commit_is_mended_by_the_next(sink, every, before):
    prepare = {
        "nothing": lambda sink: committed(sink) and {},
        "a day": lambda sink: committed(sink, OLD),
        "segments": lambda sink: appended(sink, OLD),
    }[before]
    allowed = [()] if before == "nothing" else [(OLD,)]
    for _ in kill_everywhere(sink, every, "commit", prepare, allowed):
        require_whole(sink)


def test_a_run_killed_in_an_append_or_a_finish_is_mended_by_the_next(sink, every):
    for _ in kill_everywhere(sink, every, "resume append finish", lambda s: appended(s, A), [(A,)]):
        require_whole(sink)


def test_a_run_killed_on_the_way_back_from_a_final_file_is_mended_by_the_next(sink, every):
    """The ledger knows of a segment, the sink has finished the day already."""

    def prepare(sink):
        receipt = appended(sink, A)
        committed(sink, A, B)
        return receipt

    for _ in kill_everywhere(sink, every, "resume append finish", prepare, [(A,)]):
        require_whole(sink)


def require_whole(sink):
    """Assert that the day is there with its proof, and nothing beside them."""
    kind = type(sink).__name__.lower()
    day = "trades/bazaar/XBTUSD"
    assert found(sink) == ids(A, B)
    assert list(sink.proofs("trades")) == [(DAY, prove("trades", A, B))]
    assert files(sink) == {f"{day}/2024-05-01.{kind}", f"{day}/_receipts/2024-05-01.{kind}.json"}
