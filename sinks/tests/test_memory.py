import multiprocessing
import pickle
import random
import threading
from datetime import UTC, date, datetime
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from werks.components import Window
from werks.errors import SinkError
from werks.options import structure
from werks.schema import nanoseconds, times
from werks.testing.sink import DAY, REMAINDER, SCHEMAS, SinkTests, no_rows, prove, sample
from werks_sinks.memory import Memory
from werks_sinks.sizes import size

HOUR = 3600 * 10**9
MIDNIGHT = 1_714_521_600 * 10**9  # of DAY
NEXT = Window(DAY.exchange, DAY.symbol, date(2024, 5, 2))
STREAM = ("trades", DAY.exchange, DAY.symbol)


_spec = spec_from_file_location("segment_rules", Path(__file__).with_name("segment_rules.py"))
rules = module_from_spec(_spec)
_spec.loader.exec_module(rules)


class TestMemory(SinkTests):
    @pytest.fixture
    def sink(self):
        return Memory()

    def rows(self, sink, window, node):
        batches = list(sink.read(window, node, SCHEMAS[node]))
        return pa.Table.from_batches(batches, SCHEMAS[node]) if batches else None


@pytest.mark.long
class TestMemorySegments(rules.SegmentRules):
    @pytest.fixture
    def sink(self):
        return Memory()


def at(*stamps_, window=DAY, node="trades"):
    """Return rows of these times, no two batches alike."""
    few = sample(node, window, rows=min(len(stamps_), 50), seed=random.randrange(1000))
    given = few.take(pa.array(np.arange(len(stamps_)) % len(few), pa.int64()))
    place = given.schema.get_field_index("timestamp")
    column = times(np.array(stamps_, np.int64))
    return given.set_column(place, given.schema.field(place), column)


def commit(sink, window, *batches, node="trades"):
    writer = sink.open(SCHEMAS)
    for batch in batches:
        writer.write(window, node, batch)
    receipt = writer.commit(window, {node: prove(node, *batches)})
    writer.close()
    return receipt


def stamps(table):
    return [stamp for chunk in table["timestamp"].chunks for stamp in nanoseconds(chunk).tolist()]


def hours(*numbers):
    return [MIDNIGHT + number * HOUR for number in numbers]


# What is kept


def test_rows_leave_once_they_are_older_than_the_newest_by_what_is_kept():
    sink = Memory(keep="2h")
    commit(sink, DAY, at(*hours(0, 1, 2, 3)))
    assert stamps(sink.rows(*STREAM)) == hours(2, 3)
    commit(sink, NEXT, at(*hours(24, 24.5), window=NEXT))
    assert stamps(sink.rows(*STREAM)) == hours(24, 24.5)


def test_the_last_day_of_hours_is_twenty_four_rows():
    sink = Memory()
    commit(sink, DAY, at(*hours(*range(24))))
    commit(sink, NEXT, at(*hours(*range(24, 30)), window=NEXT))
    assert stamps(sink.rows(*STREAM)) == hours(*range(6, 30))


def test_a_window_that_comes_late_is_as_old_as_its_rows():
    sink = Memory(keep="1h")
    commit(sink, NEXT, at(*hours(24, 25), window=NEXT))
    receipt = commit(sink, DAY, at(*hours(1, 2)))
    assert stamps(sink.rows(*STREAM)) == hours(25)
    assert sink.holds(DAY, "trades", receipt)


def test_a_window_whose_rows_have_gone_by_their_age_is_held_and_not_proven():
    sink = Memory(keep="1h")
    first = commit(sink, DAY, at(*hours(1, 2)))
    assert dict(sink.proofs("trades")) == {DAY: None}
    batch = at(*hours(30), window=NEXT)
    commit(sink, NEXT, batch)
    assert sink.holds(DAY, "trades", first)
    assert dict(sink.proofs("trades")) == {NEXT: prove("trades", batch)}
    assert not Memory(keep="1h").holds(DAY, "trades", first)


def test_each_stream_and_node_has_an_age_of_its_own():
    sink = Memory(keep="1h")
    other = Window(DAY.exchange, "ETHUSD", NEXT.day)
    commit(sink, DAY, at(*hours(1)))
    commit(sink, DAY, at(*hours(3), node="ticks"), node="ticks")
    commit(sink, other, at(*hours(40), window=other))
    assert [(kept.node, kept.symbol, kept.rows) for kept in sink.streams()] == [
        ("ticks", "XBTUSD", 1),
        ("trades", "ETHUSD", 1),
        ("trades", "XBTUSD", 1),
    ]


