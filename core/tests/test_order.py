"""Rows come in order, each once: what is watched, what is left out, what is sorted."""

import itertools

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from werks.errors import DataError
from werks.order import Ascending, Holes, Ids, Repeats, Spool, Unordered, numbers
from werks.schema import Scales, nanoseconds
from werks.testing.streams import trades

SECOND = 10**9
START = 1_714_521_600 * SECOND
often = settings(max_examples=12 * settings.default.max_examples)


def rows(*pairs):
    """Return trades out of (time since the start in nanoseconds, id)."""
    return trades(
        [
            {"time": START + time, "trade_id": str(name), "price": 1, "size": 1}
            for time, name in pairs
        ],
        Scales(1, 0),
    )


def pairs(*batches):
    """Return the (time, id) of rows."""
    return [
        (time - START, name)
        for batch in batches
        for time, name in zip(
            nanoseconds(batch["timestamp"]).tolist(), batch["trade_id"].to_pylist(), strict=True
        )
    ]


def cut(draw, batch):
    """Cut a batch into some that are not empty."""
    inner = draw(st.lists(st.integers(1, max(len(batch) - 1, 1)), max_size=5))
    bounds = sorted({0, *inner, len(batch)})
    return [batch.slice(a, b - a) for a, b in itertools.pairwise(bounds)]


TIMES = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), min_size=1, max_size=40)


class TestAscending:
    @pytest.mark.parametrize("numeric", [True, False])
    def test_rows_in_order_pass(self, numeric):
        watch = Ascending("file", numeric)
        watch.check(rows((0, 1), (0, 2), (5, 3)))
        watch.check(rows((5, 4), (5, 4), (6, 5)))

    def test_a_number_is_more_than_its_text(self):
        Ascending("file", True).check(rows((0, 9), (0, 10)))

    @pytest.mark.parametrize("numeric", [True, False])
    def test_an_earlier_time_is_noticed(self, numeric):
        with pytest.raises(Unordered):
            Ascending("file", numeric).check(rows((5, 1), (4, 2)))

    @pytest.mark.parametrize("numeric", [True, False])
    def test_an_earlier_time_in_the_next_batch_is_noticed(self, numeric):
        watch = Ascending("file", numeric)
        watch.check(rows((5, 1)))
        with pytest.raises(Unordered):
            watch.check(rows((4, 2)))

    def test_a_lower_number_at_one_time_is_noticed(self):
        with pytest.raises(Unordered):
            Ascending("file", True).check(rows((5, 2), (5, 1)))
        watch = Ascending("file", True)
        watch.check(rows((5, 2)))
        with pytest.raises(Unordered):
            watch.check(rows((5, 1)))

    def test_ids_that_are_no_numbers_keep_their_place(self):
        watch = Ascending("file", False)
        watch.check(rows((5, "b"), (5, "a")))
        watch.check(rows((5, "0")))

    def test_an_id_that_should_be_a_number_and_is_none_is_named(self):
        with pytest.raises(DataError, match=r"^the-file: a trade id is not a whole number.*1a"):
            numbers(rows((0, "1a"))["trade_id"], "the-file")

    @often
    @given(TIMES, st.booleans(), st.data())
    def test_it_agrees_with_sorting(self, given_, numeric, data):
        watch = Ascending("file", numeric)
        keys = given_ if numeric else [(time, 0) for time, _ in given_]
        try:
            for batch in cut(data.draw, rows(*given_)):
                watch.check(batch)
        except Unordered:
            assert keys != sorted(keys)
        else:
            assert keys == sorted(keys)


