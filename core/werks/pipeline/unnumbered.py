"""The lane of rows without ids: quotes, candles, funding. Their times may tell what is missing."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future

import attrs
import numpy as np
import pyarrow as pa

from ..components import Stream
from ..errors import WerksError
from ..schema import kind, nanoseconds
from .handover import Handover
from .past import Answer, Past
from .place import Hole, Place, between

# Of these a stream has one row a time at the most, so that a time that came is a repeat.
_ONE_A_TIME = ("CANDLE", "FUNDING", "OPEN_INTEREST")
_EVER = 1 << 62
# Before REST is asked again: 1, 2, 4, … seconds, at most so many.
_LONGEST = 15.0
# REST may be late with what has just ended. Asked so often, it is right that there is nothing:
# some exchanges have no candle of a time without trades.
_SURE = 4


@attrs.define
class Newest:
    """How far a stream has come."""

    last: Place


@attrs.frozen
class Pace:
    """How far apart the rows of a stream are (ns), if that is known, and how long a hole waits."""

    step: int | None = None
    patience: float = 60.0


@attrs.define
class _Stretch:
    """Rows between two outages; `why` is what may have left out rows before them."""

    why: str
    rows: list[pa.RecordBatch] = attrs.field(factory=list)


class Unnumbered:
    """Lets rows go on in the order of their times; an outage is a hole unless it is healed.

    Rows of which there is one a time wait until REST has told what lies before them.
    """

    def __init__(
        self, stream: Stream, last: Place, pace: Pace | None = None, past: Past | None = None
    ) -> None:
        self.stream, self.known = stream, Newest(last)
        self._pace, self._past = pace or Pace(), past
        self.connected = False
        self._stretches = deque([_Stretch("the stream begins here")])
        self._handover = Handover()
        self._out: deque[pa.RecordBatch | Hole] = deque()
        self._asked: Future[Answer] | None = None
        self._since: float | None = None
        self._tries, self._again, self._why = 0, 0.0, ""

    @property
    def waits(self) -> str:
        """Why rows wait; empty if they flow."""
        return self._stretches[0].why if self.held else ""

    @property
    def held(self) -> int:
        """How many rows wait."""
        return self._handover.held + sum(
            len(batch) for stretch in self._stretches for batch in stretch.rows
        )

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do before a row comes."""
        return not (self._stretches[0].rows or self._out or self._handover.held)

    @property
    def lag(self) -> int:
        """How much later than its time a row may come, in ns: a candle has its beginning's."""
        doubts = self._past is not None and any(stretch.why for stretch in self._stretches)
        return _EVER if doubts else self._pace.step or 0

    def doubt(self, why: str) -> None:
        """Take note that rows may be missing between the last row and the next one."""
        newest = self._stretches[-1]
        if newest.rows:
            self._stretches.append(_Stretch(why))
        else:
            newest.why = newest.why or why
        self._stretches[-1].rows += self._handover.end()

    def take(self, batch: pa.RecordBatch, connection: int = 0) -> None:
        """Take rows of a connection; those that another one brings, too, are left out."""
        if len(batch) and not self._is_once(batch):
            batch = self._handover.take(batch, connection)
        if len(batch):
            self._stretches[-1].rows.append(batch)

    def close(self) -> None:
        """Give up the rows that wait."""
        self._handover = Handover()
        self._stretches = deque([_Stretch("")])

    def poll(self, now: int, clock: float) -> Iterator[pa.RecordBatch | Hole]:
        """Yield what may go on: rows in the order of their times, holes before them.

        It need not be iterated to the end: what is left comes at the next call.
        """
        self._stretches[-1].rows += self._handover.poll(clock)
        while self._stretches[0].rows and self._passes(clock):
            if len(self._stretches) == 1:
                self._stretches.append(_Stretch(""))
            self._stretches.popleft()
        while self._out:
            yield self._out.popleft()

    def _passes(self, clock: float) -> bool:
        """Tell whether the first rows that wait are done with: they have gone on, or are known."""
        first = self._stretches[0]
        rows = self._new(first.rows)
        if not len(rows):
            if first.why:  # then it is the next rows that something may be missing before
                first.rows = []
                return self._merged()
            return True
        if first.why and not self._is_clear(int(nanoseconds(rows["timestamp"])[0]), clock):
            return False
        self._let_go(rows)
        self._asked, self._since = None, None
        return True

    def _merged(self) -> bool:
        """Leave a stretch without a row; its doubt is that of the next one."""
        if len(self._stretches) == 1:
            return False
        self._stretches[1].why = self._stretches[0].why
        return True

    def _new(self, batches: list[pa.RecordBatch]) -> pa.RecordBatch:
        """Return the rows that have not gone on, in order."""
        rows, last = pa.concat_batches(batches), self.known.last.time
        time = nanoseconds(rows["timestamp"])
        once = self._is_once(rows)
        keep = time > last if once else time >= last
        if once:
            keep &= _newest_of_each(time)
        rows = rows.filter(pa.array(keep))
        return rows.take(pa.array(np.argsort(nanoseconds(rows["timestamp"]), kind="stable")))

    def _is_once(self, rows: pa.RecordBatch) -> bool:
        return kind(rows.schema) in _ONE_A_TIME

    def _let_go(self, rows: pa.RecordBatch) -> None:
        self.known.last = Place(int(nanoseconds(rows["timestamp"])[-1]))
        self._out.append(rows)

    def _is_clear(self, first: int, clock: float) -> bool:
        """Tell whether the rows from a time on may go on; what is missing for good is a hole."""
        if self._follows(first):
            return True
        why = "nothing tells whether rows are missing"
        if self._past is not None and self._is_once(self._stretches[0].rows[0]):
            if self._since is None:
                self._since, self._again, self._tries = clock, clock, 0
            if not self._heals(self._past, first, clock):
                if clock - self._since <= self._pace.patience or self._asked is not None:
                    return False
                why = self._why
            elif not self._why:
                return True
            else:
                why = self._why
        cause = f"{self._stretches[0].why}; {why}"
        last = self.known.last.time
        self._out.append(Hole(cause, between(last, first), None, last + 1))
        return True

    def _follows(self, first: int) -> bool:
        """Tell whether the times prove that nothing is missing before a time."""
        step = self._pace.step
        once = self._is_once(self._stretches[0].rows[0])
        return once and step is not None and first - self.known.last.time <= step

    def _heals(self, past: Past, first: int, clock: float) -> bool:
        """Ask REST for what lies before a time; return whether it is clear, else `_why` it is not.

        It is clear, too, that there is a hole: then `_why` says so.
        """
        if self._asked is None:
            if clock >= self._again:
                self._tries += 1
                self._asked = past.ask(self.stream, self.known.last.time + 1, first)
            return False
        if not self._asked.done():
            return False
        asked, self._asked = self._asked, None
        self._again = clock + min(2.0 ** (self._tries - 1), _LONGEST)
        error = asked.exception()
        if error is not None:
            if not isinstance(error, WerksError):
                raise error
            self._why = str(error)
            return False
        return self._is_all(asked.result(), first, clock)

    def _is_all(self, answer: Answer, first: int, clock: float) -> bool:
        """Let go on what REST gave; tell whether no more can be had."""
        rows = self._new(list(answer.batches)) if answer.batches else None
        if rows is not None and len(rows):
            self._let_go(rows)
        if not answer.whole:  # more of it comes at once
            self._since = self._again = clock
            return False
        self._why = "" if answer.reaches else "REST does not reach back so far"
        is_sure = self._pace.step is None or self._tries >= _SURE
        return not answer.reaches or is_sure or self._follows(first)


def _newest_of_each(
    time: np.ndarray[tuple[int], np.dtype[np.int64]],
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return which rows are the last of those with their time."""
    keep = np.zeros(len(time), bool)
    _, places = np.unique(time[::-1], return_index=True)
    keep[len(time) - 1 - places] = True
    return keep
