import pyarrow as pa
import pytest
from pyarrow import parquet

from werks.proof import Digest
from werks.schema import kind, version
from werks.testing.sink import DAY, SinkTests, sample
from werks_sinks.parquet import Parquet


@pytest.mark.long
class TestParquet(SinkTests):
    @pytest.fixture
    def sink(self, tmp_path):
        return Parquet(path=tmp_path / "data")

    def rows(self, sink, window, node):
        path = sink._folder.target(window, node)
        return parquet.ParquetFile(path).read() if path.exists() else None


def proof(of, *batches):
    digest = Digest(of)
    for batch in batches:
        digest.add(batch)
    return digest.proof()


def write(sink, given):
    writer = sink.open({"node": given.schema})
    writer.write(DAY, "node", given)
    writer.commit(DAY, {"node": proof(given.schema, given)})
    writer.close()
    return parquet.ParquetFile(sink._folder.target(DAY, "node"))


def test_the_schema_is_kept_with_its_kind_and_version(tmp_path):
    given = sample("significant")
    stored = write(Parquet(path=tmp_path), given).schema_arrow
    assert stored.equals(given.schema)
    assert (kind(stored), version(stored)) == ("SIGNIFICANT", 1)


def test_columns_are_encoded_for_size_and_speed(tmp_path):
    given = sample("trades")
    group = write(Parquet(path=tmp_path), given).metadata.row_group(0)
    columns = {group.column(i).path_in_schema: group.column(i) for i in range(group.num_columns)}
    assert {column.compression for column in columns.values()} == {"ZSTD"}
    assert "DELTA_BINARY_PACKED" in columns["timestamp"].encodings
    assert "DELTA_BYTE_ARRAY" in columns["trade_id"].encodings
    assert "RLE_DICTIONARY" in columns["symbol"].encodings
    assert set(columns["price"].encodings) == {"PLAIN", "RLE"}
    assert columns["timestamp"].is_stats_set


def test_amounts_can_be_the_nearest_floats(tmp_path):
    given = sample("ticks", rows=200)
    stored = write(Parquet(path=tmp_path, amounts="float64"), given).read()
    assert stored.schema.field("price").type == pa.float64()
    exact = given["notional"].to_pylist()
    assert stored["notional"].to_pylist() == [None if v is None else float(v) for v in exact]


def test_row_groups_are_large(tmp_path):
    sink = Parquet(path=tmp_path)
    given = sample("trades", rows=1000)
    writer = sink.open({"trades": given.schema})
    for _ in range(150):
        writer.write(DAY, "trades", given)
    writer.commit(DAY, {"trades": proof(given.schema, *[given] * 150)})
    writer.close()
    found = parquet.ParquetFile(sink._folder.target(DAY, "trades")).metadata
    sizes = [found.row_group(i).num_rows for i in range(found.num_row_groups)]
    assert sizes == [65_536, 65_536, 150_000 - 2 * 65_536]