def test_rows_that_are_too_old_do_not_even_wait():
    sink = Memory(keep="1h", limit="100 kB")
    writer = sink.open(SCHEMAS)
    batches = [at(*range(MIDNIGHT + n * HOUR, MIDNIGHT + n * HOUR + 400)) for n in range(40)]
    for batch in batches:
        writer.write(DAY, "trades", batch)
    assert sum(batch.nbytes for batch in batches) > 1_000_000
    writer.commit(DAY, {"trades": prove("trades", *batches)})
    assert sink.rows(*STREAM).equals(pa.Table.from_batches([batches[-1]]))


# How much it takes


def test_single_rows_take_no_more_room_than_many():
    sink = Memory(keep="1w")
    writer = sink.open(SCHEMAS)
    whole = at(*range(MIDNIGHT, MIDNIGHT + 3000))
    for row in range(len(whole)):
        writer.write(DAY, "trades", whole.slice(row, 1))
        writer.append(DAY, ["trades"])
    assert sink.bytes <= 1.1 * pa.concat_batches([whole]).get_total_buffer_size()
    assert len(sink.store.batches(STREAM)[0][1]) <= 14
    assert sink.rows(*STREAM).combine_chunks().equals(pa.Table.from_batches([whole]))


def test_rows_cut_out_of_a_large_batch_do_not_keep_it():
    sink = Memory()
    large = at(*range(MIDNIGHT, MIDNIGHT + 200_000))
    commit(sink, DAY, large.slice(100_000, 1000))
    assert sink.bytes < large.nbytes / 50
    assert stamps(sink.rows(*STREAM)) == list(range(MIDNIGHT + 100_000, MIDNIGHT + 101_000))


def test_what_leaves_frees_its_memory():
    sink = Memory(keep="1h")
    commit(sink, DAY, at(*range(MIDNIGHT, MIDNIGHT + 100_000), *hours(2)))
    assert sink.rows(*STREAM).num_rows == 1
    assert sink.bytes < 1000
    writer = sink.open(SCHEMAS)
    writer.write(NEXT, "trades", at(*hours(24), window=NEXT))
    writer.abort()
    assert sink.bytes < 1000


def test_more_than_the_limit_is_an_error_that_says_what_to_do():
    sink = Memory(limit="100 kB")
    writer = sink.open(SCHEMAS)
    writer.write(DAY, "trades", at(*hours(0)))
    with pytest.raises(SinkError, match=r'more than 100,000 bytes; raise `limit`.*drop = "oldest"'):
        writer.write(DAY, "trades", at(*range(MIDNIGHT, MIDNIGHT + 5000)))
    writer.abort()
    assert sink.bytes == 0
    assert sink.rows(*STREAM).num_rows == 0


def test_rows_lost_in_an_error_cannot_be_committed():
    sink = Memory()
    writer = sink.open(SCHEMAS)
    writer.write(DAY, "trades", at(*hours(0)))
    proof = prove("trades", at(*hours(0, 1)))
    for end in (writer.commit, writer.finish):
        with pytest.raises(SinkError, match=r"trades: 1 rows of .* their proof speaks of 2"):
            end(DAY, {"trades": proof})


def test_the_oldest_rows_are_dropped_and_counted_if_that_is_asked_for():
    sink = Memory(limit="50 kB", drop="oldest")
    writer = sink.open(SCHEMAS)
    batches = [at(*range(MIDNIGHT + n * 1000, MIDNIGHT + n * 1000 + 100)) for n in range(40)]
    for batch in batches:
        writer.write(DAY, "trades", batch)
        writer.append(DAY, ["trades"])
    receipt = writer.finish(DAY, {"trades": prove("trades", *batches)})
    assert sink.bytes <= 50_000
    (kept,) = sink.streams()
    assert kept.dropped > 3000
    assert kept.rows + kept.dropped == 4000
    every = pa.Table.from_batches(batches)
    assert sink.rows(*STREAM).equals(every.slice(kept.dropped))
    assert sink.holds(DAY, "trades", receipt)
    assert dict(sink.proofs("trades")) == {DAY: None}


# Segments


def test_segments_are_seen_and_cut_back_to_a_receipt():
    sink = Memory()
    writer = sink.open(SCHEMAS)
    receipts = []
    for number in range(3):
        writer.write(DAY, "trades", at(*hours(number)))
        receipts.append(writer.append(DAY, ["trades"]))
    assert stamps(sink.rows(*STREAM)) == hours(0, 1, 2)
    assert all(sink.holds(DAY, "trades", receipt) for receipt in receipts)
    assert dict(sink.proofs("trades")) == {DAY: None}
    writer.resume(DAY, receipts[0])
    assert stamps(sink.rows(*STREAM)) == hours(0)
    assert not sink.holds(DAY, "trades", receipts[1])
    writer.resume(DAY, {})
    assert stamps(sink.rows(*STREAM)) == []


