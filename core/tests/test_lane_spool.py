"""Rows that wait on disk: what goes on is what would have gone on from memory, bit for bit."""

import itertools
from concurrent.futures import Future
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from werks.errors import WerksError
from werks.live.inbox import Arrived, Disconnected, Inbox, Told
from werks.live.spool import Spool
from werks.pipeline.held import Held, Shelf
from werks.pipeline.lane import Hole, Lane, Rule
from werks.pipeline.place import Known, Place

from .test_lane import KINDS, ROWS, START, STREAM, Rest, ids_of, opaque, run, sessions, trades


def small(most=5, limit=10**9, piece=4):
    return Shelf(Spool(limit), most, piece)


def drained(held):
    while len(held):
        yield held.next()


def lane_of(continuity, shelf, **rest):
    rule = Rule(continuity, shelf=shelf)
    return Lane(STREAM, rule, Place(START - 1), Rest(KINDS[continuity], **rest))


@pytest.mark.parametrize("continuity", KINDS)
@given(
    events=sessions(), most=st.integers(5, 100), fails=st.integers(0, 3), room=st.integers(0, 20)
)
def test_spooled_rows_are_those_that_were_not_spooled(continuity, events, most, fails, room):
    events = [e if isinstance(e, str) else trades(range(*e), KINDS[continuity]) for e in events]
    outs = []
    for shelf in (Shelf(), small(room)):
        outs.append(run(lane_of(continuity, shelf, most=most, fails=fails), events, rest=100))
        assert shelf.spool.bytes == 0
    one, two = (pa.Table.from_batches([b for b in out if len(b)]) for out in outs)
    assert one.combine_chunks() == two.combine_chunks()


@given(data=st.data())
def test_rows_come_back_in_order_however_they_came(data):
    """As one sort of them all would give them, where each id has one time."""
    numbers = data.draw(st.lists(st.integers(0, 60), min_size=1, max_size=80))
    cuts = sorted(data.draw(st.lists(st.integers(1, 80), max_size=10)))
    known = Known("", data.draw(st.sampled_from(list(KINDS))), Place(START - 1))
    shelf = small(data.draw(st.integers(0, 30)), piece=data.draw(st.integers(1, 5)))
    held, batches = Held(known, shelf), []
    for begin, end in itertools.pairwise([0, *cuts, len(numbers)]):
        if numbers[begin:end]:
            batches.append(trades(numbers[begin:end]))
            held.add(batches[-1])
    assert held.first()["trade_id"][0] == known.ordered(batches)["trade_id"][0]
    parts = list(drained(held))
    assert pa.concat_batches(parts) == known.ordered(batches)
    assert len(held) == shelf.spool.bytes == 0


def test_rows_come_back_by_parts():
    shelf = small(100, piece=100)
    held = Held(Known("", "unique", Place(0)), shelf)
    for begin in range(0, 5000, 50):
        held.add(trades(range(begin, begin + 50)))
    parts = list(drained(held))
    assert len(parts) > 4
    assert max(map(len, parts)) < 1000
    assert pa.concat_batches(parts) == trades(range(5000))


def test_the_largest_stream_makes_room():
    shelf = small(100)
    few, many = (Held(Known("", "unique", Place(0)), shelf) for _ in range(2))
    many.add(trades(range(90)))
    few.add(trades(range(20)))
    assert shelf.spool.bytes
    assert shelf.is_largest(few)
    many.next()
    assert not shelf.full
    for each in (few, many):
        each.clear()
    assert shelf.spool.bytes == 0


@pytest.mark.parametrize("continuity", ["increasing", "unique"])
def test_two_outages_are_two_questions(continuity):
    """What REST says of the first says nothing of the second."""
    ids = KINDS[continuity]
    knows = [5]
    rest = Rest(ids, known=lambda: knows[0])
    lane = Lane(STREAM, Rule(continuity, patience=5), Place(START - 1), rest)
    out = run(lane, ["up", trades(range(5), ids)], rest=5)
    knows[0], lane.connected = 20, False
    lane.doubt("the first")
    lane.take(trades(range(10, 15), ids))
    lane.doubt("the second")
    lane.take(trades(range(40, 50), ids))
    lane.connected = True
    for second in range(100):
        out += lane.poll(START + 10**12, 10.0 + second)
    (hole,) = [each for each in out if isinstance(each, Hole)]
    assert hole.cause.startswith("the second")
    rows = [
        name for each in out if not isinstance(each, Hole) for name in each["trade_id"].to_pylist()
    ]
    assert rows == [ids(n) for n in (*range(20), *range(40, 50))]
    assert out.index(hole) == len(out) - 2


def test_an_outage_while_ids_wait_is_asked_for_although_no_row_follows():
    knows = [0]
    lane = Lane(STREAM, Rule("contiguous"), Place(START - 1, -1), Rest(str, lambda: knows[0]))
    out = run(lane, ["up", trades(range(30, 40)), "down"], rest=0)
    knows[0] = 60
    assert ids_of([*out, *run(lane, ["up"], 10.0)]) == list(map(str, range(60)))


