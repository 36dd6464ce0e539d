import pyarrow as pa
import pyarrow.feather
import pytest

from werks.proof import Digest
from werks.schema import kind, version
from werks.testing.sink import DAY, SinkTests, sample
from werks_sinks.feather import Feather, rows_of


class TestFeather(SinkTests):
    @pytest.fixture
    def sink(self, tmp_path):
        return Feather(path=tmp_path / "data")

    def rows(self, sink, window, node):
        path = sink._folder.target(window, node)
        return pyarrow.feather.read_table(path) if path.exists() else None


def proof(of, *batches):
    digest = Digest(of)
    for batch in batches:
        digest.add(batch)
    return digest.proof()


def read(sink, node):
    return pyarrow.feather.read_table(sink._folder.target(DAY, node))


def write(sink, of, *batches):
    writer = sink.open({"node": of})
    for rows in batches:
        writer.write(DAY, "node", rows)
    writer.commit(DAY, {"node": proof(of, *batches)})
    writer.close()
    return read(sink, "node")


def test_the_schema_is_kept_with_its_kind_and_version(tmp_path):
    given = sample("ticks")
    stored = write(Feather(path=tmp_path), given.schema, given).schema
    assert stored.equals(given.schema, check_metadata=True)
    assert (kind(stored), version(stored)) == ("TICK", 1)


def test_files_are_compressed_with_zstd(tmp_path):
    given = sample("trades", rows=10_000)
    write(Feather(path=tmp_path), given.schema, given)
    content = (tmp_path / "node/bazaar/XBTUSD/2024-05-01.feather").read_bytes()
    assert len(content) < given.nbytes / 5
    assert b"\x28\xb5\x2f\xfd" in content  # the mark of a zstd frame


@pytest.mark.parametrize("node", ["trades", "ticks", "bars"])
def test_a_write_has_some_megabytes_however_wide_the_rows(tmp_path, node):
    given = sample(node, rows=1000)
    batches = [given] * 70
    stored = write(Feather(path=tmp_path), given.schema, *batches)
    first = stored.to_batches()[0]
    assert len(first) == rows_of(given.schema) < len(stored)
    assert 3 << 20 < first.nbytes < 9 << 20


def test_amounts_can_be_the_nearest_floats(tmp_path):
    given = sample("bars", rows=200)
    stored = write(Feather(path=tmp_path, amounts="float64"), given.schema, given)
    assert stored.schema.field("close").type == pa.float64()
    assert stored.schema.metadata == given.schema.metadata
    for name in ("open", "volume", "notional", "realized_variance"):
        exact = given[name].to_pylist()
        assert stored[name].to_pylist() == [None if v is None else float(v) for v in exact]


@pytest.mark.long
def test_dictionaries_may_differ_from_batch_to_batch(tmp_path):
    of = pa.schema([("side", pa.dictionary(pa.int32(), pa.string()))])
    texts = [["buy", "sell"], ["sell", None, "none"], ["buy"], ["none", "other"]]
    batches = [
        pa.record_batch([pa.array(text).dictionary_encode()], schema=of)
        for words in texts
        for text in [words * 40_000]
    ]
    stored = write(Feather(path=tmp_path), of, *batches)
    assert stored["side"].to_pylist() == [word for words in texts for word in words * 40_000]


def test_a_misspelt_option_value_is_refused(tmp_path):
    with pytest.raises(ValueError, match="float64"):
        Feather(path=tmp_path, amounts="float")
