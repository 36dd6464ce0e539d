"""One stream between its connections and its day: each row once, in order, no hole unseen.

Where a hole may lie, after a reconnect, a jump of the ids or a restart, the rows that come wait
until REST has given what lies before them, or until it is clear that it cannot.
"""

from collections.abc import Iterator
from concurrent.futures import Future
from typing import Protocol

import attrs
import numpy as np
import pyarrow as pa

from ..components import Continuity, Stream
from ..errors import WerksError
from ..schema import nanoseconds
from .place import Known, Place

# Before REST is asked again: 1, 2, 4, … seconds, at most so many.
_LONGEST = 15.0
# Doors may print the time of one trade differently, in floats or in whole milliseconds; where ids
# tell the order, a time that goes back so little is no disorder.
_GRAIN = 1_000_000
# If no row comes, REST is asked after so many seconds: it needs the time to know the latest rows.
_SETTLE = 2.0
# So many rows wait at most while a hole is looked into; beyond, the hole is left open.
_MOST_HELD = 2_000_000


@attrs.frozen
class Hole:
    """Rows that are missing and cannot be had now: why, where, and how many if ids tell."""

    cause: str
    evidence: str
    missing: int | None


@attrs.frozen
class Answer:
    """What REST gave: rows in order.

    `whole` is whether it came up to the time asked for, `reaches` whether it goes back so far.
    """

    batches: tuple[pa.RecordBatch, ...]
    whole: bool
    reaches: bool = True


class Past(Protocol):
    """Asks REST for what lies behind a place; a part at a time if it is much."""

    def ask(self, stream: Stream, after: int, until: int) -> Future[Answer]:
        """Return rows from a time on, in order; errors come through the future."""
        ...


@attrs.frozen
class Rule:
    """What holds for a stream: what its ids prove, how long rows are held, how long a hole waits.

    `hold` is in nanoseconds, `patience` in seconds.
    """

    continuity: Continuity
    hold: int = 0
    patience: float = 60.0


