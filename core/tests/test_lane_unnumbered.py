"""The lane of rows without ids: an outage is healed where that can be, else it is told."""

from concurrent.futures import Future

import numpy as np
import pyarrow as pa
import pytest

from werks.components import Stream
from werks.errors import UnavailableError
from werks.pipeline.lane import Hole
from werks.pipeline.past import Answer
from werks.pipeline.place import Place
from werks.pipeline.unnumbered import Pace, Unnumbered
from werks.schema import Scales, batch, nanoseconds, schema, times, word

MINUTE = 60 * 10**9
START = 1_714_521_600 * 10**9
STREAM = Stream("bazaar", "XBT", "bazaar.candles")


def rows(kind, numbers):
    of = schema(kind, Scales(2, 2))
    time = np.array([START + n * MINUTE for n in numbers], np.int64)
    more = {"interval": word("1m", len(time))} if kind == "CANDLE" else {}
    names = {name: word(name, len(time)) for name in ("exchange", "symbol")}
    return batch(of, timestamp=times(time), **names, **more)


class Rest:
    """Knows candles of these minutes; `late` says which it learns at the second question."""

    def __init__(self, knows=range(1000), late=(), fails=0, reaches=True, most=1000):
        self.knows, self.late, self.fails, self.reaches = list(knows), set(late), fails, reaches
        self.most, self.asked = most, 0

    def ask(self, stream, after, until):
        self.asked += 1
        future: Future[Answer] = Future()
        if self.fails:
            self.fails -= 1
            future.set_exception(UnavailableError("the exchange is away"))
            return future
        found = [n for n in self.knows if after <= START + n * MINUTE < until]
        found = [n for n in found if n not in self.late or self.asked > 1]
        given = (rows("CANDLE", found[: self.most]),) if found else ()
        future.set_result(Answer(given, len(found) <= self.most, self.reaches))
        return future


def run(lane, events, kind="CANDLE", rest=100):
    out, clock = [], 0.0
    for event in [*events, *([None] * rest)]:
        if isinstance(event, str):
            lane.doubt(event)
        elif event is not None:
            lane.take(rows(kind, event))
        clock += 1.0
        out += lane.poll(0, clock)
    return out


def plain(out):
    """Return the minutes of the rows, and the causes of holes."""
    found = []
    for each in out:
        if isinstance(each, Hole):
            found.append(each.cause)
        else:
            found += ((each["timestamp"].cast(pa.int64()).to_numpy() - START) // MINUTE).tolist()
    return found


def lane_of(past=None, step=MINUTE, last=-1):
    return Unnumbered(STREAM, Place(START + last * MINUTE), Pace(step, 30.0), past)


def test_candles_that_follow_one_another_tell_that_none_is_missing():
    lane = lane_of()
    assert plain(run(lane, [[0], [1], "lost", [1, 2], "lost", [3]])) == [0, 1, 2, 3]


def test_an_outage_is_a_hole_where_nobody_can_be_asked():
    out = run(lane_of(), [[0], "lost", [3]])
    assert plain(out) == [0, "lost; nothing tells whether rows are missing", 3]
    assert "between 2024-05-01T00:00:00.000 and 2024-05-01T00:03" in out[1].evidence


def test_rest_fills_an_outage_before_later_rows_go_on():
    rest = Rest(most=2)
    assert plain(run(lane_of(rest), [[0], "lost", [7], "lost", [8], "again", [12]])) == list(
        range(13)
    )
    assert rest.asked > 2


def test_a_stream_that_begins_within_a_day_has_all_of_it_by_rest():
    assert plain(run(lane_of(Rest()), [[5]])) == list(range(6))


def test_rest_that_is_late_is_asked_again():
    assert plain(run(lane_of(Rest(late=[2, 3])), [[0], "lost", [4]])) == list(range(5))


def test_minutes_without_a_candle_are_no_hole_once_rest_has_said_so_for_long():
    rest = Rest(knows=[1, 2])
    assert plain(run(lane_of(rest), [[0], "lost", [9]])) == [0, 1, 2, 9]
    assert rest.asked == 4


@pytest.mark.parametrize(
    ("given", "why"), [({"fails": 99}, "the exchange is away"), ({"reaches": False}, "reach back")]
)
def test_what_rest_cannot_tell_is_a_hole(given, why):
    out = plain(run(lane_of(Rest(knows=[], **given)), [[0], "lost", [9]]))
    assert out[0] == 0
    assert out[1].startswith("lost; ")
    assert why in out[1]
    assert out[2:] == [9]


def test_a_rest_that_comes_back_heals():
    assert plain(run(lane_of(Rest(fails=3)), [[0], "lost", [9]])) == list(range(10))


def test_without_an_interval_rest_is_believed_at_once():
    rest = Rest(knows=[3])
    assert plain(run(lane_of(rest, step=None), [[0], "lost", [9]])) == [0, 3, 9]
    assert rest.asked == 2  # how it began, and the outage


def test_nothing_tells_whether_quotes_are_missing():
    rest = Rest()
    out = run(lane_of(rest), [[0, 0], "lost", [0, 1]], kind="QUOTE")
    assert [each for each in plain(out) if isinstance(each, int)] == [0, 0, 0, 1]
    assert [each.cause.partition(";")[0] for each in out if isinstance(each, Hole)] == [
        "the stream begins here",
        "lost",
    ]
    assert rest.asked == 0


def test_the_clock_does_not_go_on_while_rows_may_come_from_before():
    lane = lane_of(Rest())
    assert lane.lag > START
    run(lane, [[0]])
    assert lane.lag == MINUTE
    assert not lane.waits
    lane.doubt("lost")
    assert lane.lag > START
    assert not lane.waits  # nothing does


@pytest.mark.parametrize("ahead", [1, 2])
@pytest.mark.parametrize("together", [True, False])
def test_a_connection_that_replaces_another_brings_each_row_once(ahead, together):
    """Two rows of each time, on both connections while both are heard; either may be faster."""
    lane, out, clock = Unnumbered(STREAM, Place(START - 1)), [], 0.0
    sent = [n // 2 for n in range(60)]
    # The second one begins between two rows of one time; the first one is over some time later.
    spans, come = {1: (0, 40), 2: (9, 60)}, {1: 0, 2: 9}
    for now in range(2, 80, 2):
        for connection in (ahead, 3 - ahead):
            until = min(now - (0 if connection == ahead else 6), spans[connection][1])
            if until > come[connection]:
                lane.take(rows("QUOTE", sent[come[connection] : until]), connection)
                come[connection] = until
            if not together:
                out += lane.poll(0, clock)
        clock += 0.3
        out += lane.poll(0, clock)
    batches = [each for each in out if not isinstance(each, Hole)]
    found = np.concatenate([nanoseconds(each["timestamp"]) for each in batches])
    assert ((found - START) // MINUTE).tolist() == sent


def test_rows_of_a_connection_that_was_to_take_over_follow_the_doubt_of_an_outage():
    lane = Unnumbered(STREAM, Place(START - 1))
    lane.take(rows("QUOTE", [0, 1]), 1)
    lane.take(rows("QUOTE", [1, 2, 3]), 2)
    assert lane.held == 5
    begins, batch = lane.poll(0, 0.0)
    assert begins.cause.startswith("the stream begins here")
    assert len(batch) == 2
    assert not lane.idle
    lane.doubt("cut")
    lane.take(rows("QUOTE", [4]), 1)
    hole, *more = lane.poll(0, 0.1)
    assert hole.cause.startswith("cut; ")
    assert sum(map(len, more)) == 4
    assert lane.idle
