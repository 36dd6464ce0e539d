"""Live rows of a symbol whose past is being read: none is lost on the way to its lane."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from werks.live.spool import Spool
from werks.pipeline.waiting import Waiting

from .test_lane import KINDS, ROWS, ids_of, run, sessions, trades
from .test_lane_spool import lane_of, small


def take(waiting, event):
    if isinstance(event, pa.RecordBatch):
        waiting.take(event)
    else:
        waiting.connected = event == "up"
        if event == "down":
            waiting.doubt("the connection was lost")


@pytest.mark.parametrize("continuity", KINDS)
@given(
    events=sessions(),
    most=st.integers(0, 40),
    room=st.sampled_from([0, 6000, 10**9]),
    joined=st.integers(1, 60),
)
def test_rows_that_waited_go_on_once_and_in_order(continuity, events, most, room, joined):
    """With room on disk for all, for some, or for none; and while history is read for as long."""
    ids = KINDS[continuity]
    events = [e if isinstance(e, str) else trades(range(*e), ids) for e in events]
    shelf = small(most=1000, limit=room)
    waiting, lane = Waiting(shelf.spool, most), lane_of(continuity, shelf)
    for event in events[:joined]:
        take(waiting, event)
    waiting.pour(lane)
    assert ids_of(run(lane, events[joined:])) == [ids(n) for n in range(ROWS)]
    assert shelf.spool.bytes == 0


def test_rows_stand_on_disk_and_leave_it_if_they_are_given_up():
    spool = Spool()
    waiting = Waiting(spool, most=100)
    for begin in range(0, 1000, 10):
        waiting.take(trades(range(begin, begin + 10)))
    assert spool.bytes
    waiting.close()
    assert not spool.bytes


class Listed:
    """A lane that keeps what it is told."""

    def __init__(self):
        self.told, self.connected = [], False

    def take(self, batch):
        self.told.append(len(batch))

    def doubt(self, why):
        self.told.append(why)


def test_an_outage_stays_between_the_rows_before_and_behind_it():
    waiting, lane = Waiting(Spool(), most=100), Listed()
    waiting.connected = True
    waiting.take(trades(range(5)))
    waiting.doubt("the connection was lost")
    waiting.doubt("and once more")
    waiting.take(trades(range(7, 10)))
    waiting.pour(lane)
    assert lane.told == [5, "the connection was lost", 3]
    assert lane.connected


def test_where_there_is_no_room_rest_is_asked():
    waiting, lane = Waiting(Spool(0), most=4), Listed()
    waiting.take(trades(range(5)))
    waiting.take(trades(range(5, 8)))
    waiting.pour(lane)
    assert lane.told == ["no more rows may wait on disk (spool_limit of 0 bytes)", 3]
