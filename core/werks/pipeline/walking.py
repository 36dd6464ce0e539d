"""A walk through a plan: tasks side by side where nothing is carried, in order where it is."""

import functools
import pickle
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from datetime import date, datetime
from typing import Any

import attrs

from ..archive import Apart
from ..components import Stream, Window
from ..errors import DataError, ExchangeError, MissingError, UnavailableError, WerksError
from ..executors.inline import Inline
from ..http import Http
from ..ledger import Gap, Ledger
from ..verify import Verifier
from .doors import beyond_rest
from .graph import Graph
from .knowledge import Knowledge
from .lease import LEASE, dead, owner
from .plan import Again, Day, FilePlan, Plan, by_rest, make_plan, nanoseconds
from .record import Recorder
from .report import Report
from .task import Task
from .tasks import Tasks
from .turns import Turn, in_turn
from .work import Outcome, Progress, perform, perform_pickled

_PAUSE, _LONGEST = 2.0, 60.0


@attrs.frozen
class Means:
    """What a walk is done with; `hooks` are told of it, `progress` of rows as they are read.

    `apart` may read large files.
    """

    ledger: Ledger
    http: Http
    executor: Executor
    hooks: Any
    progress: Progress | None = None
    apart: Apart | None = None


def walk(graph: Graph, means: Means, now: datetime, again: Again | None = None) -> Report:
    """Do all that is wanted of the past and not done; errors of single windows are in the report.

    Once `progress` raises KeyboardInterrupt it stops: what is committed then stays.
    """
    plan = make_plan(graph, means.ledger, means.http, now, again)
    return _Walk(graph, means, plan, (now, again or {})).run()


def part(graph: Graph, symbols: Mapping[str, Sequence[str]]) -> Graph:
    """Return a graph with some sources only, by name, and these symbols of each."""
    made = Graph.__new__(Graph)
    made.__dict__ |= graph.__dict__
    made.branches = [
        attrs.evolve(branch, source=attrs.evolve(branch.source, symbols=tuple(mine)))
        for branch in graph.branches
        if (mine := symbols.get(branch.source.name))
    ]
    return made


