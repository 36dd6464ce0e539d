import fcntl
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module

import pyarrow as pa
import pytest

from werks.components import Window
from werks.errors import SinkError
from werks.testing.sink import DAY, REMAINDER, SCHEMAS, prove, sample
from werks_sinks import gather

KINDS = ("csv", "feather", "parquet")


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def sink(kind, tmp_path):
    return import_module(f"werks_sinks.{kind}").werks_sinks()[kind](path=tmp_path / "data")


@pytest.fixture
def target(sink, kind):
    return sink.path / "trades" / "bazaar" / "XBTUSD" / f"2024-05-01.{kind}"


def write(sink, window, node, *batches, schemas=SCHEMAS):
    writer = sink.open(schemas)
    try:
        for rows in batches:
            writer.write(window, node, rows)
        return writer.commit(window, {node: prove(node, *batches)})
    finally:
        writer.close()


def many(writer, node):
    """Write so many rows that a file is begun, and return them."""
    given = [sample(node, rows=1000)] * (gather.ROWS // 1000 + 1)
    for rows in given:
        writer.write(DAY, node, rows)
    return given


def names(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_files_lie_by_node_exchange_symbol_and_day(sink, kind):
    write(sink, DAY, "trades", sample("trades"))
    write(sink, REMAINDER, "bars", sample("bars"))
    odd = Window("bazaar", "tBTCF0:USTF0", DAY.day)
    write(sink, odd, "trades", sample("trades", odd))
    assert names(sink.path) == [
        f"bars/bazaar/XBTUSD/_receipts/open.{kind}.json",
        f"bars/bazaar/XBTUSD/open.{kind}",
        f"trades/bazaar/XBTUSD/2024-05-01.{kind}",
        f"trades/bazaar/XBTUSD/_receipts/2024-05-01.{kind}.json",
        f"trades/bazaar/tBTCF0%3AUSTF0/2024-05-01.{kind}",
        f"trades/bazaar/tBTCF0%3AUSTF0/_receipts/2024-05-01.{kind}.json",
    ]


def test_a_receipt_names_rows_bytes_and_path(sink, kind, target):
    receipt = write(sink, DAY, "trades", sample("trades"))
    path = f"trades/bazaar/XBTUSD/2024-05-01.{kind}"
    assert receipt == {"trades": {"rows": 40, "bytes": target.stat().st_size, "path": path}}


def test_a_receipt_holds_while_the_file_has_its_size(sink, target):
    receipt = write(sink, DAY, "trades", sample("trades"))
    assert sink.holds(DAY, "trades", receipt)
    with target.open("ab") as file:
        file.write(b"x")
    assert not sink.holds(DAY, "trades", receipt)
    target.unlink()
    assert not sink.holds(DAY, "trades", receipt)


@pytest.mark.few(2)
def test_the_same_rows_give_the_same_bytes_however_they_are_cut(sink, target):
    whole = pa.concat_batches([sample("trades", rows=999)] * 71)
    contents = set()
    for width in (80_000, 65_536, 16_384, 998):
        pieces = [whole.slice(start, width) for start in range(0, len(whole), width)]
        write(sink, DAY, "trades", *pieces)
        contents.add(target.read_bytes())
    assert len(contents) == 1


def test_an_emptied_window_leaves_its_proof_and_a_remainder_nothing(sink, kind):
    write(sink, DAY, "trades", sample("trades"))
    write(sink, REMAINDER, "bars", sample("bars"))
    write(sink, DAY, "trades")
    proof = f"trades/bazaar/XBTUSD/_receipts/2024-05-01.{kind}.json"
    assert [name for name in names(sink.path) if "trades" in name] == [proof]
    write(sink, REMAINDER, "bars")
    assert names(sink.path) == [proof]
    assert list(sink.path.iterdir()) == [sink.path / "trades"]


@pytest.mark.few(1)
def test_folders_made_for_nothing_are_removed(sink, tmp_path):
    writer = sink.open(SCHEMAS)
    many(writer, "trades")
    many(writer, "bars")
    assert len(names(tmp_path)) == 2
    writer.close()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_was_there_stays(sink):
    sink.path.mkdir()
    writer = sink.open(SCHEMAS)
    many(writer, "trades")
    writer.close()
    assert sink.path.is_dir()


def test_a_file_may_be_read_by_whoever_the_umask_admits(sink, target):
    write(sink, DAY, "trades", sample("trades"))
    mask = os.umask(0)
    os.umask(mask)
    assert target.stat().st_mode & 0o777 == 0o666 & ~mask


def test_what_a_crashed_run_left_is_removed(sink, target):
    target.parent.mkdir(parents=True)
    target.with_name(f".{target.name}.123-abcd.tmp").touch()
    write(sink, DAY, "trades", sample("trades"))
    assert sorted(target.parent.iterdir()) == [target, target.parent / "_receipts"]
    target.with_name(f".{target.name}.123-abcd.tmp").touch()
    write(sink, DAY, "trades")
    assert list(target.parent.iterdir()) == [target.parent / "_receipts"]


def test_what_a_living_process_writes_is_left_alone(sink, target):
    target.parent.mkdir(parents=True)
    other = target.with_name(f".{target.name}.123-abcd.tmp")
    with other.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        write(sink, DAY, "trades", sample("trades"))
        assert other.exists()
    write(sink, DAY, "trades", sample("trades"))
    assert not other.exists()


@pytest.mark.few(1)
def test_of_two_writers_of_one_window_the_last_one_wins_whole(sink, target):
    first, second = sink.open(SCHEMAS), sink.open(SCHEMAS)
    given = [many(writer, "trades") for writer in (first, second)]
    second.write(DAY, "trades", sample("trades"))
    given[1].append(sample("trades"))
    assert len(list(target.parent.iterdir())) == 2
    proofs = [prove("trades", *rows) for rows in given]
    pairs = zip((first, second), proofs, strict=True)
    receipts = [writer.commit(DAY, {"trades": proof}) for writer, proof in pairs]
    assert sink.holds(DAY, "trades", receipts[1])
    assert sorted(target.parent.iterdir()) == [target, target.parent / "_receipts"]
    assert list(sink.proofs("trades")) == [(DAY, proofs[1])]
    first.close()
    second.close()


@pytest.mark.few(1)
def test_of_two_runs_at_once_rows_and_proof_are_of_the_same_one(sink):
    given = [[sample("trades", rows=rows, seed=rows)] for rows in (20, 30)]

    def commit(batches):
        for _ in range(20):
            write(sink, DAY, "trades", *batches)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(commit, given))
    ((window, proof),) = sink.proofs("trades")
    assert window == DAY
    assert prove("trades", *sink.read(DAY, "trades", SCHEMAS["trades"])) == proof


def test_a_file_that_vanished_while_it_was_written_is_said(sink, target):
    writer = sink.open(SCHEMAS)
    given = many(writer, "trades")
    next(target.parent.iterdir()).unlink()
    with pytest.raises(SinkError, match="was removed while it was written; run again"):
        writer.commit(DAY, {"trades": prove("trades", *given)})
    writer.close()


@pytest.mark.few(1)
def test_a_killed_run_leaves_nothing_to_be_seen(sink, kind, target, child):
    call = [sys.executable, str(child), kind, str(sink.path), "2024-05-01", "70000", "hold"]
    with subprocess.Popen(call, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"written\n"
        process.kill()
    left = list(target.parent.iterdir())
    assert [(path.name[0], path.suffix, target.exists()) for path in left] == [(".", ".tmp", False)]
    assert str(process.pid) in left[0].name
    receipt = write(sink, DAY, "trades", sample("trades"))
    assert sink.holds(DAY, "trades", receipt)
    assert sorted(target.parent.iterdir()) == [target, target.parent / "_receipts"]


@pytest.mark.few(1)
def test_memory_is_bounded_over_all_windows(sink, monkeypatch):
    monkeypatch.setattr(gather, "MOST_BYTES", 100_000)
    writer = sink.open(SCHEMAS)
    windows = [Window("bazaar", f"X{n}", DAY.day) for n in range(5)]
    for seed in range(40):
        for window in windows:
            writer.write(window, "trades", sample("trades", window, seed=seed))
            assert sum(p.waiting.bytes for p in writer._parts._parts.values()) <= 100_000
    receipts = []
    for window in windows:
        proof = prove("trades", *[sample("trades", window, seed=seed) for seed in range(40)])
        receipts.append(writer.commit(window, {"trades": proof}))
    writer.close()
    assert [receipt["trades"]["rows"] for receipt in receipts] == [1600] * 5


def test_a_small_piece_does_not_keep_its_whole_batch_in_memory():
    whole = sample("trades", rows=10_000)
    waiting = gather.Gathered()
    assert list(waiting.add(whole.slice(50, 10))) == []
    kept = next(waiting.rest())
    assert kept.equals(whole.slice(50, 10))
    assert kept.get_total_buffer_size() < whole.nbytes / 100


@pytest.mark.parametrize("kind", ["feather", "parquet"])
@pytest.mark.parametrize("again", [True, False])
def test_a_file_of_another_version_is_refused_and_stays(sink, target, again):
    of = SCHEMAS["trades"]
    later = of.with_metadata({**of.metadata, b"werks.version": b"2"})
    write(sink, DAY, "trades", sample("trades").cast(later), schemas={"trades": later})
    before = target.read_bytes()
    with pytest.raises(SinkError, match=r"version 2, .* version 1; move \S+/data/trades away"):
        write(sink, DAY, "trades", *[sample("trades")] * again)
    assert target.read_bytes() == before
    assert sorted(target.parent.iterdir()) == [target, target.parent / "_receipts"]


@pytest.mark.parametrize("content", [b"", b"PAR1 nothing of the kind PAR1", b"ARROW1\0\0" * 9])
def test_a_broken_file_is_replaced(sink, target, content):
    target.parent.mkdir(parents=True)
    target.write_bytes(content)
    receipt = write(sink, DAY, "trades", sample("trades"))
    assert sink.holds(DAY, "trades", receipt)


def test_rows_of_another_symbol_node_or_shape_are_refused(sink):
    writer = sink.open(SCHEMAS)
    given = sample("trades")
    with pytest.raises(SinkError, match="trades: rows for bazaar ETHUSD name another symbol"):
        writer.write(Window("bazaar", "ETHUSD", DAY.day), "trades", given)
    mixed = given.set_column(
        1, "symbol", pa.array(["XBTUSD"] * 39 + ["ETHUSD"]).dictionary_encode()
    ).cast(given.schema)
    with pytest.raises(SinkError, match="name another symbol"):
        writer.write(DAY, "trades", mixed)
    with pytest.raises(SinkError, match="ticks: rows with other columns"):
        writer.write(DAY, "ticks", given)
    with pytest.raises(SinkError, match="more: rows of a node"):
        writer.write(DAY, "more", given)
    writer.close()


def test_a_symbol_among_other_words_is_taken(sink):
    """A batch may be a slice of one whose dictionary has more words than its rows use."""
    given = sample("trades")
    words = pa.DictionaryArray.from_arrays(pa.array([1] * 40, pa.int32()), ["ETHUSD", "XBTUSD"])
    receipt = write(sink, DAY, "trades", given.set_column(1, given.schema.field(1), words))
    assert receipt["trades"]["rows"] == 40
