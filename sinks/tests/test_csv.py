import gzip
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import csv

from werks.errors import SinkError
from werks.options import structure
from werks.proof import Digest
from werks.schema import Scales, batch, schema, times
from werks.testing.sink import DAY, SCHEMAS, SinkTests, prove, sample
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


@pytest.mark.few(1)
class TestCsvSpelledOtherwise(SinkTests):
    @pytest.fixture(params=["gz", "zst", "zip"])
    def sink(self, tmp_path, request):
        given = {"header": False, "booleans": "yes/no", "timestamps": "ns"}
        return Csv(path=tmp_path / "data", compression=request.param, **given)

    def rows(self, sink, window, node):
        return pa.Table.from_batches(sink.read(window, node, SCHEMAS[node]), SCHEMAS[node])


def write(sink, *batches, window=DAY, node="node"):
    digest = Digest(batches[0].schema)
    writer = sink.open({node: batches[0].schema})
    for rows in batches:
        digest.add(rows)
        writer.write(window, node, rows)
    try:
        writer.commit(window, {node: digest.proof()})
    finally:
        writer.close()
    return sink._folder.target(window, node)


def lines(sink, *batches):
    return write(sink, *batches).read_text().splitlines()


def no_option(**given):
    """What a user is told of options."""
    component, problems = structure(Csv, {"path": "data", **given})
    assert component is None
    return problems


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


@pytest.fixture
def at(bar):
    """The same bar at another time."""

    def _at(nanoseconds):
        return bar.set_column(2, bar.schema.field(2), times(pa.array([nanoseconds]).to_numpy()))

    return _at


def test_a_file_is_plain_text_with_a_header(tmp_path, bar):
    header, line = lines(Csv(path=tmp_path), bar)
    assert header == ",".join(bar.schema.names)
    assert line == (
        "bazaar,XBTUSD,2019-10-01T00:00:00.000000001Z,,8297.5,8340,,,0.00000001,10,,,7,,,,,false"
    )


def test_times_can_be_nanoseconds(tmp_path, bar):
    _, line = lines(Csv(path=tmp_path, timestamps="ns"), bar)
    assert line.startswith("bazaar,XBTUSD,1569888000000000001,,8297.5")


@pytest.mark.parametrize(("unit", "shown"), [("us", "1569888000000007"), ("ms", "1569888000001")])
def test_times_can_be_counted_in_larger_units(tmp_path, at, unit, shown):
    step = {"us": 1_000, "ms": 1_000_000}[unit]
    whole = at(int(shown) * step)
    sink = Csv(path=tmp_path, timestamps=unit)
    assert lines(sink, whole)[1].startswith(f"bazaar,XBTUSD,{shown},,")
    assert next(iter(sink.read(DAY, "node", whole.schema))).equals(whole)


def test_a_time_is_never_cut(tmp_path, bar):
    with pytest.raises(SinkError, match=r"timestamp 2019-10-01T00:00:00.000000001Z .* of ms"):
        write(Csv(path=tmp_path, timestamps="ms"), bar)


def test_no_time_has_no_digits_to_lose(tmp_path, at):
    assert lines(Csv(path=tmp_path, timestamps="ms"), at(0))[1].startswith("bazaar,XBTUSD,0,,")
    assert lines(Csv(path=tmp_path, timestamps="ms"), at(-1_000_000))[1].split(",")[2] == "-1"


def test_text_is_quoted_only_where_it_must_be(tmp_path):
    of = schema("TRADE", Scales(1, 8))
    words = {"exchange": [DAY.exchange] * 5, "symbol": [DAY.symbol] * 5}
    ids = ["a b", None, 'say "no", now', "", "two\nlines"]
    text = write(Csv(path=tmp_path), batch(of, **words, trade_id=ids)).read_text()
    _, _, rows = text.partition("\n")
    found = rows.replace("bazaar,XBTUSD,,,", "").split(",,,,,\n")
    assert found == ["a b", "", '"say ""no"", now"', '""', '"two\nlines"', ""]


def test_a_line_does_not_depend_on_those_around_it(tmp_path):
    given = sample("trades")
    whole = write(Csv(path=tmp_path / "whole"), given).read_bytes()
    for width in (1, 3):
        pieces = [given.slice(row, width) for row in range(0, len(given), width)]
        spelled = [Csv(path=tmp_path)._spelling.lines(piece).to_pybytes() for piece in pieces]
        assert whole.endswith(b"\n" + b"".join(spelled))


def test_the_header_can_be_left_out(tmp_path, bar):
    (line,) = lines(Csv(path=tmp_path, header=False), bar)
    assert line.startswith("bazaar,XBTUSD,")


@pytest.mark.parametrize(("words", "no"), [("True/False", "False"), ("1/0", "0"), ("Y/N", "N")])
def test_yes_and_no_have_the_words_that_are_asked_for(tmp_path, bar, words, no):
    _, line = lines(Csv(path=tmp_path, booleans=words), bar)
    assert line.rpartition(",")[2] == no


def test_columns_come_in_the_order_that_is_asked_for(tmp_path, bar):
    sink = Csv(path=tmp_path, columns=("ticks", "symbol", "high"))
    assert lines(sink, bar) == ["ticks,symbol,high", "7,XBTUSD,8340"]


def test_rows_that_lack_columns_are_not_read_back(tmp_path, bar):
    sink = Csv(path=tmp_path, columns=("ticks", "symbol", "high"))
    write(sink, bar)
    with pytest.raises(SinkError, match="leaves out exchange, timestamp, end, open, low"):
        list(sink.read(DAY, "node", bar.schema))
    assert [proof.rows for _, proof in sink.proofs("node")] == [1]


