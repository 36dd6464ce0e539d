"""What came of a task goes into the ledger: windows, commits, marks, gaps, checks."""

from datetime import date, timedelta
from typing import Any

import attrs

from ..components import Stream, Window
from ..ledger import Gap, Ledger, WindowRecord
from ..verify import Verifier
from .knowledge import Knowledge
from .mark import entry
from .plan import FilePlan
from .task import Done, Task
from .tasks import Tasks

_ONE = timedelta(days=1)
_SHOWN = 5


class Recorder:
    """Writes what was done, judges ids across windows, and has minutes compared."""

    def __init__(
        self, ledger: Ledger, known: Knowledge, tasks: Tasks, hooks: Any, verifier: Verifier
    ) -> None:
        self._ledger, self._known, self._tasks, self._hooks = ledger, known, tasks, hooks
        self._verifier = verifier
        self._windows: dict[Stream, dict[date, WindowRecord]] = {}

    def done(self, plan: FilePlan, task: Task, done: Done) -> bool | None:
        """Record a window; return whether its minutes equal the exchange's, None if unknown."""
        stream, day, branch = done.stream, done.task.day, plan.branch
        chain = self._tasks.chain(stream)
        began = branch.prints.began(chain.states, chain.before(day))
        made, before = entry(task, done, began), self._of(stream).get(day)
        if self._ledger.done(made.record, made.commits, made.marks, made.minutes):
            self._repaired(stream, day)
        self._of(stream)[day] = made.record
        for (node, sink), commit in made.commits.items():
            self._known.learn((stream, node, day, sink), commit)
        chain.done(day)
        self._judge(plan, done, before)
        told = attrs.asdict(done) | {"holes": done.holes, "door": task.via}
        window = Window(stream.exchange, stream.symbol, day)
        self._hooks.werks_window_done(stream=stream, window=window, done=told)
        if done.minutes is None:
            return None
        return self._verifier.settle(stream, day, branch.source.candles)

    def _of(self, stream: Stream) -> dict[date, WindowRecord]:
        if stream not in self._windows:
            found = {each.day: each for each in self._ledger.windows(stream)}
            self._windows[stream] = found
        return self._windows[stream]

    def _judge(self, plan: FilePlan, done: Done, before: WindowRecord | None) -> None:
        """Join a window with its neighbours, and record ids that are left out as a gap."""
        stream, day = done.stream, done.task.day
        missing, evidence = done.holes or 0, [] if done.ids is None else _spans(done.ids.jumps)
        earlier = self._neighbour(stream, day, -1)
        if earlier is not None:
            how, seam = _join(earlier, self._of(stream)[day], done.before)
            if how:
                self._ledger.joined(stream, day, how)
            missing += seam
            if seam:
                first = (earlier.most_id or 0) + 1
                evidence.insert(0, f"{first} to {first + seam - 1} (after {earlier.day})")
        self._found(plan, done, (missing, evidence), before)
        later = self._neighbour(stream, day, 1)
        if later is not None:
            how, seam = _join(self._of(stream)[day], later, None)
            if how:
                self._ledger.joined(stream, later.day, how)
                if not later.holes:
                    self._ledger.settle(stream, later.day, "ids", "repaired")

    def _found(
        self,
        plan: FilePlan,
        done: Done,
        what: tuple[int, list[str]],
        before: WindowRecord | None,
    ) -> None:
        """Record a window's gap of ids, or that there is none any more."""
        (missing, evidence), stream, day = what, done.stream, done.task.day
        if not missing:
            if self._ledger.settle(stream, day, "ids", "repaired"):
                self._repaired(stream, day)
            return
        again = plan.door == "rest" and before is not None
        more = f" and {len(evidence) - _SHOWN} more" if len(evidence) > _SHOWN else ""
        gap = Gap(
            stream,
            day,
            "ids",
            "REST does not know these trades either" if again else "trade ids are left out",
            f"ids {', '.join(evidence[:_SHOWN])}{more}",
            missing,
            "absent" if again else "open",
        )
        if self._ledger.found([gap]) and not again:
            window = Window(stream.exchange, stream.symbol, day)
            cause = f"{missing:,} {gap.cause}: {gap.evidence}"
            self._hooks.werks_gap_found(stream=stream, window=window, cause=cause)

    def _repaired(self, stream: Stream, day: date) -> None:
        window = Window(stream.exchange, stream.symbol, day)
        self._hooks.werks_gap_repaired(stream=stream, window=window)

    def _neighbour(self, stream: Stream, day: date, step: int) -> WindowRecord | None:
        """Return the nearest window with trades, of those that follow one another from a day."""
        windows = self._of(stream)
        while (found := windows.get(day := day + step * _ONE)) is not None:
            if found.rows and (found.finished or step > 0):
                return found
        return None


def _join(earlier: WindowRecord, later: WindowRecord, before: str | None) -> tuple[str, int]:
    """Return how two windows are joined, and how many ids are left out between them."""
    if earlier.most_id is not None and later.least_id is not None:
        between = later.least_id - earlier.most_id - 1
        return ("ids", 0) if between <= 0 else ("", between)
    if before is not None and before == earlier.last_id:
        return "overlap", 0
    return "", 0


def _spans(jumps: tuple[tuple[int, int], ...]) -> list[str]:
    return [f"{first} to {last}" if first != last else str(first) for first, last in jumps]
