import json
from contextlib import suppress
from decimal import Decimal
from importlib import import_module

import pyarrow as pa
import pyarrow.dataset
import pytest

from werks.components import Window
from werks.errors import SinkError
from werks.proof import Digest
from werks.schema import Scales, batch, schema
from werks.testing.sink import DAY, REMAINDER, SCHEMAS, STRANGE, prove, sample
from werks_sinks.feather import Feather
from werks_sinks.names import safe
from werks_sinks.parquet import Parquet
from werks_sinks.places import plain

SAMPLE = sample("trades", rows=1000)
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


def put(sink, window, rows, node="trades", of=None):
    of = of or SCHEMAS[node]
    digest = Digest(of)
    digest.add(rows)
    writer = sink.open({node: of})
    writer.write(window, node, rows)
    writer.commit(window, {node: digest.proof()})
    writer.close()


def found(sink, of=SCHEMAS["trades"], node="trades"):
    return pa.Table.from_batches(sink.read(DAY, node, of), of)


def test_a_proof_is_json_that_names_what_it_is_of(sink, target):
    window = Window("bazaar", "XBT/USD", DAY.day)
    rows = sample("trades", window, rows=3)
    put(sink, window, rows)
    path = target.parent.parent / "XBT%2FUSD" / "_receipts" / f"{target.name}.json"
    proof = prove("trades", rows)
    assert json.loads(path.read_text()) == {
        "exchange": "bazaar",
        "symbol": "XBT/USD",
        "window": "2024-05-01",
        "node": "trades",
        "rows": 3,
        "first_id": proof.first_id,
        "last_id": proof.last_id,
        "sums": proof.sums,
        "hash": proof.hash,
    }


def test_rows_without_a_proof_are_told_by_the_names_of_their_folders(sink):
    for symbol in STRANGE:
        window = Window("bazaar", symbol, DAY.day)
        put(sink, window, sample("trades", window, rows=2))
        sink._folder.receipt(window, "trades").unlink()
    told = {window.symbol for window, proof in sink.proofs("trades") if proof is None}
    long = {symbol for symbol in STRANGE if len(symbol) > 100}
    assert told == set(STRANGE) - long | {safe(symbol) for symbol in long}


def test_names_are_told_from_what_is_made_of_them():
    for text in (*STRANGE, "%", "%41", "a%2Fb", "..."):
        assert plain(safe(text)) == (text if len(text) < 100 else safe(text))
    assert plain("%ff") == "%ff"  # which no text is made into


def test_other_files_are_no_windows(sink, target):
    put(sink, DAY, sample("trades"))
    for name in ("notes.txt", f"notes.{target.suffix}", f"2024-13-01{target.suffix}", ".hidden"):
        (target.parent / name).write_text("mine")
    (target.parent.parent / "README").write_text("mine")
    assert [window for window, _ in sink.proofs("trades")] == [DAY]


def test_a_damaged_proof_is_named(sink, target):
    put(sink, DAY, sample("trades"))
    path = target.parent / "_receipts" / f"{target.name}.json"
    listed = json.dumps(json.loads(path.read_bytes()) | {"sums": []}).encode()
    for content in (b"", b"{}", b"[]", b'{"rows": 3', b"\xff\xfe", listed):
        path.write_bytes(content)
        with pytest.raises(SinkError, match=rf"{path} is damaged: .*; remove it, then run again"):
            list(sink.proofs("trades"))