def test_a_process_that_starts_again_goes_on_behind_the_rows_of_the_last():
    first = Memory().open(SCHEMAS)
    early, late = at(*hours(0, 1)), at(*hours(2))
    first.write(DAY, "trades", early)
    receipt = first.append(DAY, ["trades"])
    sink = Memory()
    writer = sink.open(SCHEMAS)
    writer.resume(DAY, receipt)
    writer.write(DAY, "trades", late)
    assert writer.append(DAY, ["trades"]) == {"trades": {"rows": 3}}
    done = writer.finish(DAY, {"trades": prove("trades", early, late)})
    assert sink.holds(DAY, "trades", done)
    assert dict(sink.proofs("trades")) == {DAY: None}
    assert stamps(sink.rows(*STREAM)) == hours(2)


def test_a_receipt_of_rows_that_were_never_written_is_refused():
    writer = Memory().open(SCHEMAS)
    writer.write(DAY, "trades", at(*hours(0)))
    writer.append(DAY, ["trades"])
    with pytest.raises(SinkError, match=r"fewer than the 2 to go on from"):
        writer.resume(DAY, {"trades": {"rows": 2}})


def test_a_finished_day_is_proven_and_may_be_replaced():
    sink = Memory()
    writer = sink.open(SCHEMAS)
    rows = [at(*hours(n)) for n in range(2)]
    writer.write(DAY, "trades", rows[0])
    writer.append(DAY, ["trades"])
    writer.write(DAY, "trades", rows[1])
    receipt = writer.finish(DAY, {"trades": prove("trades", *rows)})
    assert sink.holds(DAY, "trades", receipt)
    assert dict(sink.proofs("trades")) == {DAY: prove("trades", *rows)}
    assert receipt == commit(sink, DAY, *rows)
    assert stamps(sink.rows(*STREAM)) == hours(0, 1)


# Queries


def test_a_range_is_cut_at_the_nanosecond():
    sink = Memory()
    second = datetime(2024, 5, 1, 0, 0, 1, tzinfo=UTC)
    commit(sink, DAY, at(*(MIDNIGHT + 10**9 + n for n in (-1, 0, 1, 2))))
    assert stamps(sink.rows(*STREAM, start=second)) == [MIDNIGHT + 10**9 + n for n in (0, 1, 2)]
    assert stamps(sink.rows(*STREAM, stop=second)) == [MIDNIGHT + 10**9 - 1]
    given = {"start": second.replace(tzinfo=None), "stop": MIDNIGHT + 10**9 + 2}
    assert stamps(sink.rows(*STREAM, **given)) == [MIDNIGHT + 10**9, MIDNIGHT + 10**9 + 1]
    assert sink.rows(*STREAM, start=second, stop=second).schema.equals(SCHEMAS["trades"])


def test_a_range_may_be_of_days_and_of_nothing_else():
    sink = Memory(keep="7d")
    commit(sink, DAY, at(*hours(23)))
    commit(sink, NEXT, at(*hours(24, 25), window=NEXT))
    assert stamps(sink.rows(*STREAM, start=NEXT.day)) == hours(24, 25)
    assert stamps(sink.rows(*STREAM, stop=NEXT.day)) == hours(23)
    with pytest.raises(TypeError, match="a datetime, a date or nanoseconds are expected, not '2"):
        sink.rows(*STREAM, start="2024-05-01")


def test_a_range_may_run_over_windows_and_many_batches():
    sink = Memory(keep="7d")
    commit(sink, NEXT, at(*hours(24, 25, 26), window=NEXT))
    commit(sink, DAY, *(at(MIDNIGHT + n) for n in range(300)), at(*hours(23)))
    found = stamps(sink.rows(*STREAM, start=MIDNIGHT + 200, stop=hours(26)[0]))
    assert found == [*range(MIDNIGHT + 200, MIDNIGHT + 300), *hours(23, 24, 25)]


def test_the_open_remainder_is_seen_only_where_it_is_asked_for():
    sink = Memory()
    bars = ("bars", *STREAM[1:])
    commit(sink, DAY, at(*hours(1), node="bars"), node="bars")
    commit(sink, REMAINDER, at(*hours(2), node="bars"), node="bars")
    assert stamps(sink.rows(*bars)) == hours(1)
    assert stamps(sink.rows(*bars, open=True)) == hours(1, 2)
    assert stamps(sink.latest(*bars)) == hours(1)
    assert sink.streams()[0].rows == 1


def test_the_latest_row_is_one_row_or_none():
    sink = Memory()
    sink.open(SCHEMAS).close()
    assert sink.latest(*STREAM).num_rows == 0
    commit(sink, DAY, at(*hours(1, 2)))
    commit(sink, NEXT, last := at(*hours(24, 25), window=NEXT))
    assert sink.latest(*STREAM).equals(pa.Table.from_batches([last.slice(1)]))


