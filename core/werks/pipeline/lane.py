"""One stream between its connections and its day: each row once, in order, no hole unseen.

Where a hole may lie, after a reconnect, a jump of the ids or a restart, the rows that come wait
until REST has given what lies before them, or until it is clear that it cannot.
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future

import attrs
import numpy as np
import pyarrow as pa

from ..components import Continuity, Stream
from ..errors import WerksError
from ..schema import nanoseconds
from .held import Held, Shelf
from .past import Answer, Past
from .place import Hole as Hole
from .place import Known, Place, between

# Before REST is asked again: 1, 2, 4, … seconds, at most so many.
_LONGEST = 15.0
# If no row comes, REST is asked after so many seconds: it needs the time to know the latest rows.
_SETTLE = 2.0
# REST is asked for so many ns more than what lies before the rows that wait: it knows their order.
_BEYOND = 60 * 10**9
# So many parts of the rows that wait go on at once; then sinks have their turn.
_AT_ONCE = 8


@attrs.frozen
class Rule:
    """What holds for a stream: what its ids prove, how long rows are held, how long a hole waits.

    `hold` is in nanoseconds, `patience` in seconds; rows wait on `shelf`.
    """

    continuity: Continuity
    hold: int = 0
    patience: float = 60.0
    shelf: Shelf = attrs.field(factory=Shelf, repr=False)


class Lane:
    """Joins what connections bring to what is there."""

    lag = 0  # rows come at their time

    def __init__(self, stream: Stream, rule: Rule, last: Place, past: Past | None) -> None:
        self.stream = stream
        self.known = Known(str(stream), rule.continuity, last)
        self._rule, self._past = rule, past
        self._held = Held(self.known, rule.shelf)
        # Further doubts, each with the rows that came after it, unless their ids will join them.
        self._later: deque[tuple[str, Held]] = deque()
        self._out: deque[pa.RecordBatch | Hole] = deque()
        self._doubt = "the stream begins here"
        self._since: float | None = None
        self._asked: Future[Answer] | None = None
        self._tries, self._again, self._why = 0, 0.0, ""
        self._beyond = self._stale = self.connected = False
        self._met = 0

    @property
    def waits(self) -> str:
        """Why rows wait; empty if they flow."""
        return self._doubt

    @property
    def held(self) -> int:
        """How many rows wait."""
        return sum(map(len, self._all()))

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do before a row comes."""
        return not (self._doubt or self._held or self._later or self._out)

    def doubt(self, why: str) -> None:
        """Take note that rows may be missing between the last row and the next one."""
        newest = self._all()[-1]
        if len(newest) and (self._doubt or not self.known.counts):
            self._later.append((why, Held(self.known, self._rule.shelf)))
        elif not self._later:
            # What REST is being asked for may end before the rows that are missing now.
            self._stale = self._stale or not len(newest)
            self._doubt = self._doubt or why

    def take(self, batch: pa.RecordBatch, connection: int = 0) -> None:
        """Take rows of any connection; those that are known are left out."""
        batch = self.known.without(batch, bool(self._doubt or self._later))
        if len(batch):
            (self._held if self.known.counts else self._all()[-1]).add(batch)

    def close(self) -> None:
        """Give up the rows that wait."""
        for held in self._all():
            held.clear()

    def poll(self, now: int, clock: float) -> Iterator[pa.RecordBatch | Hole]:
        """Yield what may go on: rows in order, holes before the rows behind them.

        `now` is the time in ns since 1970, `clock` seconds of a clock that only goes forward. What
        is more than a few hundred thousand rows, or not taken, comes at the next call.
        """
        yield from self._ready()
        if not self._doubt:
            yield from self._flow(now)
        if self._doubt:
            self._clear(now, clock)
            yield from self._ready()
            if not self._doubt:
                yield from self._flow(now)

    def _ready(self) -> Iterator[pa.RecordBatch | Hole]:
        while self._out:
            yield self._out.popleft()

    def _flow(self, now: int) -> Iterator[pa.RecordBatch | Hole]:
        for _ in range(_AT_ONCE):
            if self._doubt:
                return
            if not len(self._held):
                if self._later:
                    self._go_on_later()
                return
            rows = self._old_enough(self._following(), now)
            if not len(rows):
                return
            self._let_go(rows)
            yield from self._ready()

    def _go_on_later(self) -> None:
        """Come to the rows behind the next doubt; those of them that are known now are left out."""
        self._since, self._met = None, 0
        while self._later and not len(self._held):
            why, self._held = self._later.popleft()
            self._doubt = self._doubt or why
            self._held.forget()

    def _following(self) -> pa.RecordBatch:
        """Return the next rows whose ids go on from the last one; if there are none, a doubt."""
        known, held = self.known, self._held
        rows = held.next()
        if not known.counts:
            return rows
        last = known.last.number
        if last is None:  # after a hole the ids may begin anywhere
            last = min([known.least([rows]), *([held.least()] if len(held) else [])]) - 1
        good, others = known.parted(rows, last)
        if len(others) and not len(good) and len(held):  # what is missing may come next
            good, others = known.parted(known.ordered([others, held.next()]), last)
        if len(others):
            is_jump = not len(held) or not len(good)
            held.put_back(others)
            if is_jump:
                first, end = last + 1 + len(good), known.least([others]) - 1
                self._doubt = f"ids {first} to {end} did not come"
        return good

    def _old_enough(self, rows: pa.RecordBatch, now: int) -> pa.RecordBatch:
        """Return the rows that no other can precede any more; the others wait."""
        if not self._rule.hold or not len(rows) or (self._later and not self.known.counts):
            return rows
        time = nanoseconds(rows["timestamp"])
        until = max(int(time[-1]), self._held.newest(), now) - self._rule.hold
        count = int(np.searchsorted(time, until, "right"))
        self._held.put_back(rows.slice(count))
        return rows.slice(0, count)

    def _clear(self, now: int, clock: float) -> None:
        """Ask REST what lies between; when that is known, or hopeless, let the rows go on."""
        if not self.connected and not len(self._held):
            return  # what REST had now would not be the end of it
        if self._since is None:
            self._since, self._tries, self._again = clock, 0, clock + _SETTLE
            self._why, self._beyond = "REST cannot be asked for it", False
        if self._joined():
            self._go_on()
        elif full := self._full():
            self._asked, self._why = None, full
        elif self._asked is not None:
            if self._asked.done():
                asked, self._asked = self._asked, None
                self._hear(asked, clock)
        elif self._past is not None and (
            clock >= self._again or (len(self._held) and not self._tries)
        ):
            self._tries, self._stale = self._tries + 1, False
            self._asked = self._past.ask(self.stream, self.known.last.time, self._until(now))
        if self._doubt and self._asked is None and len(self._held) and self._is_hopeless(clock):
            self._out.append(self._hole())
            self.known.forget_number()
            self._go_on()

    def _until(self, now: int) -> int:
        """Return up to when REST is asked: what has waited for hours need not come once more."""
        if not len(self._held):
            return now
        # A snapshot may lack the last rows before the time when it was heard.
        self._met = self._met or now
        now = max(now, self._held.newest() + 1)  # our clock may be behind the exchange's
        return min(now, max(self._held.earliest(), self._met) + _BEYOND)

    def _full(self) -> str:
        """Return why the rows may wait no longer; empty if they may."""
        shelf = self._rule.shelf
        return shelf.full if shelf.full and any(map(shelf.is_largest, self._all())) else ""

    def _all(self) -> list[Held]:
        return [self._held, *(held for _, held in self._later)]

    def _is_hopeless(self, clock: float) -> bool:
        waited = clock - (clock if self._since is None else self._since)
        too_long = self._tries > 0 and waited > self._rule.patience
        return self._past is None or self._beyond or too_long or bool(self._full())

    def _joined(self) -> bool:
        """Tell whether ids alone prove that the rows that wait follow the last one."""
        last = self.known.last.number
        if not self.known.counts or not len(self._held) or last is None:
            return False
        return self._held.least() == last + 1

    def _hear(self, asked: Future[Answer], clock: float) -> None:
        """Take what REST has answered."""
        error = asked.exception()
        if error is not None and not isinstance(error, WerksError):
            raise error
        if error is not None:
            self._why = str(error)
        else:
            answer = asked.result()
            if self._answered(answer) and not self._stale:
                self._go_on()
                return
            self._why = "REST does not have all of it"
            if not answer.whole:  # more of it comes at once
                self._since = self._again = clock
                return
        self._again = clock + min(2.0 ** (self._tries - 1), _LONGEST)

    def _answered(self, answer: Answer) -> bool:
        """Let go on what REST gave, as far as it follows the last row; return whether it joins."""
        found = pa.concat_batches(answer.batches) if answer.batches else None
        below, above = self._meets(found, answer.reaches)
        self._beyond = not below and not answer.reaches
        if below and found is not None:
            rows = self.known.without(found, False)
            if len(rows):
                self._let_go(self.known.counted(rows))
                self._held.forget()
        return below and above and answer.whole

    def _meets(self, found: pa.RecordBatch | None, reaches: bool) -> tuple[bool, bool]:
        """Return whether what REST gave follows the last row, and whether it meets those held."""
        known = self.known
        if known.counts and known.last.number is not None:
            if found is None:
                return True, not len(self._held)
            ids = known.numbers(found)
            after = ids[ids > known.last.number]
            below = not len(after) or int(after.min()) == known.last.number + 1
            return below, not len(self._held) or int(ids.max()) + 1 >= self._held.least()
        names = set[str]() if found is None else set(found["trade_id"].to_pylist())
        # Where a stream begins at a midnight, nothing is known that could come again.
        below = bool(known.last.ids & names) if known.last.ids else reaches
        if not len(self._held):
            return below, True
        return below, self._held.first()["trade_id"][0].as_py() in names

    def _go_on(self) -> None:
        self._doubt, self._since, self._asked, self._met = "", None, None, 0

    def _hole(self) -> Hole:
        """Return what is missing before the rows that wait."""
        last, where = self.known.last, between(self.known.last.time, self._held.earliest())
        cause = f"{self._doubt}; {self._why}"
        if not self.known.counts or last.number is None:
            return Hole(cause, where, None, last.time + 1)
        count = self._held.least() - last.number - 1
        evidence = f"ids {last.number + 1} to {last.number + count}, {where}"
        return Hole(cause, evidence, count, last.time + 1)

    def _let_go(self, rows: pa.RecordBatch) -> None:
        """Let rows go on; those that came too late to stand in their place are told as a hole."""
        if not len(rows):
            return
        late = self.known.late(rows)
        if late.any():
            missed = rows.filter(pa.array(late))
            evidence = f"ids {', '.join(missed['trade_id'].to_pylist()[:5])}"
            cause = "trades came after later ones, beyond what may be out of order"
            since = int(nanoseconds(missed["timestamp"]).min())
            self._out.append(Hole(cause, evidence, len(missed), since))
        self.known.advance(rows)
        if len(rows := rows.filter(pa.array(~late)) if late.any() else rows):
            self._out.append(rows)