@pytest.mark.parametrize("kind", ["feather", "parquet"])
@pytest.mark.parametrize("damage", ["empty", "half", "other"])
def test_a_damaged_file_is_named(sink, target, damage):
    put(sink, DAY, sample("trades", rows=1000))
    content = target.read_bytes()
    target.write_bytes(
        {
            "empty": b"",
            "half": content[: len(content) // 2],
            "other": b"something else\n" * 100,
        }[damage]
    )
    with pytest.raises(SinkError, match=rf"{target} is damaged: .*; remove it, then run again"):
        list(sink.read(DAY, "trades", SCHEMAS["trades"]))


@pytest.mark.parametrize("kind", ["feather", "parquet"])
def test_damage_that_no_error_tells_is_told_by_the_proof(sink, target):
    put(sink, DAY, SAMPLE)
    content = bytearray(target.read_bytes())
    told = set()
    for place in range(100, len(content), len(content) // 50):
        target.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        told.add(proven(sink))
    assert {"damaged", "another"} <= told


def proven(sink):
    digest = Digest(SCHEMAS["trades"])
    with suppress(SinkError):
        for rows in sink.read(DAY, "trades", SCHEMAS["trades"]):
            digest.add(rows)
        return "the same" if digest.proof() == prove("trades", SAMPLE) else "another"
    return "damaged"


def test_a_folder_in_the_place_of_a_file_is_named(sink, target):
    target.mkdir(parents=True)
    with pytest.raises(SinkError, match=f"{target}"):
        list(sink.read(DAY, "trades", SCHEMAS["trades"]))


@pytest.mark.parametrize("kind", ["feather", "parquet"])
def test_rows_of_another_version_are_refused_by_name(sink, target):
    of = SCHEMAS["trades"]
    later = of.with_metadata({**of.metadata, b"werks.version": b"2"})
    put(sink, DAY, sample("trades").cast(later), of=later)
    with pytest.raises(SinkError, match=rf"{target} holds rows of version 2, .* reads version 1"):
        list(sink.read(DAY, "trades", of))


@pytest.mark.parametrize("kind", ["feather", "parquet"])
def test_columns_that_are_not_there_are_named(sink, target):
    of = SCHEMAS["trades"]
    put(
        sink, DAY, sample("trades").drop_columns(["flag"]), of=of.remove(of.get_field_index("flag"))
    )
    with pytest.raises(SinkError, match=rf"{target} .*flag"):
        list(sink.read(DAY, "trades", of))


@pytest.mark.parametrize("kind", ["feather", "parquet"])
def test_columns_are_read_by_name(sink):
    of = SCHEMAS["trades"]
    put(sink, DAY, sample("trades"))
    names = ["price", "symbol", "trade_id"]
    some = pa.schema([of.field(name) for name in names], metadata=of.metadata)
    (rows,) = sink.read(DAY, "trades", some)
    assert rows.equals(sample("trades").select(names))


@pytest.mark.parametrize("cls", [Feather, Parquet])
def test_floats_come_back_as_amounts_of_which_they_are_the_nearest(tmp_path, cls):
    of = schema("TRADE", Scales(2, 8))
    sink = cls(path=tmp_path, amounts="float64")
    usual = [Decimal(n) / 100 for n in (0, 1, -1, 829_750, 6_512_345, 10**13 + 1)]
    odd = [Decimal("12345678901234567890.12"), Decimal("-0.01"), None]
    kind = of.field("price").type
    amounts = [None if x is None else x.quantize(Decimal("0.01")) for x in (*usual, *odd)]
    count = len(amounts)
    rows = batch(
        of,
        exchange=[DAY.exchange] * count,
        symbol=[DAY.symbol] * count,
        price=pa.array(amounts, kind),
    )
    put(sink, DAY, rows, of=of)
    table = found(sink, of)
    stored = table["price"].to_pylist()
    assert table.schema.equals(of)
    assert stored[: len(usual)] == amounts[: len(usual)]
    for given, back in zip(amounts, stored, strict=True):
        if given is None:
            assert back is None
        else:
            assert float(back) == float(given)


def test_floats_of_a_market_of_many_digits_come_back_exactly(tmp_path):
    of = schema("TRADE", Scales(8, 8))
    sink = Feather(path=tmp_path, amounts="float64")
    texts = ("7123.456789", "0.00000001", "3035732.53438", "123456789012345", "0.1", "-0.3")
    amounts = pa.array(map(Decimal, texts), of.field("notional").type)
    words = {"exchange": [DAY.exchange] * 6, "symbol": [DAY.symbol] * 6}
    put(sink, DAY, batch(of, **words, notional=amounts), of=of)
    assert found(sink, of)["notional"].to_pylist() == amounts.to_pylist()


@pytest.mark.parametrize("cls", [Feather, Parquet])
def test_floats_finished_from_segments_are_those_of_a_commit(tmp_path, cls):
    of = SCHEMAS["trades"]
    place, whole = of.get_field_index("price"), sample("trades", rows=999)
    prices = pa.array([Decimal(n * n) / 10 for n in range(999)], of.field("price").type)
    for name in ("size", "notional"):
        nothing = pa.nulls(999, of.field(name).type)
        whole = whole.set_column(of.get_field_index(name), of.field(name), nothing)
    given = [whole.set_column(place, of.field("price"), prices)] * 70
    once, live = (cls(path=tmp_path / name, amounts="float64") for name in "ab")
    put(once, DAY, pa.concat_batches(given))
    writer = live.open(SCHEMAS)
    for rows in given[:3]:
        writer.write(DAY, "trades", rows)
        writer.append(DAY, ["trades"])
    for rows in given[3:]:  # so many that they go by way of a file of floats
        writer.write(DAY, "trades", rows)
    writer.append(DAY, ["trades"])
    writer.finish(DAY, {"trades": prove("trades", *given)})
    writer.close()
    files = [sink._folder.target(DAY, "trades").read_bytes() for sink in (once, live)]
    assert files[0] == files[1]


@pytest.mark.parametrize("cls", [Feather, Parquet])
def test_what_it_is_and_words_are_kept_in_the_file(tmp_path, cls):
    sink = cls(path=tmp_path)
    put(sink, DAY, sample("bars"), node="bars")
    stored = sink._form.stored(sink._folder.target(DAY, "bars"))
    assert stored.equals(SCHEMAS["bars"])
    assert stored.metadata == SCHEMAS["bars"].metadata


def test_proofs_and_segments_are_no_part_of_a_dataset(tmp_path):
    """Arrow, Spark and Hive leave out folders that begin with `_`."""
    sink = Parquet(path=tmp_path)
    for window in (DAY, REMAINDER):
        put(sink, window, sample("bars", rows=4), node="bars")
    writer = sink.open(SCHEMAS)
    later = Window(DAY.exchange, DAY.symbol, DAY.day.replace(day=9))
    writer.write(later, "bars", sample("bars", rows=4))
    writer.append(later, ["bars"])
    writer.close()
    assert pyarrow.dataset.dataset(tmp_path / "bars", format="parquet").count_rows() == 8