class TestHoles:
    def test_ids_that_are_left_out_are_counted(self):
        holes = Holes("file")
        assert holes.found is None
        holes.count(rows((0, 5), (1, 6), (2, 9)))
        holes.count(rows((3, 10), (4, 12)))
        assert holes.found == Ids(5, 12, 3, ((7, 8), (11, 11)))

    def test_the_rows_behind_a_hole_are_told(self):
        holes = Holes("file", 3)
        assert holes.count(rows((0, 5), (1, 6), (2, 9))) == [0, 2]
        assert holes.count(rows((3, 10), (4, 12))) == [1]
        # What is left out before the first row is not a hole within.
        assert holes.found == Ids(5, 12, 3, ((7, 8), (11, 11)))
        assert Holes("file", 4).count(rows((0, 5), (1, 6))) == []
        assert Holes("file").count(rows((0, 5), (1, 6))) == []

    def test_many_jumps_are_counted_and_the_first_hundred_named(self):
        holes = Holes("file")
        for start in (0, 300):
            holes.count(rows(*((n, 2 * n) for n in range(start, start + 300))))
        assert (holes.found.holes, len(holes.found.jumps)) == (599, 100)
        assert holes.found.jumps[:2] == ((1, 1), (3, 3))

    @often
    @given(st.sets(st.integers(1, 60), min_size=1), st.data())
    def test_the_order_of_ids_does_not_matter(self, ids, data):
        holes = Holes("file")
        shuffled = data.draw(st.permutations(sorted(ids)))
        for batch in cut(data.draw, rows(*((0, name) for name in shuffled))):
            holes.count(batch)
        found = holes.found
        assert (found.least, found.most) == (min(ids), max(ids))
        assert found.holes == len(set(range(min(ids), max(ids) + 1)) - ids)
        assert found.holes or not found.jumps

    @pytest.mark.parametrize(
        ("batches", "said"),
        [
            ([rows((0, 5), (1, 6), (2, 6), (3, 8))], "the trade id 6 comes again"),
            ([rows((0, 5), (1, 6)), rows((2, 6))], None),
            ([rows((0, 5), (1, 7), (2, 6), (3, 7))], "trade ids come again"),
        ],
    )
    def test_an_id_that_comes_again_with_another_time_is_refused(self, batches, said):
        holes = Holes("file")
        with pytest.raises(DataError, match=f"file: {said or 'trade ids come again'} with another"):
            list(map(holes.count, batches))


def without(given_):
    """Return what is left when repeats of an id at one time are left out."""
    return list(dict.fromkeys(given_))


class TestRepeats:
    def test_an_equal_id_at_an_equal_time_is_left_out(self):
        repeats = Repeats()
        kept = repeats.without(rows((0, 1), (0, 1), (0, 2), (0, 1)))
        assert pairs(kept) == [(0, "1"), (0, "2")]
        assert repeats.found == 2

    def test_equal_rows_with_ids_of_their_own_stay(self):
        batch = rows((0, 1), (0, 2), (0, 3))
        assert Repeats().without(batch) is batch

    def test_an_equal_id_at_another_time_stays(self):
        repeats = Repeats()
        assert len(repeats.without(rows((0, 1), (1, 1)))) == 2
        assert len(repeats.without(rows((2, 1)))) == 1
        assert repeats.found == 0

    def test_a_repeat_in_the_next_batch_is_left_out(self):
        repeats = Repeats()
        repeats.without(rows((0, 1), (1, 2)))
        assert pairs(repeats.without(rows((1, 2), (1, 3)))) == [(1, "3")]
        assert pairs(repeats.without(rows((1, 3), (1, 2), (2, 3)))) == [(2, "3")]
        assert repeats.found == 3

    def test_ids_of_the_time_before_are_forgotten(self):
        repeats = Repeats()
        repeats.without(rows((0, 7)))
        repeats.without(rows((0, 8), (1, 9)))
        assert pairs(repeats.without(rows((1, 7)))) == [(1, "7")]
        assert repeats.found == 0

    @pytest.mark.parametrize("size", [2, 15, 16, 17, 18, 40])
    def test_repeats_in_groups_of_any_size_are_left_out(self, size):
        group = [(1, name) for name in range(size - 1)] + [(1, 0)]
        repeats = Repeats()
        kept = repeats.without(rows((0, 0), *group, (2, 0)))
        assert pairs(kept) == [(0, "0"), *((1, str(n)) for n in range(size - 1)), (2, "0")]
        assert repeats.found == 1

    def test_ids_that_differ_only_in_front_are_different(self):
        given_ = [(0, "a-00000001"), (0, "b-00000001"), (0, "00000001"), (0, "1"), (0, "")]
        repeats = Repeats()
        assert len(repeats.without(rows(*given_, (0, "b-00000001"), (0, "")))) == len(given_)
        assert repeats.found == 2

    def test_a_batch_of_repeats_alone_is_empty(self):
        repeats = Repeats()
        repeats.without(rows((0, 1)))
        assert len(repeats.without(rows((0, 1), (0, 1)))) == 0

    @often
    @given(
        st.lists(st.tuples(st.integers(0, 3), st.integers(0, 30)), min_size=1, max_size=90),
        st.data(),
    )
    def test_the_cut_of_batches_changes_nothing(self, given_, data):
        ordered = sorted(given_, key=lambda pair: pair[0])
        repeats = Repeats()
        # Slices, so that ids are read at their offset.
        batches = cut(data.draw, rows(*ordered))
        kept = pairs(*(repeats.without(batch) for batch in batches))
        assert kept == [(time, str(name)) for time, name in without(ordered)]
        assert repeats.found == len(ordered) - len(kept)


@pytest.fixture
def spool(tmp_path):
    """Return a function that puts batches through a spool and gives those that come out."""

    def through(batches, numeric=True):
        given_ = Spool(tmp_path / "rows.arrow")
        for batch in batches:
            given_.add(batch)
        given_.close()
        return list(given_.read("file", numeric))

    return through


