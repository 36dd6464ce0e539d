import pyarrow as pa
import pytest
from pyarrow import csv

from werks.schema import Scales, batch, schema, times
from werks.testing.sink import DAY, SCHEMAS, SinkTests, sample
from werks_sinks.csv import Csv


def read(path, of):
    def kind(field):
        as_text = pa.types.is_timestamp(field.type) or pa.types.is_dictionary(field.type)
        return pa.string() if as_text else field.type

    options = csv.ConvertOptions(
        column_types={field.name: kind(field) for field in of},
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    parse = csv.ParseOptions(newlines_in_values=True)
    return csv.read_csv(path, convert_options=options, parse_options=parse)


class TestCsv(SinkTests):
    @pytest.fixture
    def sink(self, tmp_path):
        return Csv(path=tmp_path / "data")

    def rows(self, sink, window, node):
        path = sink._folder.target(window, node)
        return read(path, SCHEMAS[node]) if path.exists() else None


def lines(sink, of, given):
    writer = sink.open({"node": of})
    writer.write(DAY, "node", given)
    writer.commit(DAY, ["node"])
    writer.close()
    return sink._folder.target(DAY, "node").read_text().splitlines()


@pytest.fixture
def bar():
    of = schema("BAR", Scales(1, 8))
    first = times(pa.array([1_569_888_000_000_000_001]).to_numpy())
    amounts = {"open": [82975], "high": [83400], "volume": [1], "notional": [10**10]}
    columns = {
        name: pa.array(values).cast(pa.decimal128(38, 0)).view(of.field(name).type)
        for name, values in amounts.items()
    }
    return batch(of, exchange=[DAY.exchange], symbol=[DAY.symbol], timestamp=first,
                 ticks=[7], complete=[False], **columns)  # fmt: skip


def test_a_file_is_plain_text_with_a_header(tmp_path, bar):
    header, line = lines(Csv(path=tmp_path), bar.schema, bar)
    assert header == ",".join(bar.schema.names)
    assert line == (
        "bazaar,XBTUSD,2019-10-01T00:00:00.000000001Z,,8297.5,8340,,,0.00000001,10,,,7,,,,,false"
    )


def test_times_can_be_nanoseconds(tmp_path, bar):
    _, line = lines(Csv(path=tmp_path, timestamps="ns"), bar.schema, bar)
    assert line.startswith("bazaar,XBTUSD,1569888000000000001,,8297.5")


def test_text_is_quoted_only_where_it_must_be(tmp_path):
    of = schema("TRADE", Scales(1, 8))
    words = {"exchange": [DAY.exchange] * 2, "symbol": [DAY.symbol] * 2}
    plain = batch(of, **words, trade_id=["a b", None])
    assert '"' not in "".join(lines(Csv(path=tmp_path), of, plain))
    special = batch(of, **words, trade_id=['say "no", now', ""])
    found = lines(Csv(path=tmp_path), of, special)
    assert '"say ""no"", now"' in found[1]
    assert found[2] == '"bazaar","XBTUSD",,,"",,,,,'


def test_a_misspelt_option_value_is_refused(tmp_path):
    with pytest.raises(ValueError, match="iso"):
        Csv(path=tmp_path, timestamps="unix")


def test_many_rows_keep_their_order(tmp_path):
    given = pa.concat_batches([sample("trades", rows=999)] * 71)
    sink = Csv(path=tmp_path)
    lines(sink, given.schema, given)
    stored = read(sink._folder.target(DAY, "node"), given.schema)
    for name in ("price", "size", "notional", "trade_id", "tick_rule"):
        assert stored[name].combine_chunks().equals(given[name])
