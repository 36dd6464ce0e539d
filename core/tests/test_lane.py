"""A lane: whatever connections do, each row goes on once, in order, or the hole is told."""

from concurrent.futures import Future
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import werks.pipeline.lane
from werks.components import Stream
from werks.errors import UnavailableError
from werks.pipeline.lane import Hole, Lane, Rule
from werks.pipeline.past import Answer
from werks.pipeline.place import Place
from werks.schema import Scales, batch, schema, times, word

SCHEMA = schema("TRADE", Scales(2, 2))
STREAM = Stream("bazaar", "XBT", "bazaar.trades")
START = 1_714_521_600 * 10**9
ROWS = 80


def trades(numbers, ids=str, step=3):
    """Return trades; three of them share each time."""
    numbers = list(numbers)
    return batch(
        SCHEMA,
        exchange=word("bazaar", len(numbers)),
        symbol=word("XBT", len(numbers)),
        timestamp=times(np.array([START + n // step * 10**9 for n in numbers], np.int64)),
        trade_id=pa.array([ids(n) for n in numbers]),
        tick_rule=pa.array([1] * len(numbers), pa.int8()),
        price=pa.array([Decimal(100 + n) for n in numbers], SCHEMA.field("price").type),
        size=pa.array([Decimal(1)] * len(numbers), SCHEMA.field("size").type),
        notional=pa.array([Decimal(100 + n) for n in numbers], SCHEMA.field("notional").type),
    )


class Rest:
    """Answers at the next poll with what it knows at the time of asking."""

    def __init__(self, ids, known=lambda: ROWS, lacks=(), most=1000, fails=0, reaches=True):
        self.ids, self.known, self.lacks, self.most = ids, known, lacks, most
        self.fails, self.reaches, self.asked = fails, reaches, 0

    def ask(self, stream, after, until):
        future: Future[Answer] = Future()
        self.asked += 1
        if self.fails:
            self.fails -= 1
            future.set_exception(UnavailableError("the exchange is away"))
            return future
        rows = [n for n in range(self.known()) if after <= START + n // 3 * 10**9 < until]
        rows = [n for n in rows if n not in self.lacks]
        whole, rows = len(rows) <= self.most, rows[: self.most]
        batches = (trades(rows, self.ids),) if rows else ()
        future.set_result(Answer(batches, whole, self.reaches))
        return future


def opaque(n):
    return f"{n * 2654435761 % 2**32:08x}"


KINDS = {"contiguous": str, "increasing": str, "unique": opaque}


def run(lane, events, clock=0.0, rest=200):
    """Play events and return what goes on; then let the lane come to rest."""
    out = []
    now = START + 10**12
    for event in events:
        if isinstance(event, pa.RecordBatch):
            lane.take(event)
        else:
            lane.connected = event == "up"
            if event == "down":
                lane.doubt("the connection was lost")
        clock += 0.1
        out += lane.poll(now, clock)
    for _ in range(rest):
        clock += 1.0
        out += lane.poll(now, clock)
    return out


def ids_of(out):
    assert not [each for each in out if isinstance(each, Hole)], out
    return [name for each in out for name in each["trade_id"].to_pylist()]


@st.composite
def sessions(draw):
    """Return events: stretches of the tape, some of them lost while nobody listens."""
    events, at = ["up"], 0
    while at < ROWS:
        size = draw(st.integers(1, 12))
        what = draw(st.sampled_from(["come", "come", "come", "again", "lost", "snapshot"]))
        if what == "come":
            events.append((at, at + size))
            at += size
        elif what == "again":
            events.append((max(0, at - size), at + size))
            at += size
        elif what == "lost":
            at = min(at + size, ROWS - 3)
            events += ["down", "up", (at, at + 3)]
            at += 3
        else:
            events += ["down", "up", (max(0, at - size), at)]
    return [e if isinstance(e, str) else (e[0], min(e[1], ROWS)) for e in events]


@pytest.mark.parametrize("continuity", KINDS)
@given(events=sessions(), most=st.integers(5, 100), fails=st.integers(0, 3))
def test_every_row_goes_on_once_and_in_order(continuity, events, most, fails):
    ids = KINDS[continuity]
    lane = Lane(STREAM, Rule(continuity), Place(START - 1), Rest(ids, most=most, fails=fails))
    events = [e if isinstance(e, str) else trades(range(*e), ids) for e in events]
    assert ids_of(run(lane, events)) == [ids(n) for n in range(ROWS)]
    assert lane.waits == ""
    assert lane.held == 0


@pytest.mark.parametrize("continuity", KINDS)
def test_it_goes_on_behind_a_mark(continuity):
    ids = KINDS[continuity]
    number = None if continuity == "unique" else 29
    last = Place(START + 9 * 10**9, number, frozenset(map(ids, (27, 28, 29))))
    lane = Lane(STREAM, Rule(continuity), last, Rest(ids))
    out = run(lane, ["up", trades(range(20, 33), ids), trades(range(50, 60), ids)])
    assert ids_of(out) == [ids(n) for n in range(30, ROWS)]


def test_contiguous_ids_ask_nobody_if_none_is_missing():
    rest = Rest(str)
    lane = Lane(STREAM, Rule("contiguous"), Place(START - 1, -1), rest)
    events = ["up", trades(range(10)), "down", "up", trades(range(8, 20))]
    assert ids_of(run(lane, events, rest=1)) == [str(n) for n in range(20)]
    assert rest.asked == 0


def test_ids_that_rest_does_not_know_are_a_hole_and_the_rest_goes_on():
    rest = Rest(str, lacks=(12, 13))
    lane = Lane(STREAM, Rule("contiguous", patience=5), Place(START - 1, -1), rest)
    out = run(lane, ["up", trades(range(10)), trades(range(15, ROWS))])
    holes = [each for each in out if isinstance(each, Hole)]
    assert [hole.missing for hole in holes] == [2 + 1]
    assert "ids 12 to 14" in holes[0].evidence
    assert "did not come" in holes[0].cause
    assert "REST does not have all of it" in holes[0].cause
    rows = [n for each in out if not isinstance(each, Hole) for n in each["trade_id"].to_pylist()]
    assert rows == [str(n) for n in range(ROWS) if n not in (12, 13, 14)]
    assert rest.asked > 1


@pytest.mark.parametrize("continuity", ["increasing", "unique"])
def test_without_rest_an_outage_is_a_hole(continuity):
    ids = KINDS[continuity]
    lane = Lane(STREAM, Rule(continuity), Place(START - 1), None)
    events = ["up", trades(range(10), ids), "down", "up", trades(range(12, 20), ids)]
    out = run(lane, events)
    kinds = [isinstance(each, Hole) for each in out]
    assert kinds == [True, False, True, False]  # nor is it known how the stream began
    assert "the connection was lost" in out[2].cause
    assert "REST cannot be asked" in out[2].cause


def test_what_rest_does_not_reach_is_a_hole_at_once():
    rest = Rest(opaque, lacks=range(40), reaches=False)
    lane = Lane(STREAM, Rule("unique", patience=1e9), Place(START - 1), rest)
    out = run(lane, ["up", trades(range(50, ROWS), opaque)])
    assert isinstance(out[0], Hole)
    rows = [name for each in out[1:] for name in each["trade_id"].to_pylist()]
    assert rows == [opaque(n) for n in range(50, ROWS)]


def test_a_short_outage_is_healed_from_the_latest_trades():
    rest = Rest(opaque, lacks=range(5), reaches=False)
    last = Place(START + 3 * 10**9, None, frozenset(map(opaque, (9, 10, 11))))
    lane = Lane(STREAM, Rule("unique"), last, rest)
    out = run(lane, ["up", trades(range(20, ROWS), opaque)])
    assert ids_of(out) == [opaque(n) for n in range(12, ROWS)]


def test_rest_that_lags_behind_is_asked_again():
    known = iter([10, 14, 22, *[ROWS] * 50])
    rest = Rest(opaque, known=lambda: next(known))
    lane = Lane(STREAM, Rule("unique"), Place(START - 1), rest)
    out = run(lane, ["up", trades(range(20, 30), opaque)])
    assert ids_of(out)[:30] == [opaque(n) for n in range(30)]
    assert rest.asked >= 3


def test_a_row_that_comes_too_late_is_told():
    lane = Lane(STREAM, Rule("unique"), Place(START - 1), Rest(opaque, known=lambda: 12))
    events = ["up", trades(range(12), opaque)]
    out = run(lane, events)
    lane.take(trades([40], opaque))
    out += lane.poll(START, 1e6)
    lane.take(trades([20], opaque))
    out += lane.poll(START, 1e6)
    assert isinstance(out[-1], Hole)
    assert "came after later ones" in out[-1].cause


def test_rows_are_held_for_the_disorder_of_the_door():
    lane = Lane(STREAM, Rule("unique", hold=4 * 10**9), Place(START - 1), Rest(opaque, lambda: 3))
    out = run(lane, ["up", trades(range(3), opaque)])
    lane.take(trades([9, 10, 11], opaque))
    lane.take(trades([6, 7, 8], opaque))
    out += lane.poll(START + 3 * 10**9, 1e6)
    lane.take(trades([3, 4, 5], opaque))
    out += lane.poll(START + 10 * 10**9, 1e6)
    assert ids_of(out) == [opaque(n) for n in range(12)]


@pytest.mark.parametrize("continuity", ["increasing", "unique"])
def test_a_snapshot_that_lacks_its_last_rows_hides_none(monkeypatch, continuity):
    monkeypatch.setattr(werks.pipeline.lane, "_BEYOND", 3 * 10**9)
    ids = KINDS[continuity]
    lane = Lane(STREAM, Rule(continuity), Place(START - 1), Rest(ids))
    out = run(lane, ["up", trades(range(10), ids)])
    events = ["down", "up", trades(range(30, 50), ids), trades(range(55, ROWS), ids)]
    assert ids_of(out + run(lane, events)) == [ids(n) for n in range(ROWS)]


@pytest.mark.parametrize("continuity", KINDS)
def test_a_hole_is_healed_by_a_clock_that_is_slow(continuity):
    """What REST is asked for reaches up to the rows that came, whatever our clock says."""
    ids = KINDS[continuity]
    lane = Lane(STREAM, Rule(continuity), Place(START - 1), Rest(ids))
    lane.connected = True
    lane.take(trades(range(30, 42), ids))
    out = [each for second in range(9) for each in lane.poll(START - 300 * 10**9, second)]
    assert ids_of(out) == [ids(n) for n in range(42)]