class Lane:
    """Joins what connections bring to what is there."""

    def __init__(self, stream: Stream, rule: Rule, last: Place, past: Past | None) -> None:
        self.stream = stream
        self.known = Known(str(stream), rule.continuity, last)
        self._rule, self._past = rule, past
        self._held: list[pa.RecordBatch] = []
        self._out: list[pa.RecordBatch | Hole] = []
        self._doubt = "the stream begins here"
        self._since: float | None = None
        self._asked: Future[Answer] | None = None
        self._tries, self._again, self._why = 0, 0.0, ""
        self._beyond = False
        self.connected = False

    @property
    def waits(self) -> str:
        """Why rows wait; empty if they flow."""
        return self._doubt

    @property
    def held(self) -> int:
        """How many rows wait."""
        return sum(map(len, self._held))

    def doubt(self, why: str) -> None:
        """Take note that rows may be missing between the last row and the next one."""
        self._doubt = self._doubt or why

    def take(self, batch: pa.RecordBatch) -> None:
        """Take rows of a connection; those that are known are left out."""
        batch = self.known.without(batch, bool(self._doubt))
        if len(batch):
            self._held.append(batch)

    def poll(self, now: int, clock: float) -> Iterator[pa.RecordBatch | Hole]:
        """Yield what may go on: rows in order, holes before the rows behind them.

        `now` is the time in ns since 1970, `clock` seconds of a clock that only goes forward.
        """
        if not self._doubt:
            self._flow(now)
        if self._doubt:
            self._clear(now, clock)
        out, self._out = self._out, []
        yield from out

    def _flow(self, now: int) -> None:
        if not self._held:
            return
        rest: list[pa.RecordBatch] = []
        rows = self.known.ordered(self._held)
        if self.known.counts and self.known.last.number is not None:
            rows, rest = self._until_jump(rows, self.known.last.number)
        if self._rule.hold and len(rows):
            time = nanoseconds(rows["timestamp"])
            until = max(int(time[-1]), now) - self._rule.hold
            count = int(np.searchsorted(time, until, "right"))
            rows, rest = rows.slice(0, count), [rows.slice(count), *rest]
        self._held = [each for each in rest if len(each)]
        self._let_go(rows)

    def _until_jump(
        self, rows: pa.RecordBatch, last: int
    ) -> tuple[pa.RecordBatch, list[pa.RecordBatch]]:
        """Return the rows whose ids go on from the last one, and those that do not: a doubt."""
        ids = self.known.numbers(rows)
        order = np.argsort(ids, kind="stable")
        good = ids[order] == last + 1 + np.arange(len(ids))
        if good.all():
            return rows, []
        count = int(np.argmin(good))
        taken = np.zeros(len(rows), bool)
        taken[order[:count]] = True
        self.doubt(f"ids {last + count + 1} to {int(ids[order[count]]) - 1} did not come")
        return rows.filter(pa.array(taken)), [rows.filter(pa.array(~taken))]

    def _clear(self, now: int, clock: float) -> None:
        """Ask REST what lies between; when that is known, or hopeless, let the rows go on."""
        if not self.connected and not self._held:
            return  # what REST had now would not be the end of it
        if self._since is None:
            self._since, self._tries, self._again = clock, 0, clock + _SETTLE
            self._why, self._beyond = "REST cannot be asked for it", False
        if self._joined():
            self._go_on(now)
        elif self._asked is not None:
            if self._asked.done():
                asked, self._asked = self._asked, None
                self._hear(asked, now, clock)
        elif self._past is not None and (clock >= self._again or (self._held and not self._tries)):
            self._tries += 1
            self._asked = self._past.ask(self.stream, self.known.last.time, now)
        if self._doubt and self._asked is None and self._held and self._is_hopeless(clock):
            self._out.append(self._hole())
            self.known.forget_number()
            self._go_on(now)

    def _is_hopeless(self, clock: float) -> bool:
        waited = clock - (clock if self._since is None else self._since)
        too_long = waited > self._rule.patience or self.held > _MOST_HELD
        return self._past is None or self._beyond or (self._tries > 0 and too_long)

    def _joined(self) -> bool:
        """Tell whether ids alone prove that the rows that wait follow the last one."""
        last = self.known.last.number
        if not self.known.counts or not self._held or last is None:
            return False
        return self.known.least(self._held) == last + 1

    def _hear(self, asked: Future[Answer], now: int, clock: float) -> None:
        """Take what REST has answered."""
        error = asked.exception()
        if error is not None and not isinstance(error, WerksError):
            raise error
        if error is not None:
            self._why = str(error)
        else:
            answer = asked.result()
            if self._answered(answer):
                self._go_on(now)
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
                self._let_go(self._counted(rows))
                held = [self.known.without(each, True) for each in self._held]
                self._held = [each for each in held if len(each)]
        return below and above and answer.whole

    def _meets(self, found: pa.RecordBatch | None, reaches: bool) -> tuple[bool, bool]:
        """Return whether what REST gave follows the last row, and whether it meets those held."""
        known = self.known
        if known.counts and known.last.number is not None:
            if found is None:
                return True, not self._held
            ids = known.numbers(found)
            after = ids[ids > known.last.number]
            below = not len(after) or int(after.min()) == known.last.number + 1
            return below, not self._held or int(ids.max()) + 1 >= known.least(self._held)
        names = set[str]() if found is None else set(found["trade_id"].to_pylist())
        # Where a stream begins at a midnight, nothing is known that could come again.
        below = bool(known.last.ids & names) if known.last.ids else reaches
        if not self._held:
            return below, True
        return below, known.ordered(self._held)["trade_id"][0].as_py() in names

    def _counted(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """Return the rows before the first id that REST leaves out, if ids count."""
        last = self.known.last.number
        if not self.known.counts or last is None:
            return rows
        good = self.known.numbers(rows) == last + 1 + np.arange(len(rows))
        return rows if good.all() else rows.slice(0, int(np.argmin(good)))

    def _go_on(self, now: int) -> None:
        self._doubt, self._since = "", None
        self._flow(now)

    def _hole(self) -> Hole:
        """Return what is missing before the rows that wait."""
        first, last = self.known.ordered(self._held), self.known.last
        times = (last.time, int(nanoseconds(first["timestamp"])[0]))
        between = " and ".join(str(np.datetime64(time // 10**6, "ms")) for time in times)
        cause = f"{self._doubt}; {self._why}"
        if not self.known.counts or last.number is None:
            return Hole(cause, f"between {between}", None)
        least = self.known.least(self._held)
        evidence = f"ids {last.number + 1} to {least - 1}, between {between}"
        return Hole(cause, evidence, least - last.number - 1)

    def _let_go(self, rows: pa.RecordBatch) -> None:
        """Let rows go on; those that came too late to stand in their place are told as a hole."""
        if not len(rows):
            return
        grain = _GRAIN if self.known.counts else 0
        late = nanoseconds(rows["timestamp"]) < self.known.last.time - grain
        if late.any():
            count = int(late.sum())
            names = ", ".join(rows["trade_id"].filter(pa.array(late)).to_pylist()[:5])
            cause = "trades came after later ones, beyond what may be out of order"
            self._out.append(Hole(cause, f"ids {names}", count))
        self.known.advance(rows)
        if late.any():
            rows = rows.filter(pa.array(~late))
        if len(rows):
            self._out.append(rows)
