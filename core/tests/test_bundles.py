"""Small batches leave as larger ones, in order, and hold no more memory than their rows."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from werks.pipeline.bundles import Bundles


def batch(begin, rows, text="x"):
    arrays = [pa.array(range(begin, begin + rows), pa.int64()), pa.array([text] * rows)]
    return pa.RecordBatch.from_arrays(arrays, ["n", "text"])


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 40)), max_size=40))
def test_rows_leave_in_order_and_by_enough(given_):
    bundles, begin, left = Bundles(100), {"a": 0, "b": 0}, []
    for node, rows in given_:
        found = list(bundles.add(node, batch(begin[node], rows)))
        assert all(len(rows) >= 100 for _, rows in found)
        left += found
        begin[node] += rows
    left += bundles.rest()
    assert list(bundles.rest()) == []
    for node, rows in begin.items():
        numbers = [n for name, given_ in left if name == node for n in given_["n"].to_pylist()]
        assert numbers == list(range(rows))


def test_a_large_batch_passes_as_it_is_behind_what_waits():
    bundles = Bundles(100)
    large = batch(3, 100)
    assert list(bundles.add("a", batch(0, 3))) == []
    (_, small), (_, passed) = bundles.add("a", large)
    assert len(small) == 3
    assert passed is large


def test_a_small_slice_holds_no_large_batch():
    bundles = Bundles(1000)
    before = pa.total_allocated_bytes()
    for place in range(20):
        large = batch(0, 100_000, "some text")
        assert list(bundles.add("a", large.slice(place, 10))) == []
    del large
    assert pa.total_allocated_bytes() - before < 100_000
    ((_, found),) = bundles.rest()
    assert len(found) == 200


def test_long_rows_do_not_wait():
    bundles = Bundles(1000)
    assert list(bundles.add("a", batch(0, 10, "x" * 100_000))) == []
    found = [
        len(rows) for n in range(20) for _, rows in bundles.add("a", batch(n, 10, "x" * 50_000))
    ]
    assert found
    assert max(found) * 50_000 < 8 << 20
