import os
import subprocess
from decimal import Decimal
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pyarrow as pa
import pytest

from werks.errors import SinkError
from werks.schema import Scales, batch, schema
from werks_sinks import live as live_rows
from werks_sinks.feather import Feather
from werks_sinks.parquet import Parquet

_spec = spec_from_file_location("segment_rules", Path(__file__).with_name("segment_rules.py"))
rules = module_from_spec(_spec)
_spec.loader.exec_module(rules)


DAY, NEXT, SCHEMAS, sample = rules.DAY, rules.NEXT, rules.SCHEMAS, rules.sample
A, B, C, append, check, found = rules.A, rules.B, rules.C, rules.append, rules.check, rules.found
FILES, sink, live, finished = rules.FILES, rules.sink, rules.live, rules.finished


def test_few_files_are_open_however_many_days_are_appended_to(tmp_path, monkeypatch):
    monkeypatch.setattr(live_rows, "MOST_OPEN", 3)
    sink = Feather(path=tmp_path)
    windows = [rules.Window("bazaar", f"X{n}", DAY.day) for n in range(8)]
    writer = sink.open(SCHEMAS)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for seed in range(3):
        for window in windows:
            append(writer, window, sample("trades", window, rows=4, seed=seed))
            assert len(list(Path("/proc/self/fd").iterdir())) <= before + 3
    writer.close()
    for window in windows:
        given = [sample("trades", window, rows=4, seed=seed) for seed in range(3)]
        check(sink, *given, window=window)


def test_a_day_with_other_scales_is_gone_on_with(tmp_path):
    """A market's scales may grow while a day is appended to."""
    sink = Feather(path=tmp_path)
    narrow, wide = schema("TRADE", Scales(1, 3)), schema("TRADE", Scales(2, 8))
    words = {"exchange": [DAY.exchange], "symbol": [DAY.symbol]}
    given = [
        batch(of, **words, price=pa.array([Decimal(price)], of.field("price").type))
        for of, price in ((narrow, "1.5"), (wide, "2.25"))
    ]
    receipt = {}
    for of, rows in zip((narrow, wide), given, strict=True):
        writer = sink.open({"trades": of})
        writer.resume(DAY, receipt)
        receipt = append(writer, DAY, rows)
        writer.close()
    stored = pa.Table.from_batches(sink.read(DAY, "trades", wide))
    assert stored["price"].to_pylist() == [Decimal("1.50"), Decimal("2.25")]


def test_closed_days_that_were_left_are_compacted(sink, live):
    days = [rules.Window("bazaar", "XBT/USD" + "Y" * n, day) for day in (DAY.day, NEXT.day, None)
            for n in (0, 300)]  # fmt: skip
    writer = sink.open(SCHEMAS)
    for window in days:
        append(writer, window, sample("trades", window, rows=4))
        append(writer, window, sample("trades", window, rows=3, seed=5))
    assert list(sink.open(SCHEMAS).compact(NEXT.day)) == []  # another run has them open
    writer.close()
    writer = sink.open(SCHEMAS)
    done = list(writer.compact(NEXT.day))
    assert sorted(done, key=str) == sorted(((w, "trades", 7) for w in days[:2]), key=str)
    assert list(writer.compact(NEXT.day)) == []
    writer.close()
    proofs = dict(sink.proofs("trades"))
    assert set(proofs) == set(days)
    for window in days:
        given = sample("trades", window, rows=4), sample("trades", window, rows=3, seed=5)
        check(sink, *given, window=window)
        is_closed = window in days[:2]
        assert proofs[window] == (rules.prove("trades", *given) if is_closed else None)
        assert sink._folder.segments(window, "trades").exists() is not is_closed


def test_a_finish_that_was_killed_is_tidied_by_compact(sink, live):
    """The final file wins over segments that are still there."""
    writer = sink.open(SCHEMAS)
    append(writer, DAY, A)
    kept = live.read_bytes()
    writer.write(DAY, "trades", B)
    writer.finish(DAY, {"trades": rules.prove("trades", A, B)})
    live.parent.mkdir()
    live.write_bytes(kept)
    sink._folder.receipt(DAY, "trades").unlink()
    assert list(writer.compact(NEXT.day)) == [(DAY, "trades", 12)]
    writer.close()
    check(sink, A, B)
    assert list(sink.proofs("trades")) == [(DAY, rules.prove("trades", A, B))]
    assert not live.parent.exists()