def test_streams_tell_from_when_to_when():
    sink = Memory()
    commit(sink, DAY, at(*hours(1, 2)))
    (kept,) = sink.streams()
    assert (kept.node, kept.exchange, kept.symbol) == STREAM
    assert (kept.rows, kept.first, kept.last, kept.dropped) == (2, *hours(1, 2), 0)


def test_a_node_that_nobody_writes_is_named():
    sink = Memory()
    with pytest.raises(SinkError, match="no such node writes here; there are: none, since no run"):
        sink.rows(*STREAM)
    sink.open({"trades": SCHEMAS["trades"]})
    with pytest.raises(SinkError, match="bars: no such node writes here; there are: trades"):
        sink.latest("bars", "x", "y")


def test_readers_see_whole_segments_while_a_run_writes():
    sink = Memory(keep="2h", limit="1 MB")
    ended, wrong = threading.Event(), []

    def read():
        while not ended.is_set():
            found = stamps(sink.rows(*STREAM))
            if found != sorted(found) or len(found) % 10 or sink.latest(*STREAM).num_rows > 1:
                wrong.append(found)

    writer = sink.open(SCHEMAS)
    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(300):
        # All ten rows have one time, so they leave together.
        writer.write(DAY, "trades", at(*[MIDNIGHT + number * HOUR // 60] * 10))
        writer.append(DAY, ["trades"])
    ended.set()
    for reader in readers:
        reader.join()
    assert wrong == []
    assert sink.rows(*STREAM).num_rows == 1200


# Processes


def test_equal_sinks_keep_rows_of_their_own():
    one, other = Memory(), Memory()
    assert one == other
    commit(one, DAY, at(*hours(1)))
    assert other.streams() == []


def _there(pickled, answers):
    sink = pickle.loads(pickled)
    said = []
    for ask in (lambda: sink.open(SCHEMAS), sink.streams, lambda: list(sink.proofs("trades"))):
        try:
            ask()
        except SinkError as error:
            said.append(str(error))
    answers.put((said, sink.holds(DAY, "trades", {"trades": {"rows": 0}})))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_another_process_is_refused(method):
    sink = Memory()
    commit(sink, DAY, at(*hours(1)))
    context = multiprocessing.get_context(method)
    answers = context.Queue()
    process = context.Process(target=_there, args=(pickle.dumps(sink), answers))
    process.start()
    said, holds = answers.get(timeout=60)
    process.join()
    assert len(said) == 3
    assert all('set executor = "inline"' in each for each in said)
    assert not holds


# Options


@pytest.mark.parametrize(
    ("options", "name", "problem"),
    [
        ({"keep": "1 day"}, "keep", "a duration like"),
        ({"keep": "0h"}, "keep", "a duration like"),
        ({"limit": "lots"}, "limit", 'a size like "512 MB" or "1 GB" is expected, not \'lots\''),
        ({"limit": "0 GB"}, "limit", "a size like"),
        ({"drop": "newest"}, "drop", 'must be one of "never" | "oldest"'),
        ({"_store": 1}, "_store", "there is no such option"),
    ],
)
def test_a_wrong_option_is_named(options, name, problem):
    made, problems = structure(Memory, options)
    assert made is None
    ((where, what),) = problems
    assert where == name
    assert problem in what


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1 GB", 10**9), ("512MB", 512 * 10**6), ("1.5 GiB", 3 * 2**29), ("8 kB", 8000), ("7 B", 7)],
)
def test_sizes_are_read_as_they_are_written(text, expected):
    assert size(text, "limit") == expected


@pytest.mark.parametrize("text", ["", "1", "GB", "-1 GB", "1 iB", "1 XB", "1e3 MB"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(ValueError, match="limit: a size"):
        size(text, "limit")


def test_rows_without_a_time_are_refused():
    with pytest.raises(SinkError, match="odd: its rows have no column timestamp"):
        Memory().open({"odd": pa.schema([("exchange", pa.string())])})


def test_empty_days_are_proven_until_they_are_old():
    sink = Memory(keep="1h")
    receipt = commit(sink, DAY)
    assert dict(sink.proofs("trades")) == {DAY: no_rows("trades")["trades"]}
    commit(sink, NEXT, at(*hours(40), window=NEXT))
    assert list(dict(sink.proofs("trades"))) == [NEXT]
    assert sink.holds(DAY, "trades", receipt)


def test_a_sink_is_hashable_and_says_what_it_is():
    assert hash(Memory()) == hash(Memory())
    assert repr(Memory(keep="1h")) == "Memory(keep='1h', limit='1 GB', drop='never')"
