"""At the turn of a bar: what stands beside it, and the candle that it is compared with."""

from concurrent.futures import Future
from datetime import date, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest

from werks.components import Stream
from werks.errors import UnavailableError
from werks.http import Http
from werks.ledger import Ledger, WindowRecord
from werks.pipeline.abreast import Abreast
from werks.pipeline.comparing import Comparing
from werks.pipeline.until import LiveFigures
from werks.schema import Scales, batch, empty, schema, times, word
from werks.transforms.bars import Bars
from werks.transforms.join import Joining, Values, joined, parted
from werks.verify import Minutes

MINUTE = 60 * 10**9
START = 28_575_360 * MINUTE  # 2024-05-01
DAY = date(2024, 5, 1)
STREAM = Stream("shop", "A", "shop.trades")
TRADE, INTEREST, CANDLE = (
    schema(kind, Scales(2, 0)) for kind in ("TRADE", "OPEN_INTEREST", "CANDLE")
)


def trades(*minutes):
    """Return a trade in the middle of each of these minutes, its id the minute."""
    count = len(minutes)
    return batch(
        TRADE,
        exchange=word("shop", count),
        symbol=word("A", count),
        timestamp=times([START + minute * MINUTE + MINUTE // 2 for minute in minutes]),
        trade_id=[str(minute) for minute in minutes],
        tick_rule=pa.array([1] * count, pa.int8()),
        **{
            name: pa.array([Decimal(value)] * count).cast(TRADE.field(name).type)
            for name, value in (("price", 5), ("size", 2), ("notional", 10))
        },
        flag=pa.nulls(count, pa.string()),
    )


def interest(*minutes):
    """Return open interest at these minutes, as much as the minute's number."""
    count = len(minutes)
    amounts = pa.array([Decimal(minute) for minute in minutes])
    return batch(
        INTEREST,
        exchange=word("shop", count),
        symbol=word("A", count),
        timestamp=times([START + minute * MINUTE for minute in minutes]),
        open_interest=amounts.cast(INTEREST.field("open_interest").type),
    )


def step(values, state=None):
    inner, held = parted(state)
    bars = Bars(by="time", every="1m")
    of = joined(bars.output({"trades": TRADE}), [INTEREST])
    return Joining(bars.start({"trades": TRADE}, inner), of, [values], held)


def beside(batches):
    """Return (the minute's number, the open interest beside it) of bars."""
    found = []
    for bars in batches:
        for row in bars.select(["timestamp", "open_interest"]).to_pylist():
            at = int(row["timestamp"].timestamp()) * 10**9
            found.append(((at - START) // MINUTE, row["open_interest"]))
    return found


class TestJoining:
    def test_a_bar_is_held_until_the_values_are_known_up_to_its_end(self):
        values = Values(empty(INTEREST), -1)
        live = step(values)
        assert beside(live.push(trades(0, 1, 2, 3), "trades")) == []
        assert live.waits
        assert values.wanted == START + 3 * MINUTE
        values.add([interest(0, 2)], START + 2 * MINUTE)
        assert beside(live.advance(START)) == [(0, 0), (1, 2)]
        values.add([interest(3)], START + 3 * MINUTE)
        assert beside(live.advance(START)) == [(2, 3)]
        assert not live.waits

    def test_a_bar_that_is_given_up_has_nulls_and_later_ones_have_values(self):
        values = Values(empty(INTEREST), -1)
        live = step(values)
        list(live.push(trades(0, 1, 2), "trades"))
        values.given_up = START + MINUTE
        assert beside(live.advance(START)) == [(0, None)]
        values.add([interest(0)], START + 9 * MINUTE)
        assert beside(live.advance(START)) == [(1, 0)]

    def test_held_bars_are_part_of_the_state_and_lose_nothing_by_a_stop(self):
        whole = step(Values.all(interest(0, 2, 3)))
        expected = beside([*whole.push(trades(0, 1, 2, 3), "trades"), *whole.flush()])
        before = step(Values(empty(INTEREST), -1))
        list(before.push(trades(0, 1, 2), "trades"))
        state = before.state()
        assert beside(before.flush()) == [(0, None), (1, None), (2, None)]
        values = Values(interest(0, 2, 3), START + 9 * MINUTE)
        after = step(values, state)
        rows = [*after.advance(START), *after.push(trades(3), "trades"), *after.flush()]
        assert beside(rows) == expected

    def test_nothing_is_carried_where_nothing_is_held(self):
        live, past = step(Values(interest(0), START + 9 * MINUTE)), step(Values.all(interest(0)))
        for each in (live, past):
            list(each.push(trades(0, 1), "trades"))
        assert live.state() == past.state()

    def test_old_values_are_forgotten(self):
        values = Values(empty(INTEREST), -1)
        for day in range(30):
            values.add([interest(day * 1440)], START + day * 1440 * MINUTE)
        assert len(values.rows) < 10


class Door:
    """A door whose answers are made by a function of the span."""

    continuity, off, reach = "none", "", None
    opens, empty, settled = "first", "omit", timedelta(seconds=30)

    def __init__(self, of, answer):
        self.schema, self._answer, self.asked = of, answer, []

    def read(self, http, symbol, after, until):
        self.asked.append((after, until))
        yield self._answer(after, until), "on"


class Now:
    """A thread that does all at once, so that a test needs no time."""

    def submit(self, what, *given):
        future = Future()
        try:
            future.set_result(what(*given))
        except Exception as error:
            future.set_exception(error)
        return future

    def end(self):
        pass


class TestAbreast:
    def made(self, door, now, wait=10.0):
        found = Abreast({"interest": (door, wait)}, Http(1), lambda: now[0])
        found.close()
        found._aside = Now()
        return found

    def test_it_asks_once_a_bar_wants_it_and_only_for_what_is_new(self):
        now = [START + 5 * MINUTE]
        rows = interest(0, 1, 2, 3, 4)
        door = Door(INTEREST, lambda after, until: rows)
        door.settled = timedelta(0)
        abreast = self.made(door, now)
        values = abreast.of(STREAM)["interest"]
        abreast.step(0.0)
        assert door.asked == []
        values.wanted = START + 4 * MINUTE
        abreast.step(0.1)
        abreast.step(0.2)
        assert door.asked == [(START - 1440 * MINUTE, START + 5 * MINUTE + 1)]
        assert values.until == START + 5 * MINUTE
        assert len(values.rows) == 5
        abreast.step(0.3)
        values.wanted, now[0] = START + 6 * MINUTE, START + 6 * MINUTE
        rows = interest(6)
        abreast.step(0.4)
        abreast.step(0.5)
        assert door.asked[1:] == [(START + 4 * MINUTE + 1, START + 6 * MINUTE + 1)]
        assert len(values.rows) == 6

    def test_where_values_lie_far_apart_it_asks_seldom(self):
        now = [START + 5 * MINUTE + 1]
        door = Door(INTEREST, lambda after, until: interest(0, 5))
        door.settled, door.every = timedelta(0), timedelta(minutes=5)
        abreast = self.made(door, now)
        values = abreast.of(STREAM)["interest"]
        for minute in range(5, 10):
            values.wanted, now[0] = START + minute * MINUTE, START + minute * MINUTE + 1
            abreast.step(float(minute))
            abreast.step(minute + 0.1)
            assert values.sure >= values.wanted
        assert len(door.asked) == 1

    def test_a_value_that_comes_late_is_waited_for(self):
        now, rows = [START + 5 * MINUTE + 1], [interest(0)]
        door = Door(INTEREST, lambda after, until: rows.pop() if rows else interest())
        door.settled, door.every = timedelta(0), timedelta(minutes=5)
        abreast = self.made(door, now)
        values = abreast.of(STREAM)["interest"]
        live = step(values)
        list(live.push(trades(4, 5), "trades"))
        abreast.step(0.0)
        abreast.step(0.5)
        assert beside(live.advance(START)) == []
        rows.append(interest(5))
        abreast.step(1.5)
        abreast.step(1.6)
        assert beside(live.advance(START)) == [(4, 5)]

    def test_a_value_that_never_comes_leaves_the_one_before(self):
        now, rows = [START + 5 * MINUTE + 1], [interest(0)]
        door = Door(INTEREST, lambda after, until: rows.pop() if rows else interest())
        door.settled, door.every = timedelta(0), timedelta(minutes=5)
        abreast = self.made(door, now)
        live = step(abreast.of(STREAM)["interest"])
        list(live.push(trades(4, 5), "trades"))
        for clock in range(12):
            abreast.step(float(clock))
        assert beside(live.advance(START)) == [(4, 0)]

    def test_what_is_not_had_in_time_is_given_up_and_asked_for_again(self):
        def refuse(after, until):
            raise UnavailableError("closed")

        now = [START + 5 * MINUTE]
        door = Door(INTEREST, refuse)
        door.settled = timedelta(0)
        abreast = self.made(door, now)
        values = abreast.of(STREAM)["interest"]
        values.wanted = START + MINUTE
        abreast.step(0.0)
        assert abreast.step(0.5) == {STREAM: "closed"}
        assert values.given_up == -1
        abreast.step(2.0)
        abreast.step(10.5)
        assert values.given_up == START + MINUTE
        assert 2 <= len(door.asked) <= 4

    def test_a_replay_asks_nobody_and_waits_for_nothing(self):
        abreast = Abreast({"interest": (Door(INTEREST, None), 10.0)}, None, lambda: START)
        live = step(abreast.of(STREAM)["interest"])
        assert beside(live.push(trades(0, 1), "trades")) == [(0, None)]
        abreast.step(0.0)
        abreast.close()


class Live:
    """A live stream as `Comparing` sees it."""

    stream, day, whole_from = STREAM, DAY, START

    def __init__(self, *minutes):
        self._kept = Minutes(TRADE)
        self.push(*minutes)

    def push(self, *minutes):
        self._kept.push(trades(*minutes))
        self.advanced = START + minutes[-1] * MINUTE + MINUTE // 2

    def minutes(self, until):
        return self._kept.closed(until)

    def end(self, ledger):
        """Put the day into the ledger, as a run does at its end, and begin the next."""
        values = dict.fromkeys(("size", "notional", "first_id", "last_id"))
        end = START + 1440 * MINUTE
        counts = {"until": end, "finished": True, "rows": 1, "repeats": 0, "holes": 0}
        window = WindowRecord(STREAM, self.day, "live", "wss://shop", **counts, **values)
        ledger.done(window, {}, {}, self._kept.packed(end))
        self.day, self.whole_from = self.day + timedelta(days=1), end
        self._kept = Minutes(TRADE)


def candles(*minutes, volume=2):
    count = len(minutes)
    numbers = dict.fromkeys(("open", "high", "low", "close"), 5) | {"volume": volume}
    return batch(
        CANDLE,
        exchange=word("shop", count),
        symbol=word("A", count),
        timestamp=times([START + minute * MINUTE for minute in minutes]),
        interval=word("1m", count),
        **{
            name: pa.array([Decimal(value)] * count).cast(CANDLE.field(name).type)
            for name, value in numbers.items()
        },
        notional=pa.nulls(count, CANDLE.field("notional").type),
        trades=pa.array([1] * count, pa.int64()),
    )


@pytest.fixture
def ledger(tmp_path):
    made = Ledger(str(tmp_path / "werks.db"), "p")
    yield made
    made.close()


class TestComparing:
    def made(self, door, ledger, now):
        found = Comparing(door, Http(1), (ledger, None), lambda: now[0])
        found.close()
        found._aside = Now()
        return found, {STREAM: LiveFigures()}

    def run(self, comparing, live, figures, clocks):
        for clock in clocks:
            comparing.step({"A": live}, clock, figures)
        return figures[STREAM].compared, figures[STREAM].differ

    def test_minutes_that_wait_are_asked_for_at_once_when_they_are_final(self, ledger):
        now = [START + 3 * MINUTE + 29 * 10**9]
        door = Door(CANDLE, lambda after, until: candles(0, 1, 2))
        comparing, figures = self.made(door, ledger, now)
        live = Live(0, 1, 2, 3)
        assert self.run(comparing, live, figures, (0, 1, 2, 3)) == (2, 0)
        assert door.asked == [(START, START + 2 * MINUTE)]
        now[0] += 10**9
        assert self.run(comparing, live, figures, (4, 5)) == (3, 0)
        assert ledger.gaps() == []

    def test_minutes_beside_a_hole_are_left_out(self, ledger):
        door = Door(CANDLE, lambda after, until: candles(0, 1, 2, 3, 4))
        comparing, figures = self.made(door, ledger, [START + 9 * MINUTE])
        live = Live(0, 4, 5)
        live.whole_from = START + 4 * MINUTE
        assert self.run(comparing, live, figures, (0, 1)) == (1, 0)

    def test_a_candle_that_opens_where_the_last_closed_is_compared_with_that(self, ledger):
        door = Door(CANDLE, lambda after, until: candles(0, 1, 2))
        door.opens = "previous"
        comparing, figures = self.made(door, ledger, [START + 9 * MINUTE])
        live = Live(0, 1)
        self.run(comparing, live, figures, (0, 1))
        live.push(2, 3)
        assert self.run(comparing, live, figures, (2, 3)) == (3, 0)
        assert [begin for begin, _ in door.asked] == [START, START]

    def test_a_candle_that_comes_late_is_waited_for_and_no_mismatch(self, ledger):
        there = [0, 1]
        door = Door(CANDLE, lambda after, until: candles(*there))
        comparing, figures = self.made(door, ledger, [START + 9 * MINUTE])
        live = Live(0, 1, 2, 3)
        assert self.run(comparing, live, figures, (0, 0.5)) == (2, 0)
        there.append(2)
        assert self.run(comparing, live, figures, (2, 3)) == (3, 0)
        assert ledger.gaps() == []

    def test_a_candle_that_never_comes_is_a_mismatch(self, ledger):
        door = Door(CANDLE, lambda after, until: candles(0, 1, 3))
        comparing, figures = self.made(door, ledger, [START + 9 * MINUTE])
        assert self.run(comparing, Live(0, 1, 2, 3, 4), figures, range(0, 60, 2)) == (4, 1)
        assert [each.kind for each in ledger.gaps()] == ["mismatch"]

    def test_an_answer_of_nothing_is_a_mismatch_only_after_minutes(self, ledger):
        door = Door(CANDLE, lambda after, until: candles())
        comparing, figures = self.made(door, ledger, [START + 9 * MINUTE])
        live = Live(0, 1, 2, 3)
        assert self.run(comparing, live, figures, range(0, 250, 2)) == (0, 0)
        assert ledger.gaps() == []
        assert self.run(comparing, live, figures, range(250, 900, 2)) == (3, 3)
        assert [each.kind for each in ledger.gaps()] == ["mismatch"]

    def test_an_outage_takes_nothing_from_the_patience_with_late_candles(self, ledger):
        there, failures = [0, 1], [3]

        def answer(after, until):
            failures[0] -= 1
            if failures[0] >= 0:
                raise UnavailableError("closed")
            return candles(*there)

        comparing, figures = self.made(Door(CANDLE, answer), ledger, [START + 9 * MINUTE])
        live = Live(0, 1, 2, 3)
        assert self.run(comparing, live, figures, range(0, 20, 2)) == (2, 0)
        there.append(2)
        assert self.run(comparing, live, figures, range(20, 40, 2)) == (3, 0)
        assert ledger.gaps() == []

    def test_an_outage_puts_it_off_and_says_why(self, ledger):
        why = [UnavailableError("closed")]

        def answer(after, until):
            if why:
                raise why.pop()
            return candles(0, 1, 2)

        door = Door(CANDLE, answer)
        comparing, figures = self.made(door, ledger, [START + 9 * MINUTE])
        live = Live(0, 1, 2, 3)
        self.run(comparing, live, figures, (0, 0.5))
        assert figures[STREAM].not_asked == "closed"
        assert self.run(comparing, live, figures, (2, 3)) == (3, 0)
        assert figures[STREAM].not_asked == ""

    def test_a_second_minute_that_differs_joins_the_first_in_the_ledger(self, ledger):
        door = Door(CANDLE, lambda after, until: candles(0, 1, 2, 3, volume=3))
        comparing, figures = self.made(door, ledger, [START + 9 * MINUTE])
        live = Live(0, 1)
        assert self.run(comparing, live, figures, (0, 1)) == (1, 1)
        live.push(2)
        assert self.run(comparing, live, figures, (2, 3)) == (2, 2)
        (differences,) = ledger.differences().values()
        assert [(each.minute - START) // MINUTE for each in differences] == [0, 1]
        (gap,) = ledger.gaps()
        assert gap.missing == 2

    def test_a_day_that_is_over_before_the_answer_of_its_minutes_is_judged_whole(self, ledger):
        now = [START + 9 * MINUTE]
        door = Door(CANDLE, lambda after, until: candles(0, 1, 2, volume=3))
        comparing, figures = self.made(door, ledger, now)
        live = Live(0, 1, 2)
        self.run(comparing, live, figures, [0])
        live.end(ledger)
        live.push(1440)
        comparing.over(STREAM, DAY)
        assert self.run(comparing, live, figures, [1]) == (0, 0)
        now[0] += 1440 * MINUTE
        assert self.run(comparing, live, figures, (2, 3, 4)) == (1440, 3)
        assert door.asked == [(START, START + 2 * MINUTE), (START, START + 1440 * MINUTE)]
        (differences,) = ledger.differences().values()
        assert len(differences) == 3
        assert list(ledger.minutes()) == []

    def test_a_day_that_waits_behind_minutes_of_the_next_is_counted_whole(self, ledger):
        days = {True: candles(0, 1, 2), False: candles(1440, 1441)}
        door = Door(CANDLE, lambda after, until: days[after < START + 1440 * MINUTE])
        now = [START + 9 * MINUTE]
        comparing, figures = self.made(door, ledger, now)
        live = Live(0, 1, 2)
        assert self.run(comparing, live, figures, (0, 1)) == (2, 0)
        now[0] += 1440 * MINUTE
        live.end(ledger)
        live.push(1440, 1441, 1442)
        assert self.run(comparing, live, figures, (2, 3)) == (4, 0)
        comparing.over(STREAM, DAY)
        assert self.run(comparing, live, figures, (4, 5)) == (1442, 0)


def test_minutes_of_many_small_batches_stay_few():
    kept = Minutes(TRADE)
    rows = trades(0)
    for _ in range(20_000):
        kept.push(rows)
    assert len(kept._parts) + len(kept._fresh) <= 514
    assert kept.closed(START + MINUTE)["ticks"].to_pylist() == [20_000]


def test_a_twin_shares_the_budget():
    one = Http(3)
    assert one.twin(1)._throttle is one._throttle