def test_an_answer_from_before_an_outage_does_not_heal_it():
    class Slow(Rest):
        def ask(self, *given):
            self.answers = super().ask(*given)
            self.given = Future()
            return self.given

    rest = Slow(opaque, known=lambda: 10)
    lane = Lane(STREAM, Rule("unique"), Place(START - 1), rest)
    lane.connected = True
    list(lane.poll(START + 10**12, 0.0))
    list(lane.poll(START + 10**12, 3.0))
    lane.doubt("the connection was lost")
    rest.given.set_result(rest.answers.result())
    out = list(lane.poll(START + 10**12, 4.0))
    assert [len(each) for each in out] == [10]
    assert lane.waits


def test_what_does_not_fit_is_a_hole_with_its_cause():
    class Silent:
        def ask(self, *given):
            return Future()

    shelf = small(5, limit=1)
    lane = Lane(STREAM, Rule("contiguous", shelf=shelf), Place(START - 1, -1), Silent())
    out = run(lane, ["up", *(trades(range(n, n + 4)) for n in range(40, ROWS, 4))], rest=3)
    (hole,) = [each for each in out if isinstance(each, Hole)]
    assert "spool_limit of 1 bytes" in hole.cause
    assert hole.missing == 40
    assert sum(len(each) for each in out if not isinstance(each, Hole)) == ROWS - 40
    assert shelf.spool.bytes == 0


def test_a_disk_that_is_full_is_told(monkeypatch):
    spool = Spool()
    with Path("/dev/full").open("r+b", buffering=0) as full:
        monkeypatch.setattr("tempfile.TemporaryFile", lambda **_: full)
        assert spool.put(trades(range(9))) is None
    assert "No space left" in spool.why
    assert "TMPDIR" in spool.why
    assert spool.bytes == 0


def test_files_are_let_go_with_their_rows(monkeypatch):
    monkeypatch.setattr("werks.live.spool._FILE", 1)
    spool = Spool()
    kept = [spool.put(trades(range(9))) for _ in range(3)]
    assert len({each.file for each in kept}) == 3
    assert spool.get(kept[1]) == trades(range(9))
    for each in kept:
        spool.drop(each)
    assert spool.bytes == 0
    assert all(each.file.io.closed for each in kept)
    with pytest.raises((WerksError, ValueError)):
        spool.get(kept[0])


def test_a_busy_lane_lets_sinks_have_their_turn():
    lane = lane_of("contiguous", small(5, piece=1), known=lambda: 0)
    lane.connected = True
    lane.take(trades(range(ROWS)))
    lane.known.last = Place(START - 1, -1)
    first = list(lane.poll(START, 0.0))
    assert 0 < sum(map(len, first)) < ROWS
    assert lane.held
    assert ids_of([*first, *run(lane, [], rest=20)]) == list(map(str, range(ROWS)))
    assert len(first) <= 8


def test_what_nobody_takes_waits_on_disk_in_its_order(monkeypatch):
    monkeypatch.setattr("werks.live.inbox._ROWS", 9)
    spool = Spool()
    inbox, lost = Inbox(spool), Disconnected(1, ("XBT",), "lost")
    for begin in range(0, 30, 3):
        inbox.put(Arrived(1, trades(range(begin, begin + 3))))
        if begin == 12:
            inbox.put(lost)
    assert spool.bytes
    items = list(inbox.take(0.0))
    at = items.index(lost)
    parts = [
        pa.concat_batches([each.batch for each in part]) for part in (items[:at], items[at + 1 :])
    ]
    assert parts == [trades(range(15)), trades(range(15, 30))]
    assert spool.bytes == len(inbox) == 0


def test_rows_without_room_are_told_as_missed_once(monkeypatch):
    monkeypatch.setattr("werks.live.inbox._ROWS", 2)
    inbox = Inbox(Spool(1))
    for begin in range(0, 30, 3):
        inbox.put(Arrived(1, trades(range(begin, begin + 3))))
    first, told = inbox.take(0.0)
    assert first.batch == trades(range(3))
    assert isinstance(told, Told)
    assert (told.connection, told.symbol, told.what) == (1, "XBT", "missed")
    assert "spool_limit" in told.why


def test_rows_that_find_no_room_once_more_are_told_once_more(monkeypatch):
    monkeypatch.setattr("werks.live.inbox._ROWS", 2)
    inbox = Inbox(Spool(0))
    for begin in (0, 3):
        inbox.put(Arrived(1, trades(range(begin, begin + 3))))
    assert [each.what for each in inbox.take(0.0)] == ["missed"]
    inbox.put(Arrived(1, trades(range(6, 8))))
    assert [len(each.batch) for each in inbox.take(0.0)] == [2]
    inbox.put(Arrived(1, trades(range(8, 11))))
    assert [each.what for each in inbox.take(0.0)] == ["missed"]