def market(count, random):
    """Return (time, id) of trades in order, with many of equal time; ids count upwards."""
    times = np.sort(random.integers(0, max(count // 3, 1), count) * 400_000_000)
    return list(zip(times.tolist(), range(1, count + 1), strict=True))


def sliced(given_, size):
    return [rows(*given_[begin : begin + size]) for begin in range(0, len(given_), size)]


def named(given_):
    return [(time, str(name)) for time, name in given_]


class TestSpool:
    @pytest.mark.parametrize("numeric", [True, False])
    @pytest.mark.parametrize("size", [7, 100, 1000])
    def test_newest_first_is_turned_round_with_its_ties(self, spool, size, numeric):
        given_ = market(400, np.random.default_rng(1))
        assert pairs(*spool(sliced(given_[::-1], size), numeric)) == named(given_)

    @pytest.mark.parametrize("numeric", [True, False])
    def test_oldest_first_keeps_the_order_of_ties(self, spool, numeric):
        given_ = market(400, np.random.default_rng(2))
        late = [given_.pop(5)]
        expected = sorted([*given_, *late], key=lambda pair: pair[0] if not numeric else pair)
        assert pairs(*spool(sliced([*given_, *late], 30), numeric)) == named(expected)

    def test_newest_first_with_a_few_rows_out_of_place_keeps_the_order_of_ties(self, spool):
        given_ = [(0, "a"), (0, "b"), (1, "c"), (2, "d"), (2, "e"), (9, "f"), (9, "g")]
        back = given_[::-1]
        assert pairs(*spool([rows(*back[2:4], *back[:2], *back[4:])], False)) == given_

    def test_two_interleaved_id_streams_are_ordered_by_time_then_number(self, spool):
        random = np.random.default_rng(3)
        times = np.sort(random.integers(0, 60, 300)) * 100_000_000
        ids = np.arange(300) // 2 + np.where(np.arange(300) % 2, 10_000_000, 5)
        given_ = list(zip(times.tolist(), ids.tolist(), strict=True))
        assert pairs(*spool(sliced(given_, 40))) == named(sorted(given_))

    @pytest.mark.parametrize("size", [11, 250])
    def test_shuffled_rows_are_sorted(self, spool, size):
        random = np.random.default_rng(4)
        given_ = market(500, random)
        shuffled = [given_[place] for place in random.permutation(len(given_))]
        assert pairs(*spool(sliced(shuffled, size))) == named(sorted(given_))

    @often
    @given(TIMES, st.data())
    def test_it_agrees_with_sorting(self, tmp_path_factory, given_, data):
        spool = Spool(tmp_path_factory.mktemp("spool") / "rows.arrow")
        given_ = [(time * 700_000_000, name) for time, name in given_]
        for batch in cut(data.draw, rows(*given_)):
            spool.add(batch)
        spool.close()
        assert pairs(*spool.read("file", True)) == named(sorted(given_))

    def test_all_columns_come_back_as_they_were(self, spool):
        given_ = [(2, 3), (1, 2), (0, 1)]
        (out,) = spool([rows(*given_)])
        assert out.equals(rows(*given_[::-1]), check_metadata=True)

    def test_words_of_any_dictionary_are_taken(self, spool):
        one, other = rows((1, 2)), rows((0, 1))
        words = pa.DictionaryArray.from_arrays(pa.array([1], pa.int32()), ["?", "XBTUSD"])
        other = other.set_column(1, other.schema.field(1), words)
        out = pa.Table.from_batches(spool([one, other]))
        assert out["symbol"].to_pylist() == ["XBTUSD", "XBTUSD"]
        assert out["trade_id"].to_pylist() == ["1", "2"]

    def test_nothing_in_nothing_out(self, spool):
        assert spool([]) == []

    def test_parts_are_bounded(self, spool):
        count, most = 400_000, 500
        random = np.random.default_rng(5)
        times = START + np.sort(random.integers(0, count // most, count)) * SECOND
        times = times[::-1]
        row = rows((0, 1))
        batches = []
        for begin in range(0, count, 50_000):
            part = row.take(pa.array(np.zeros(50_000, np.int64)))
            stamps = pa.array(times[begin : begin + 50_000]).view(row.schema.field(2).type)
            ids = pa.array(np.arange(count - begin, count - begin - 50_000, -1)).cast(pa.string())
            part = part.set_column(2, row.schema.field(2), stamps)
            batches.append(part.set_column(4, row.schema.field(4), ids))
        out = spool(batches)
        whole = np.concatenate([nanoseconds(batch["timestamp"]) for batch in out])
        assert (whole == times[::-1]).all()
        assert max(map(len, out)) <= 2**17 + np.bincount((times - START) // SECOND).max()
        assert len(out) > 2
