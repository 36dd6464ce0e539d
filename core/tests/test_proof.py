"""The proof of rows: whatever the cut, the same; whatever is altered, another."""

from decimal import Decimal
from itertools import pairwise

import attrs
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from werks.components import Proof
from werks.proof import Digest
from werks.schema import Scales, schema, word
from werks.testing.sink import NODES, prove, sample

ROWS = 60


def fold(*batches: pa.RecordBatch) -> Proof:
    digest = Digest(batches[0].schema)
    for batch in batches:
        digest.add(batch)
    return digest.proof()


@pytest.mark.parametrize("node", NODES)
@given(cuts=st.sets(st.integers(0, ROWS)))
def test_the_cut_of_batches_changes_nothing(node, cuts):
    whole = sample(node, rows=ROWS)
    edges = [0, *sorted(cuts), ROWS]
    pieces = [whole.slice(a, b - a) for a, b in pairwise(edges)]
    assert prove(node, *pieces) == prove(node, whole)


@pytest.mark.parametrize("node", NODES)
def test_every_cell_counts(node):
    """Another value in one cell of any column, or none in place of one, gives another hash."""
    rows, other = sample(node, rows=7), sample(node, rows=7, seed=2)
    hashes = {prove(node, rows).hash}
    changed = 0
    for place, field in enumerate(rows.schema):
        for row in range(len(rows)):
            if rows[place][row] == other[place][row] or field.name in ("exchange", "symbol"):
                continue
            column = pa.concat_arrays(
                [rows[place][:row], other[place][row : row + 1], rows[place][row + 1 :]]
            )
            arrays = [*rows.columns]
            arrays[place] = column
            hashes.add(prove(node, pa.RecordBatch.from_arrays(arrays, schema=rows.schema)).hash)
            changed += 1
    assert changed > len(rows.schema)
    assert len(hashes) == changed + 1


def test_the_order_counts():
    rows = sample("trades")
    turned = rows.take(pa.array([1, 0, *range(2, len(rows))]))
    ours, theirs = prove("trades", rows), prove("trades", turned)
    assert (ours.rows, ours.sums) == (theirs.rows, theirs.sums)
    assert ours.hash != theirs.hash


@pytest.mark.parametrize("name", ["exchange", "symbol"])
def test_words_count_by_what_they_are_and_not_by_how_they_are_encoded(name):
    rows = sample("bars", rows=4)
    place = rows.schema.get_field_index(name)

    def with_words(column: pa.Array) -> str:
        arrays = [*rows.columns]
        arrays[place] = column
        return prove("bars", pa.RecordBatch.from_arrays(arrays, schema=rows.schema)).hash

    plain = with_words(pa.array(["a", "a", "b", "a"]).dictionary_encode())
    indices = pa.array([2, 2, 0, 2], pa.int32())
    other = with_words(pa.DictionaryArray.from_arrays(indices, pa.array(["b", "c", "a"])))
    assert plain == other
    assert plain != with_words(pa.array(["a", "b", "a", "a"]).dictionary_encode())
    # No word runs into the next one, and no run into the next word.
    assert len({with_words(word(text, 4)) for text in ("", "a", "aa", "aaaa")}) == 4


def test_text_is_parted():
    of = pa.schema([("id", pa.string())])
    cells = (["ab", "c"], ["a", "bc"], ["abc", ""], ["abc", None], [None, "abc"], ["", "abc"])
    batches = [pa.RecordBatch.from_arrays([pa.array(each)], schema=of) for each in cells]
    assert len({fold(batch).hash for batch in batches}) == len(batches)


def test_sums_and_ids_are_exact():
    of = schema("TRADE", Scales(2, 8))
    rows = 5
    batch = sample("trades", rows=rows)
    columns = {name: batch[name] for name in ("exchange", "symbol", "timestamp")}
    size = pa.array([Decimal("90000000000000000000.00000001")] * rows, pa.decimal128(38, 8))
    notional = pa.array([None, *[Decimal("0.0000000001")] * 4], pa.decimal128(38, 10))
    ids = pa.array(["9", "10", "11", "12", "13"])
    arrays = {**columns, "size": size, "notional": notional, "trade_id": ids}
    full = [arrays.get(field.name, pa.nulls(rows, field.type)) for field in of]
    proof = fold(pa.RecordBatch.from_arrays(full, schema=of))
    assert (proof.first_id, proof.last_id, proof.rows) == ("9", "13", 5)
    assert proof.sums == {"size": "450000000000000000000.00000005", "notional": "0.0000000004"}


def test_no_rows_have_a_proof():
    proof = prove("ticks")
    assert proof == prove("ticks", sample("ticks").slice(0, 0))
    assert (proof.rows, proof.first_id, proof.last_id) == (0, None, None)
    assert proof.sums == {"size": "0.0000000000", "notional": "0.000000000000", "ticks": "0"}


def test_a_tick_goes_from_its_first_trade_to_its_last():
    ticks = sample("ticks", rows=4)
    proof = prove("ticks", ticks)
    assert proof.first_id == ticks["trade_id"][0].as_py()
    assert proof.last_id == ticks["last_trade_id"][3].as_py()


def test_a_proof_is_the_same_tomorrow():
    """The hash is part of what is stored, so it may not change without a new version of rows."""
    assert attrs.asdict(prove("bars", sample("bars", rows=3)))["hash"] == PINNED


PINNED = "sha256:abe2905c0c020b6d4186268b72363022dde8264c0d54c18ddf82c00c294b484f"