def test_a_full_disk_in_an_append_loses_nothing_that_was_appended(small_disk):
    sink = Feather(path=small_disk / "data")
    writer = sink.open(SCHEMAS)
    receipt = append(writer, DAY, A)
    noise = sample("trades", rows=10_000)
    ids = pa.array([os.urandom(128).hex() for _ in range(10_000)])
    writer.write(DAY, "ticks", sample("ticks"))
    writer.write(DAY, "trades", noise.set_column(4, noise.schema.field(4), ids))
    with pytest.raises(SinkError, match=rf"{small_disk}.* the disk is full"):
        writer.append(DAY, ["ticks", "trades"])
    with pytest.raises(SinkError, match="rows were lost in an error before this"):
        writer.append(DAY, ["ticks", "trades"])
    writer.abort()
    check(sink, A)
    check(sink, node="ticks")
    assert append(writer, DAY, B)["trades"]["rows"] == 12
    writer.close()
    check(sink, A, B)
    assert sink.holds(DAY, "trades", receipt)


def test_a_first_append_that_fails_leaves_no_trace(small_disk):
    sink = Feather(path=small_disk / "data")
    writer = sink.open(SCHEMAS)
    noise = sample("trades", rows=10_000)
    ids = pa.array([os.urandom(128).hex() for _ in range(10_000)])
    writer.write(DAY, "trades", noise.set_column(4, noise.schema.field(4), ids))
    with pytest.raises(SinkError, match=rf"{small_disk}.* the disk is full"):
        writer.append(DAY, ["trades"])
    writer.close()
    assert list(small_disk.iterdir()) == []


def test_a_full_disk_in_a_finish_leaves_the_segments(small_disk):
    sink = Parquet(path=small_disk / "data")
    noise = sample("trades", rows=2000)
    ids = pa.array([os.urandom(128).hex() for _ in range(2000)])
    given = noise.set_column(4, noise.schema.field(4), ids)
    writer = sink.open(SCHEMAS)
    receipt = append(writer, DAY, given)
    filler = small_disk / "filler"
    filler.write_bytes(b"x" * (os.statvfs(small_disk).f_bavail * 4096 - 100_000))
    with pytest.raises(SinkError, match=rf"{small_disk}.* the disk is full"):
        writer.finish(DAY, {"trades": rules.prove("trades", given)})
    check(sink, given)
    writer.abort()
    filler.unlink()
    writer.resume(DAY, receipt)
    writer.finish(DAY, {"trades": rules.prove("trades", given)})
    writer.close()
    check(sink, given)


def test_a_disk_that_becomes_read_only_is_named_by_an_append(small_disk):
    sink = Feather(path=small_disk / "data")
    writer = sink.open(SCHEMAS)
    append(writer, DAY, A)
    writer.close()
    writer = sink.open(SCHEMAS)
    remount = ["mount", "-o", "remount,ro", str(small_disk)]
    subprocess.run(remount, check=True, capture_output=True)
    writer.write(DAY, "trades", B)
    with pytest.raises(SinkError, match=rf"{small_disk}.* read-only; set another path"):
        writer.append(DAY, ["trades"])
    writer.close()
    check(sink, A)


def test_a_proof_that_is_not_that_of_the_rows_is_refused(sink):
    writer = sink.open(SCHEMAS)
    append(writer, DAY, A)
    writer.write(DAY, "trades", B)
    with pytest.raises(SinkError, match="12 rows came where 5 are proven"):
        writer.finish(DAY, {"trades": rules.prove("trades", A)})
    writer.close()
    check(sink, A)


def test_a_disk_that_is_away_at_the_end_of_a_day_is_named_and_may_come_back(tmp_path):
    """A plain OSError would end the stream for good, as if a plugin had failed."""
    place, away = tmp_path / "data", tmp_path / "away"
    sink = Feather(path=place)
    writer = sink.open(SCHEMAS)
    append(writer, DAY, A)
    place.rename(away)
    proofs = {"trades": rules.prove("trades", A)}
    with pytest.raises(SinkError, match=str(place)):
        writer.finish(DAY, proofs)
    away.rename(place)
    writer.abort()
    writer.finish(DAY, proofs)
    writer.close()
    check(sink, A)


def test_a_file_that_is_removed_while_it_is_written_to_is_missed_at_once(sink):
    writer = sink.open(SCHEMAS)
    receipt = append(writer, DAY, A)
    path = sink.path / receipt["trades"]["path"]
    aside = path.rename(sink.path / "aside")
    append(writer, DAY, B)  # moved, it is written to all the same
    aside.unlink()
    with pytest.raises(SinkError, match=f"^{path} was removed while it was written to; put the"):
        append(writer, DAY, C)
    writer.close()
    writer = sink.open(SCHEMAS)
    with pytest.raises(SinkError, match=rf"{path} has not all of the 5 rows .* put the file back"):
        writer.resume(DAY, receipt)
    writer.close()