class _Walk:
    def __init__(
        self, graph: Graph, means: Means, plan: Plan, given: tuple[datetime, Again]
    ) -> None:
        self._graph, self._ledger, self._plan = graph, means.ledger, plan
        self._http, self._executor, self._hooks = means.http, means.executor, means.hooks
        self._now, again = given
        self._known = Knowledge(graph, means.ledger, again)
        self._tasks = Tasks(graph, means.ledger, self._known, self._taken, means.http)
        self._tasks.now = nanoseconds(self._now)
        verifier = Verifier(means.ledger, means.http, self._now, self._hooks)
        self._recorder = Recorder(means.ledger, self._known, self._tasks, self._hooks, verifier)
        self._report = Report.of(graph.config.settings.name, plan)
        self._turns = in_turn(plan)
        self._running: dict[Future[Outcome], tuple[int, Turn, Task]] = {}
        self._owner = owner()
        self._here = functools.partial(
            perform, http=means.http, progress=means.progress, apart=means.apart
        )

    def run(self) -> Report:
        self._hooks.werks_run_started(plan=self._plan)
        self._tell_missing()
        try:
            while self._turns or self._running:
                self._submit()
                if self._running:
                    finished, _ = wait(self._running, return_when=FIRST_COMPLETED)
                    for future in finished:
                        self._take(*self._running.pop(future), future.result())
                else:
                    self._pause()
        except BrokenExecutor as error:
            self._report.errors.append(("executor", WerksError(f"{error}; run again to go on")))
        except KeyboardInterrupt:
            self._report.stopped = True
            self._drain()
        finally:
            self._ledger.release(self._owner)
        return self._report.end()

    def _submit(self) -> None:
        """Submit the next files that wait for nothing; a few more than there are workers."""
        most, now = getattr(self._executor, "at_once", 1), time.monotonic()
        ready = [
            number
            for number, each in self._turns.items()
            if not each.after and each.not_before <= now
        ]
        for number in ready[: most - len(self._running)]:
            turn = self._turns.pop(number)
            try:
                task = self._tasks.make(turn.plan, self._report)
            except WerksError as error:  # what stands beside its rows cannot be had
                self._unmade(number, turn, error)
                continue
            if task is None:
                self._through(number)
                continue
            # What asks an exchange's REST runs here: the hosts' budgets are kept in one place.
            if getattr(self._executor, "here", False) or task.via != "archive":
                future = Inline().executor(1).submit(self._here, task)
            else:
                files = self._graph.config.plugins.files
                future = self._executor.submit(perform_pickled, files, pickle.dumps(task))
            self._running[future] = (number, turn, task)

    def _pause(self) -> None:
        """Wait until the first of those that are to be tried again may be."""
        times = [each.not_before for each in self._turns.values() if not each.after]
        if times:
            time.sleep(max(0.0, min(times) - time.monotonic()))

    def _through(self, number: int, instead: Sequence[int] = ()) -> None:
        for each in self._turns.values():
            if number in each.after:
                each.after.discard(number)
                each.after.update(instead)

    def _drain(self) -> None:
        """Let the tasks that run come to their end and record them; start no other."""
        self._executor.shutdown(wait=True, cancel_futures=True)
        for future, (_, turn, task) in self._running.items():
            if future.done() and not future.cancelled() and future.exception() is None:
                self._record(turn.plan, task, future.result())

    def _taken(self, stream: Stream, day: date) -> str | None:
        """Take a window for this run; return which other run has it."""
        other = self._ledger.lease(stream, day, self._owner, LEASE)
        if other is not None and dead(other):
            self._ledger.release(other)
            other = self._ledger.lease(stream, day, self._owner, LEASE)
        return other

    def _record(self, plan: FilePlan, task: Task, outcome: Outcome) -> None:
        for done in outcome.done:
            result = self._recorder.done(plan, task, done)
            if done.minutes is not None:
                self._report.of_stream(done.stream).verified[result] += 1
            if task.via == "rest":
                self._report.of_stream(done.stream).by_rest += 1
        self._report.add(outcome)

    def _take(self, number: int, turn: Turn, task: Task, outcome: Outcome) -> None:
        """Record what came of a task; what failed is tried again, by another door if need be."""
        self._record(turn.plan, task, outcome)
        error = outcome.error
        if error is None:
            self._through(number)
            return
        through = {(done.stream, done.task.day) for done in outcome.done}
        rounds = self._graph.config.settings.rounds
        if isinstance(error, UnavailableError) and turn.attempt < rounds:
            self._again(number, turn, through)
            return
        left = [
            day
            for each in task.streams
            for day in turn.plan.days
            if day.stream == each.stream
            and (day.stream, day.day) not in through
            and any(day.day == mine.day for mine in each.days)
        ]
        by_rest_now = self._instead(turn.plan, left, error)
        self._through(number, by_rest_now)
        moved = [day for new in by_rest_now for day in self._turns[new].plan.days]
        self._failed(turn.plan, [day for day in left if day not in moved], error)

    def _unmade(self, number: int, turn: Turn, error: WerksError) -> None:
        rounds = self._graph.config.settings.rounds
        if isinstance(error, UnavailableError) and turn.attempt < rounds:
            self._again(number, turn, set())
        else:
            self._through(number)
            self._failed(turn.plan, turn.plan.days, error)

    def _again(self, number: int, turn: Turn, through: set[tuple[Stream, date]]) -> None:
        pause = min(_PAUSE**turn.attempt, _LONGEST)
        turn.plan.days = [d for d in turn.plan.days if (d.stream, d.day) not in through]
        turn.attempt += 1
        turn.not_before = time.monotonic() + pause
        self._turns[number] = turn

    def _instead(self, plan: FilePlan, left: Sequence[Day], error: WerksError) -> list[int]:
        """Put days that the archive cannot give among those that REST is asked for."""
        source = plan.branch.source
        cause = isinstance(error, (DataError, ExchangeError))
        if plan.door != "archive" or "rest" not in source.doors or not cause:
            return []
        numbers: list[int] = []
        for day in sorted(left, key=lambda each: each.day):
            if beyond_rest(source, day.day, self._now):
                continue
            new = by_rest(plan.branch, day.stream, day.day, str(error))
            new.days.append(day)
            number = max([*self._turns, *(at for at, *_ in self._running.values()), -1]) + 1
            behind = set(numbers[-1:]) if plan.branch.in_order else set[int]()
            self._turns[number] = Turn(new, behind)
            numbers.append(number)
        return numbers

    def _failed(self, plan: FilePlan, left: Sequence[Day], error: WerksError) -> None:
        """Record the windows that an error hit; a file that is not there yet is no error."""
        absent = isinstance(error, MissingError) and plan.door == "archive"
        if plan.door == "rest" and plan.reason:
            error = WerksError(f"{plan.reason}; by REST instead: {error}")
        for day in sorted(left, key=lambda each: (each.day, each.stream.symbol)):
            stream = day.stream
            if absent and day.day >= (self._now - plan.branch.source.doors["archive"].lag).date():
                self._report.waiting[stream, day.day] = "not published yet"
                self._hooks.werks_waiting(stream=stream, reason=f"{day.day}: not published yet")
                continue
            cause = f"the archive has no file of this day ({error})" if absent else str(error)
            if absent:
                self._report.missing[stream, day.day] = cause
            self._ledger.found([Gap(stream, day.day, "day", cause)])
            window = Window(stream.exchange, stream.symbol, day.day)
            self._hooks.werks_window_failed(stream=stream, window=window, error=error)
        if left and not absent:
            names = ", ".join(dict.fromkeys(day.stream.symbol for day in left))
            self._report.errors.append((f"{plan.branch.source.door.exchange} {names}", error))

    def _tell_missing(self) -> None:
        gaps = [Gap(stream, day, "day", why) for (stream, day), why in self._plan.missing.items()]
        self._ledger.found(gaps)
        for (stream, day), cause in self._plan.missing.items():
            window = Window(stream.exchange, stream.symbol, day)
            self._hooks.werks_gap_found(stream=stream, window=window, cause=cause)
        for (stream, day), reason in self._plan.waiting.items():
            self._hooks.werks_waiting(stream=stream, reason=f"{day}: {reason}")
