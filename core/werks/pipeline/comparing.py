"""Live minutes against the exchange's candles, as soon as these are final.

REST is asked in a thread of its own, for all minutes of a stream that wait at once; no row waits
for it. What is final is told by the door of candles.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

import attrs
import numpy as np
import pyarrow as pa

from ..components import Stream
from ..errors import WerksError, foreign
from ..http import Http
from ..ledger import Ledger
from ..live.aside import Aside
from ..schema import nanoseconds
from ..verify import Facts, Verifier, candles, compare, unpacked
from .streaming import Streaming
from .task import DAY, midnight
from .until import LiveFigures

_MINUTE = 60 * 10**9
# Before REST is asked again for what it did not give: 1, 2, 4, … seconds, at most so many.
_LONGEST = 300.0
# So often an exchange may lack the newest candles before that counts as a difference.
_LATE = 3
# So often it may have none at all of what is asked for, which takes some minutes.
_LATE_ALL = 9
# Streams are looked over so often, in seconds.
_EVERY = 0.25
# After each answer REST is left alone for as long as it took, at most so many seconds: what heals
# holes has half of the exchange's budget at least.
_REST = 10.0

Streams = Mapping[str, Streaming]


@attrs.define
class _Progress:
    """How far a stream has been compared, the days that wait, and when REST is asked again.

    `reached` tells of each day up to when its minutes were compared while it went on: those of the
    next day may be so before it waits itself.
    """

    until: int = 0
    reached: dict[date, int] = attrs.field(factory=dict)
    days: deque[date] = attrs.field(factory=deque)
    tries: int = 0
    late: int = 0
    again: float = 0.0

    def judged(self) -> None:
        """Leave the first of the days that wait."""
        self.reached.pop(self.days.popleft(), None)

    def put_off(self, clock: float) -> None:
        """Wait with the next question, the longer the more of them were in vain."""
        self.again = clock + min(2.0 ** (self.tries + self.late - 1), _LONGEST)


@attrs.frozen
class _Question:
    """The candles that are asked for: from `begin` to before `end`; those before `new` are known.

    `day` is a whole day to be judged; None for minutes of a day that goes on.
    """

    stream: Stream
    begin: int
    new: int
    end: int
    ours: pa.RecordBatch
    day: date | None = None


class Comparing:
    """Compares the minutes of one source's streams; only its own thread waits for REST."""

    def __init__(
        self, door: Any, http: Http, told: tuple[Ledger, Any], now: Callable[[], int]
    ) -> None:
        self._ledger, hooks = told
        self._door, self._http, self._now = door, http, now
        self._facts = Facts.of(door)
        self._settled = door.settled // timedelta(microseconds=1) * 1000
        self._verifier = Verifier(self._ledger, http, datetime.now(UTC), hooks)
        self._aside = Aside("werks-candles")
        self._asked: tuple[_Question, Future[pa.RecordBatch], float] | None = None
        self._of: dict[str, _Progress] = {}
        self._due = 0.0

    def close(self) -> None:
        """Ask no more; what is not compared yet stays in the ledger, or is so by the next run."""
        self._aside.submit(self._http.__exit__)
        self._aside.end()

    def over(self, stream: Stream, day: date) -> None:
        """Take note of a day that is over and whose minutes are in the ledger."""
        progress = self._progress(stream)
        if day not in progress.days:
            progress.days.append(day)

    def step(self, streams: Streams, clock: float, figures: Mapping[Stream, LiveFigures]) -> None:
        """Take an answer if there is one, and ask the next question if there is one."""
        if self._asked is not None:
            question, answer, since = self._asked
            if not answer.done():
                return
            self._asked, self._due = None, clock + min(clock - since, _REST)
            self._hear(question, answer, clock, figures)
        if clock < self._due:
            return
        following = next(self._questions(streams, clock), None)
        if following is None:
            self._due = clock + _EVERY
            return
        span = following.begin, following.end
        answer = self._aside.submit(candles, self._door, self._http, following.stream, span)
        self._asked = following, answer, clock

    def _progress(self, stream: Stream) -> _Progress:
        found = self._of.get(stream.symbol)
        if found is None:  # what runs before this one have left to be compared comes first
            days = deque(day for _, day, _ in self._ledger.minutes(stream))
            found = self._of[stream.symbol] = _Progress(days=days)
        return found

    def _questions(self, streams: Streams, clock: float) -> Iterator[_Question]:
        """Yield what can be asked now; the stream that was compared the longest ago comes first."""
        final = self._now() - self._settled
        each = [(self._progress(stream.stream), stream) for stream in streams.values()]
        for progress, stream in sorted(each, key=lambda pair: pair[0].until):
            if clock >= progress.again:
                found = self._day(progress, stream.stream, final)
                found = found or self._minutes(progress, stream, final)
                if found is not None:
                    yield found

    def _day(self, progress: _Progress, stream: Stream, final: int) -> _Question | None:
        """Return the question of the first day that waits; None if there is none to be asked."""
        while progress.days and midnight(progress.days[0]) + DAY <= final:
            day = progress.days[0]
            packed = next((rows for *_, rows in self._ledger.minutes(stream, day)), None)
            torn = any(
                (gap.stream, gap.day) == (stream, day) and gap.kind != "mismatch"
                for gap in self._ledger.gaps()
            )
            if packed is not None and not torn:
                begin = midnight(day)
                new = progress.reached.get(day, begin)
                return _Question(stream, begin, new, begin + DAY, unpacked(packed), day)
            if torn:
                self._verifier.unknown(stream, day, "rows of it are missing: see its gaps")
            progress.judged()
        return None

    def _minutes(self, progress: _Progress, stream: Streaming, final: int) -> _Question | None:
        """Return the question of the minutes of the day that goes on; None if there are none."""
        new = max(progress.until, stream.whole_from)
        end = min(final, stream.advanced, midnight(stream.day) + DAY) // _MINUTE * _MINUTE
        if end <= new:
            return None
        ours = stream.minutes(end)
        time = nanoseconds(ours["timestamp"])
        first = int(np.searchsorted(time, new))
        begin = new
        if self._facts.opens == "previous" and first:  # a candle opens where the last one closed
            first -= 1
            begin = int(time[first])
        return _Question(stream.stream, begin, new, end, ours.slice(first))

    def _hear(
        self,
        question: _Question,
        answer: "Future[pa.RecordBatch]",
        clock: float,
        figures: Mapping[Stream, LiveFigures],
    ) -> None:
        progress = self._progress(question.stream)
        mine = figures.get(question.stream) or LiveFigures()
        error = answer.exception()
        if error is None:
            mine.not_asked, progress.tries = "", 0
            self._take(question, answer.result(), (progress, mine), clock)
            return
        if not isinstance(error, WerksError):  # foreign code
            error = foreign(f"{question.stream} candles", cast(Exception, error))
        mine.not_asked = str(error)
        progress.tries += 1
        progress.put_off(clock)

    def _take(
        self,
        question: _Question,
        theirs: pa.RecordBatch,
        of: tuple[_Progress, LiveFigures],
        clock: float,
    ) -> None:
        """Compare up to where candles have come; the rest is asked for again."""
        (progress, mine), end = of, question.end
        day = question.day or date(1970, 1, 1) + timedelta(days=question.new // DAY)
        if question.day is None and day in progress.days:
            return  # it was over before the answer came, and is judged as a whole
        if progress.late < (_LATE if len(theirs) else _LATE_ALL):
            end = _there(theirs, nanoseconds(question.ours["timestamp"]), end)
        if end < question.end:
            # Where others have come meanwhile, it is another one that is late.
            has_moved = question.day is None and end > question.new
            progress.late = 1 if has_moved else progress.late + 1
            progress.put_off(clock)
            if question.day is not None or end <= question.new:
                return
        else:
            progress.late = 0
        found = compare(_before(question.ours, end), _before(theirs, end), self._facts)
        wrong = [each for each in found.differences if each.minute >= question.new]
        mine.compared += (end - question.new) // _MINUTE
        mine.differ += len({each.minute for each in wrong})
        if question.day is not None:
            progress.judged()
            self._verifier.judge(question.stream, day, found)
            return
        progress.until = progress.reached[day] = end
        if wrong:
            self._verifier.differ(question.stream, day, wrong)


def _there(theirs: pa.RecordBatch, ours: "np.ndarray[Any, Any]", end: int) -> int:
    """Return up to when candles have come: to `end`, unless one of our last minutes lacks its."""
    last = int(nanoseconds(theirs["timestamp"])[-1]) + _MINUTE if len(theirs) else 0
    late = ours[ours >= last]
    return int(late[0]) if len(late) else end


def _before(rows: pa.RecordBatch, end: int) -> pa.RecordBatch:
    return rows.filter(pa.array(nanoseconds(rows["timestamp"]) < end))
