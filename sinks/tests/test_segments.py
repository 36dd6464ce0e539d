import os
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pyarrow as pa
import pytest

from werks.errors import SinkError
from werks_sinks.csv import Csv
from werks_sinks.feather import Feather
from werks_sinks.parquet import Parquet

_spec = spec_from_file_location("segment_rules", Path(__file__).with_name("segment_rules.py"))
rules = module_from_spec(_spec)
_spec.loader.exec_module(rules)


class TestFeather(rules.SegmentRules):
    @pytest.fixture
    def sink(self, tmp_path):
        return Feather(path=tmp_path / "data")


class TestParquet(rules.SegmentRules):
    @pytest.fixture
    def sink(self, tmp_path):
        return Parquet(path=tmp_path / "data")


@pytest.mark.long
class TestCsv(rules.SegmentRules):
    @pytest.fixture
    def sink(self, tmp_path):
        return Csv(path=tmp_path / "data")


DAY, NEXT, SCHEMAS, sample = rules.DAY, rules.NEXT, rules.SCHEMAS, rules.sample
A, B, C, append, check, found = rules.A, rules.B, rules.C, rules.append, rules.check, rules.found
FILES, sink, live, finished = rules.FILES, rules.sink, rules.live, rules.finished


def test_a_receipt_names_rows_bytes_and_path(sink, live):
    writer = sink.open(SCHEMAS)
    append(writer, DAY, A)
    receipt = append(writer, DAY, B)
    path = live.relative_to(sink.path).as_posix()
    assert receipt == {"trades": {"rows": 12, "bytes": live.stat().st_size, "path": path}}
    writer.finish(DAY, {"trades": rules.prove("trades", A, B)})
    writer.close()
    assert sorted(p.name for p in (sink.path / FILES).iterdir()) == [
        f"2024-05-01.{sink._folder.extension}",
        "_receipts",
    ]


@pytest.mark.few(1)
def test_a_finished_day_has_the_same_bytes_as_a_committed_one(sink):
    given = [sample("trades", rows=700, seed=seed) for seed in range(100)]
    rules.put(sink, DAY, *given)
    once = sink._folder.target(DAY, "trades").read_bytes()
    assert finished(sink, {}, *given) == once


def test_all_who_read_arrow_streams_read_segments(sink, live):
    """Each segment has its own dictionaries, only the schema is not repeated."""
    writer = sink.open(SCHEMAS)
    for rows in (A, B, C):
        append(writer, DAY, rows)
    with pa.ipc.open_stream(live) as reader:
        assert [batch["trade_id"].to_pylist() for batch in reader] == [
            batch["trade_id"].to_pylist() for batch in (A, B, C)
        ]
    kinds = [message.type for message in pa.ipc.MessageReader.open_stream(live.read_bytes())]
    words = ["dictionary"] * 2
    assert kinds == ["schema", *words, "record batch", "record batch", "record batch"]
    writer.close()
    writer = sink.open(SCHEMAS)
    append(writer, DAY, A)
    writer.close()
    kinds = [message.type for message in pa.ipc.MessageReader.open_stream(live.read_bytes())]
    assert kinds[-3:] == [*words, "record batch"]
    assert pa.ipc.open_stream(live).read_all().num_rows == 20


def test_words_may_change_from_segment_to_segment(tmp_path):
    of = pa.schema([("side", pa.dictionary(pa.int32(), pa.string()))])
    texts = [["buy", "sell"], ["buy", "sell"], ["sell", None], ["other"], ["buy"]]
    given = [pa.record_batch([pa.array(text).dictionary_encode()], schema=of) for text in texts]
    sink = Feather(path=tmp_path)
    writer = sink.open({"node": of})
    for rows in given:
        append(writer, DAY, rows, node="node")
    writer.close()
    live = sink._folder.segments(DAY, "node")
    for stored in (
        pa.ipc.open_stream(live).read_all(),
        pa.Table.from_batches(sink.read(DAY, "node", of)),
    ):
        assert stored["side"].to_pylist() == [word for text in texts for word in text]


@pytest.mark.long
def test_a_segment_torn_at_any_byte_is_cut_off(tmp_path):
    sink = Feather(path=tmp_path / "data")
    live = sink._folder.segments(DAY, "trades")
    writer = sink.open(SCHEMAS)
    receipt = append(writer, DAY, A)
    other = sample("trades", rules.OTHER, rows=1)  # so that the torn segment has dictionaries
    append(writer, rules.OTHER, other)
    writer.close()
    writer = sink.open(SCHEMAS)
    writer.resume(DAY, receipt)
    append(writer, DAY, C)
    writer.close()
    content, begin = live.read_bytes(), receipt["trades"]["bytes"]
    assert pa.ipc.open_stream(content).read_all().num_rows == 8
    for end in range(begin, len(content)):
        live.write_bytes(content[:end])
        check(sink, A)
        if end % 31 == 0:
            writer = sink.open(SCHEMAS)
            if end % 2:
                writer.resume(DAY, receipt)
            append(writer, DAY, B)
            writer.close()
            check(sink, A, B)


def test_a_segment_torn_in_its_schema_begins_anew(tmp_path):
    sink = Feather(path=tmp_path / "data")
    live = sink._folder.segments(DAY, "trades")
    for end in range(0, 1100, 37):
        writer = sink.open(SCHEMAS)
        writer.resume(DAY, {})
        append(writer, DAY, A)
        live.write_bytes(live.read_bytes()[:end])
        writer.close()
        check(sink)
        assert list(sink.proofs("trades")) == [(DAY, None)]
        writer = sink.open(SCHEMAS)
        append(writer, DAY, B)
        writer.close()
        check(sink, B)


def test_segments_with_too_few_rows_for_a_receipt_are_named(sink, live):
    writer = sink.open(SCHEMAS)
    receipt = append(writer, DAY, A)
    writer.close()
    os.truncate(live, live.stat().st_size - 1)
    assert not sink.holds(DAY, "trades", receipt)
    writer = sink.open(SCHEMAS)
    with pytest.raises(SinkError, match=rf"{live}.* 5 rows .* have the day written anew"):
        writer.resume(DAY, receipt)
    writer.close()


def test_segments_that_are_damaged_are_not_finished(sink, live):
    writer = sink.open(SCHEMAS)
    first = append(writer, DAY, A)["trades"]["bytes"]
    append(writer, DAY, B)
    append(writer, DAY, C)
    with live.open("r+b") as file:
        file.seek(first + 4)
        file.write(b"\xff" * 8)
    with pytest.raises(SinkError, match=rf"{live} is damaged: 5 of 15 rows can be read"):
        writer.finish(DAY, {"trades": rules.prove("trades", A, B, C)})
    writer.close()
    assert live.exists()
    assert not sink._folder.target(DAY, "trades").exists()


def test_two_runs_do_not_append_to_one_day(sink, live):
    first, second = sink.open(SCHEMAS), sink.open(SCHEMAS)
    append(first, DAY, A)
    second.write(DAY, "trades", B)
    with pytest.raises(SinkError, match=rf"{live}: another run appends to this; end one"):
        second.append(DAY, ["trades"])
    second.abort()
    with pytest.raises(SinkError, match=rf"{live}: another run appends to this; end one"):
        second.resume(DAY, {})
    second.close()
    append(first, DAY, C)
    first.close()
    check(sink, A, C)
