"""A live stream: rows from its lane go into today's window by segments, day after day."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime

import attrs
import numpy as np
import pyarrow as pa

from ..components import Proof, Receipt, State, Stream, Window
from ..errors import SinkError
from ..proof import Digest
from ..schema import nanoseconds
from .day import Day, Given
from .lane import Hole, Lane
from .place import Place
from .skew import Skew
from .task import DAY, DayTask, Done, Task, midnight
from .unnumbered import Unnumbered

_SECOND = 10**9
_MINUTE = 60 * _SECOND


@attrs.frozen
class LiveTask:
    """What all streams of a live source go through; `targets` are the sinks of each node.

    In silence, `grace` ns after a time no row of it is expected any more.
    """

    task: Task
    targets: Mapping[str, tuple[str, ...]]
    grace: int


@attrs.frozen
class Lost:
    """A hole, and the days that it befalls: it may begin in one that is over."""

    hole: Hole
    days: tuple[date, ...]


@attrs.frozen
class Turned:
    """A day that is done, and what was carried into it, as digests."""

    done: Done
    began: Mapping[str, str]


@attrs.frozen
class Mark:
    """How far a live window is in all sinks: enough to go on at the very next row."""

    day: date
    place: Place
    states: Mapping[str, State]
    tally: State
    receipts: Mapping[str, Receipt]
    prints: Mapping[str, str]
    began: Mapping[str, str]
    door: str = "live"

    def text(self) -> str:
        """Return it as JSON."""
        plain = attrs.asdict(self, recurse=False) | {
            "day": self.day.isoformat(),
            "place": [self.place.time, self.place.number, sorted(self.place.ids)],
        }
        return json.dumps(plain)

    def fits(self, day: date, prints: Mapping[str, str], sinks: Iterable[str]) -> bool:
        """Tell whether it can be gone on with: this day, by the same nodes, into the same sinks."""
        same = all(prints.get(node) == made_by for node, made_by in self.prints.items())
        return self.day == day and same and set(self.receipts) == set(sinks)

    @classmethod
    def of(cls, text: str) -> "Mark":
        """Return what `text` has put down."""
        plain = json.loads(text)
        time, number, ids = plain["place"]
        place = Place(time, number, frozenset(ids))
        return cls(**{**plain, "day": date.fromisoformat(plain["day"]), "place": place})


class Streaming:
    """One stream, live: its lane, and the window that is open now.

    The caller takes what `poll` and `commit` return: holes to be recorded, days that are done,
    marks to be written.
    """

    def __init__(self, task: LiveTask, lane: Lane | Unnumbered, given: Given, day: date) -> None:
        self.stream: Stream = lane.stream
        self.lane = lane
        self._task, self._targets, self._grace = task.task, task.targets, task.grace
        self._given, self.advanced, self._closed = given, 0, 0
        self._skew = Skew()
        self._late = int(task.task.door.disorder.total_seconds() * 10**9) + task.grace
        self._pending: list[pa.RecordBatch] = []
        self._day = self._opened(day, given.states)
        self._began: Mapping[str, str] = {}
        self.rows = 0
        self.stuck = ""
        self._whole, self._torn, self._holes = 0, False, list[Hole]()

    @property
    def whole_from(self) -> int:
        """The minute from which on no row of the open window is known to be missing."""
        return max(self._whole, midnight(self.day))

    def minutes(self, until: int) -> pa.RecordBatch:
        """Return the minutes of the open window that end at or before a time."""
        kept = self._day.tally.kept
        assert kept is not None  # noqa: S101  (they are asked for only where they are kept)
        return kept.closed(until)

    @property
    def day(self) -> date:
        """The day of the window that is open."""
        return self._day.task.day

    def begin(self, before: tuple[bool, int | None]) -> None:
        """Begin the day anew: what a broken run has left of it in the sinks is taken away."""
        self._follow(before)
        for name in self._day.sinks:
            self._given.writers[name].resume(self._day.window, {})

    def resume(self, mark: Mark) -> None:
        """Go on behind a mark: every sink is cut back to it, proofs are folded from the rows."""
        self._day = self._opened(mark.day, mark.states)
        self._began = mark.began
        self._day.follow(mark.began, (False, None))
        self._day.tally.restore(mark.tally)
        for name, receipt in mark.receipts.items():
            self._given.writers[name].resume(self._day.window, receipt)
        for node, digest in self._day.digests.items():
            sink = self._task.sinks[self._day.task.targets[node][0]]
            rows = sink.read(self._day.window, node, self._task.schemas[node])
            if node == self._task.source:
                rows = self._day.tally.refold(rows)
            for batch in rows:
                digest.add(batch)
        if not self._day.tally.whole:
            self._whole = _minute_after(mark.place.time)

    def _opened(self, day: date, states: Mapping[str, State]) -> Day:
        task = DayTask(day, midnight(day) + DAY, self._targets, settles=False)
        return Day(self._task, self.stream, task, attrs.evolve(self._given, states=states))

    def _follow(self, before: tuple[bool, int | None]) -> None:
        self._began = self._task.prints.began(self._given.states, before)
        self._day.follow(self._began, before)

    def poll(self, now: int, clock: float, heard: int) -> list[Lost | Turned]:
        """Let rows go on; return the holes that were found and the days that are done.

        `heard` is when the connection has shown last that it lives; silence after it proves
        nothing.
        At the end of a day a sink that fails stops the stream, its rows wait: `stuck` says why.
        """
        out: list[Lost | Turned] = []
        self.stuck = ""
        try:
            while self._pending:
                self._take(self._pending.pop(0), out)
            # A part at a time: what a sink does not take yet goes on waiting in the lane.
            for what in self.lane.poll(now, clock):
                self._pass(what, out)
            if not self.lane.waits:
                quiet = 0 if self.lane.held else self._silent(now, heard)
                self._advance(max(self.lane.known.last.time, quiet), out)
        except SinkError as error:
            self.stuck = str(error)
        self._lose(midnight(self.day), out)
        return out

    def _pass(self, what: pa.RecordBatch | Hole, out: list[Lost | Turned]) -> None:
        if isinstance(what, Hole):
            self._holes.append(what)
            self._torn = True
            self._day.cut()
        else:
            self._take(what, out)

    def rests(self, now: int, heard: int) -> bool:
        """Tell whether `poll` would do nothing: no row has come, and no bar ends in a second."""
        if self._pending or self._holes or self.stuck or not self.lane.idle:
            return False
        return self._silent(now, heard) // _SECOND <= self.advanced // _SECOND

    def _silent(self, now: int, heard: int) -> int:
        """Return the time before which no row comes any more, as far as silence tells."""
        return min(now, heard) - self._late - self.lane.lag - self._skew.least

    def _lose(self, until: int, out: list[Lost | Turned]) -> None:
        """Tell of the holes before a time, by the days between the last row and that."""
        for hole in self._holes:
            last = today(until)
            first = last if hole.since is None else today(hole.since)
            days = range(min(first, last).toordinal(), last.toordinal() + 1)
            out.append(Lost(hole, tuple(map(date.fromordinal, days))))
        self._holes.clear()

    def _take(self, batch: pa.RecordBatch, out: list[Lost | Turned]) -> None:
        time = nanoseconds(batch["timestamp"])
        days = time // DAY
        if self._torn:
            self._whole, self._torn = _minute_after(int(time[0])), False
        self._lose(int(time[0]), out)
        self._skew.take(batch)
        if int(time[0]) < self._closed:  # by the clock, without them
            late = int(np.searchsorted(time, self._closed))
            cause = f"rows came {self._grace / 1e9:g} s late"
            self._holes.append(Hole(cause, f"{late} of them", None, int(time[0])))
            self._lose(midnight(self.day), out)
        begin = int(np.searchsorted(days, self._day.number))  # a day that is over takes no more
        while begin < len(batch):
            number = int(days[begin])
            end = int(np.searchsorted(days, number, "right"))
            while number > self._day.number:
                try:
                    out.append(self._turn())
                except SinkError:
                    self._pending.insert(0, batch.slice(begin))
                    raise
            self._day.take(batch.slice(begin, end - begin))
            self.rows += end - begin
            begin = end

    def _advance(self, time: int, out: list[Lost | Turned]) -> None:
        while time >= self._day.task.until:
            out.append(self._turn())
        if self._day.advance(time):
            self._closed = max(self._closed, time)
        self.advanced = max(self.advanced, time)

    def _turn(self) -> Turned:
        """Close the day, and open the next one with what its nodes carry."""
        done = self._day.close(lambda done: done, appended=True)
        last = done.ids.most if done.ids and done.rows else None
        self._closed = max(self._closed, self._day.task.until)
        day = date.fromordinal(self.day.toordinal() + 1)
        self._given = attrs.evolve(self._given, states=done.states)
        self._day = self._opened(day, done.states)
        turned = Turned(done, self._began)
        self._follow((False, last))
        return turned

    @property
    def due(self) -> Day | None:
        """The window that `commit` makes a segment of; None if nothing came."""
        return self._day if self._day.fresh and not (self._day.closing or self._pending) else None

    def commit(self) -> Mark | None:
        """Make a segment of what came; return the mark to be written, None if nothing came.

        A day that is being closed takes no more segments, though a sink keeps it waiting; rows of
        the next one have come by then, and a mark would count them in.
        """
        if self.due is None:
            return None
        receipts = self._day.append()
        self._day.fresh = False
        return Mark(
            self.day,
            self.lane.known.last,
            self._day.flow.carried(),
            self._day.tally.state(),
            receipts,
            {node: self._task.prints.fingerprints[node] for node in self._day.digests},
            self._began,
            self._task.via,
        )

    def end(self) -> None:
        """Write what is still open apart; the stream is over, until a later run goes on."""
        self._day.settle()

    def reopen(self) -> None:
        """Take away what the run before wrote as still open: it goes on now."""
        window = Window(self.stream.exchange, self.stream.symbol, None)
        for name, nodes in self._day.sinks.items():
            proofs = {node: self._empty(node) for node in nodes}
            self._given.writers[name].commit(window, proofs)

    def _empty(self, node: str) -> Proof:
        return Digest(self._task.schemas[node]).proof()


def _minute_after(time: int) -> int:
    return (time // _MINUTE + 1) * _MINUTE


def today(now: int) -> date:
    """Return the UTC day of a time in ns since 1970."""
    return datetime.fromtimestamp(now // 10**9, UTC).date()