def test_columns_in_another_order_are_read_back(tmp_path):
    given = sample("ticks")
    sink = Csv(path=tmp_path, columns=tuple(reversed(given.schema.names)))
    write(sink, given)
    assert pa.Table.from_batches(sink.read(DAY, "node", given.schema)).equals(
        pa.Table.from_batches([given])
    )


def test_an_unknown_column_is_refused_before_anything_is_written(tmp_path):
    sink = Csv(path=tmp_path, columns=("symbol", "prize"))
    with pytest.raises(SinkError, match="columns: trades has no prize; it has: exchange, symbol"):
        sink.open({"trades": SCHEMAS["trades"]})


def test_a_foreign_header_is_no_file_of_ours(tmp_path, bar):
    sink = Csv(path=tmp_path)
    path = write(sink, bar)
    path.write_text("time" + path.read_text())
    with pytest.raises(SinkError, match=r"2024-05-01\.csv is damaged: the first line is not"):
        list(sink.read(DAY, "node", bar.schema))


@pytest.mark.parametrize("rotate", ["", "1 KB"])
@pytest.mark.parametrize("packing", ["", "gz", "zst", "zip"])
def test_a_file_that_is_cut_or_altered_gives_its_rows_or_is_named(tmp_path, packing, rotate):
    """No error of a decompressor gets through, and no row that was not written."""
    given = sample("trades", rows=60)
    sink = Csv(path=tmp_path, compression=packing, rotate=rotate)
    write(sink, given, node="trades")
    path = next(
        path for path in sorted(tmp_path.rglob("XBTUSD*" if rotate else "*.csv*")) if path.is_file()
    )
    content, outcomes = path.read_bytes(), set()
    spoilt = [content[:end] for end in range(0, len(content), len(content) // 20)]
    for at in range(0, len(content), len(content) // 60):
        spoilt.append(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    for each in spoilt:
        path.write_bytes(each)
        try:
            found = pa.Table.from_batches(sink.read(DAY, "trades", given.schema), given.schema)
        except SinkError as error:
            outcomes.add(str(path.parent) in str(error) and "named")
        else:
            outcomes.add("same" if found.equals(pa.Table.from_batches([given])) else "another")
    assert outcomes <= {"named", "same", "another"}
    # These have a checksum; of a file that grows, only the part that is wanted is read.
    assert packing not in ("gz", "zip") or rotate or "another" not in outcomes


def test_a_file_with_other_text_is_damaged(tmp_path, bar):
    sink = Csv(path=tmp_path)
    path = write(sink, bar)
    path.write_text(path.read_text().replace("8297.5", "many"))
    with pytest.raises(SinkError, match=r"2024-05-01\.csv is damaged"):
        list(sink.read(DAY, "node", bar.schema))


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"booleans": "yes"}, ("booleans", 'a pair like "true/false" is expected')),
        ({"booleans": "1/1"}, ("booleans", 'a pair like "true/false" is expected')),
        ({"booleans": "a/b/c"}, ("booleans", 'a pair like "true/false" is expected')),
        ({"booleans": "y,/n"}, ("booleans", 'a pair like "true/false" is expected')),
        ({"columns": ["a", "b", "a"]}, ("columns", "each column once is expected")),
        ({"columns": "price"}, ("columns", "a list is expected")),
        ({"header": "no"}, ("header", "true or false is expected")),
        ({"timestamps": "unix"}, ("timestamps", 'must be one of "iso" | "ns" | "us" | "ms"')),
        ({"compression": "rar"}, ("compression", 'must be one of "" | "gz" | "zst" | "zip"')),
    ],
)
def test_a_wrong_option_is_told_in_a_line(given, problem):
    ((name, what),) = no_option(**given)
    assert name == problem[0]
    assert what.startswith(problem[1])
    assert "\n" not in what


def test_many_rows_keep_their_order(tmp_path):
    given = pa.concat_batches([sample("trades", rows=999)] * 71)
    sink = Csv(path=tmp_path)
    stored = read(write(sink, given), given.schema)
    for name in ("price", "size", "notional", "trade_id", "tick_rule"):
        assert stored[name].combine_chunks().equals(given[name])


@pytest.mark.parametrize("packing", ["gz", "zst", "zip"])
def test_a_compressed_file_has_the_same_bytes_each_time(tmp_path, packing):
    given = sample("trades", rows=500)
    plain = write(Csv(path=tmp_path / "plain"), given).read_bytes()
    paths = [write(Csv(path=tmp_path / name, compression=packing), given) for name in "ab"]
    assert [path.name for path in paths] == [f"2024-05-01.csv.{packing}"] * 2
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert unpacked(paths[0]) == plain


def test_a_zip_holds_one_file_without_a_clock(tmp_path, bar):
    with zipfile.ZipFile(write(Csv(path=tmp_path, compression="zip"), bar)) as archive:
        (member,) = archive.infolist()
    assert (member.filename, member.date_time[0]) == ("2024-05-01.csv", 1980)


def unpacked(path: Path):
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes())
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            return archive.read(archive.namelist()[0])
    with pa.CompressedInputStream(pa.OSFile(str(path)), "zstd") as file:
        return file.read()


def test_proofs_tell_of_each_window(tmp_path):
    sink = Csv(path=tmp_path)
    write(sink, sample("trades"), node="trades")
    assert list(sink.proofs("trades")) == [(DAY, prove("trades", sample("trades")))]
