"""Rows that are left open: the same as values, as a batch and as JSON, however large they are."""

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from werks.schema import Scales, kind, schema
from werks.transforms.addends import Addends
from werks.transforms.carry import Folded, Layout, batch_of, parted, plain, restored, row_of
from werks.transforms.columns import on_book

TICK = schema("TICK", Scales(3, 5))
SIGNIFICANT = schema("SIGNIFICANT", Scales(0, 18))
AMOUNTS = st.integers(0, 10**37) | st.sampled_from((0, 1, 2**63 - 1, 2**63, 2**64, 10**38 - 1))
TEXTS = st.text(max_size=8)
TIMES = st.integers(0, 2**62)


def values(field):
    """Return what a row may hold under a field."""
    if pa.types.is_decimal(field.type):
        own = AMOUNTS
    elif pa.types.is_timestamp(field.type):
        own = TIMES
    elif field.type in (pa.string(), pa.dictionary(pa.int32(), pa.string())):
        own = TEXTS
    else:
        own = st.integers(-1, 1)
    names = ("received", "tick_rule", "size", "notional", "ticks", "trade_id")
    return own | st.none() if field.name in names else own


def rows(of):
    return st.fixed_dictionaries({field.name: values(field) for field in of})


@given(st.sampled_from((TICK, SIGNIFICANT)).flatmap(lambda of: st.tuples(st.just(of), rows(of))))
def test_a_row_is_the_same_as_a_batch_and_as_json(given_):
    of, row = given_
    assert row_of(batch_of(Layout(of), row)) == row
    assert restored(of, json.loads(json.dumps(plain(of, row)))) == row


def test_no_row_is_no_state():
    assert plain(TICK, None) is None
    assert restored(TICK, None) is None


@given(AMOUNTS, st.lists(AMOUNTS, min_size=1, max_size=4), st.integers(0, 1))
def test_a_row_stands_in_front_of_others(head, amounts, begin):
    of = pa.schema([TICK.field(name) for name in ("symbol", "timestamp", "price", "size", "ticks")])
    of = of.with_metadata(TICK.metadata)
    count = len(amounts)
    kind_of = object if max(amounts) >= 2**63 else np.int64
    prices = np.array(amounts, kind_of)
    folded = Folded(
        Layout(of),
        {
            "symbol": "X",
            "timestamp": np.arange(count),
            "price": prices,
            "size": Addends.of_ints(prices),
            "ticks": pa.array(range(count), pa.int64()),
        },
    )
    row = {"symbol": "X", "timestamp": 7, "price": head, "size": head, "ticks": None}
    expected = [row, *(folded.row(n) for n in range(begin, count))]
    for closed in (True, False):
        over, left = parted(folded, row, begin, closed)
        found = [] if over is None else rows_of(over)
        assert found + ([] if closed else [left]) == expected
        over, left = parted(folded, None, 0, closed)
        found = [] if over is None else rows_of(over)
        assert found + ([] if closed else [left]) == [folded.row(n) for n in range(count)]


def rows_of(folded):
    """Return the rows, which are the same as a batch."""
    batch = folded.batch()
    assert kind(batch.schema) == "TICK"
    found = [folded.row(n) for n in range(len(folded))]
    assert [row_of(batch, n) for n in range(len(batch))] == found
    return found


@pytest.mark.parametrize("begin", [0, 1, 2, 3])
def test_the_flag_is_found_in_a_part_of_a_batch(begin):
    of = schema("TRADE", Scales(0, 0)).field("flag")
    flags = pa.array([None, "off_book", "other", None], of.type)
    batch = pa.RecordBatch.from_arrays([flags], schema=pa.schema([of])).slice(begin)
    kept = [flag for flag in flags.to_pylist()[begin:] if flag != "off_book"]
    assert on_book(batch)["flag"].to_pylist() == kept
    assert (on_book(batch) is batch) == (begin > 1)
