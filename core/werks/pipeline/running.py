"""Run a plan: tasks side by side where nothing is carried, in order where something is."""

import functools
import pickle
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import attrs

from ..components import Stream, Window
from ..config import Config, read
from ..errors import ConfigError, MissingError, PluginError, WerksError
from ..http import Http
from ..ledger import Commit, Gap, Ledger, WindowRecord
from ..plugins import Plugins
from .graph import Graph
from .plan import Chain, Day, FilePlan, Knowledge, Plan, began, fingerprint, make_plan
from .report import Report
from .task import DAY, DayTask, Done, StreamTask, Task, midnight
from .turns import in_turn
from .work import Outcome, Progress, perform


def load(path: Path | str, now: datetime | None = None, plugin_files: Sequence[Path] = ()) -> Graph:
    """Return the graph of a pipeline file; ConfigError holds all that is wrong with it."""
    graph = Graph(read(Path(path), now or datetime.now(UTC), plugin_files))
    _executor(graph.config)
    return graph


def run(graph: Graph, progress: Progress | None = None, now: datetime | None = None) -> Report:
    """Do all that is wanted and not done; errors of single windows are in the report."""
    settings = graph.config.settings
    for node in graph.config.of("observer"):
        if not graph.config.plugins.manager.is_registered(node.component):
            graph.config.plugins.manager.register(node.component, f"observers.{node.name}")
    # A pool starts before threads and databases exist here, so that it may fork.
    with _executor(graph.config).executor(settings.workers) as executor:
        ledger = Ledger(settings.state, settings.name)
        try:
            with Http(settings.tries) as http:
                plan = make_plan(graph, ledger, http, now or datetime.now(UTC))
                running = _Run(graph, ledger, plan, now or datetime.now(UTC))
                return running.run(
                    executor, functools.partial(perform, http=http, progress=progress)
                )
        finally:
            ledger.close()


def _executor(config: Config) -> Any:
    name = config.settings.executor
    try:
        found = config.plugins.find("executor", name)
    except PluginError as error:
        raise ConfigError([f"{config.path}: pipeline.executor: {error}"]) from error
    return next(iter(found.values()))()


def perform_pickled(plugin_files: Sequence[Path], task: bytes) -> Outcome:
    """Run a task in another process, which has not loaded the single-file plugins yet."""
    Plugins(plugin_files)
    # Made by the process that started this one, a moment ago.
    unpickled: Task = pickle.loads(task)  # noqa: S301
    with Http(unpickled.tries) as http:
        return perform(unpickled, http)


class _Run:
    def __init__(self, graph: Graph, ledger: Ledger, plan: Plan, now: datetime) -> None:
        self._graph = graph
        self._ledger = ledger
        self._plan = plan
        self._now = now
        self._known = Knowledge(graph, ledger)
        self._report = Report.of(graph.config.settings.name, plan)
        self._hooks = graph.config.plugins.manager.hook
        self._chains: dict[Stream, Chain] = {}
        self._waiting = in_turn(plan)
        self._running: dict[Future[Outcome], tuple[int, Task]] = {}

    def run(self, executor: Executor, here: Callable[[Task], Outcome]) -> Report:
        self._hooks.werks_run_started(plan=self._plan)
        self._tell_missing()
        try:
            while self._waiting or self._running:
                self._submit(executor, here)
                if self._running:
                    finished, _ = wait(self._running, return_when=FIRST_COMPLETED)
                    for future in finished:
                        number, task = self._running.pop(future)
                        self._take(task, future.result())
                        self._through(number)
        except BrokenExecutor as error:
            self._report.errors.append(("executor", WerksError(f"{error}; run again to go on")))
        except KeyboardInterrupt:
            self._report.stopped = True
            self._drain(executor)
        report = self._report.end()
        self._hooks.werks_run_ended(report=report)
        return report

    def _submit(self, executor: Executor, here: Callable[[Task], Outcome]) -> None:
        """Submit the next files that wait for nothing; a few more than there are workers."""
        most = getattr(executor, "at_once", 1)
        ready = [number for number, each in self._waiting.items() if not each.after]
        for number in ready[: most - len(self._running)]:
            task = self._task(self._waiting.pop(number).plan)
            if task is None:
                self._through(number)
            elif getattr(executor, "here", False):
                self._running[executor.submit(here, task)] = (number, task)
            else:
                files = self._graph.config.plugins.files
                future = executor.submit(perform_pickled, files, pickle.dumps(task))
                self._running[future] = (number, task)

    def _through(self, number: int) -> None:
        for each in self._waiting.values():
            each.after.discard(number)

    def _drain(self, executor: Executor) -> None:
        """Let the tasks that run come to their end and record them; start no other."""
        executor.shutdown(wait=True, cancel_futures=True)
        for future, (_, task) in self._running.items():
            if future.done() and not future.cancelled() and future.exception() is None:
                self._take(task, future.result())

    def _task(self, plan: FilePlan) -> Task | None:
        """Return what must be done with a file now; None if nothing is left to do."""
        streams, branch = [], plan.branch
        for stream in dict.fromkeys(day.stream for day in plan.days):
            mine = [day for day in plan.days if day.stream == stream]
            task = self._stream_task(plan, stream, list(mine))
            if task.days:
                streams.append(task)
            self._report.of_stream(stream).known += len(mine) - len(task.days)
        if not streams:
            return None
        settings = self._graph.config.settings
        targets = {node for each in streams for day in each.days for node in day.targets}
        used = {
            name for s in streams for d in s.days for sinks in d.targets.values() for name in sinks
        }
        sinks = {node.name: node.component for node in self._graph.config.of("sink")}
        return Task(
            file=plan.file,
            door=branch.source.doors["archive"],
            source=branch.source.name,
            nodes=branch.above(frozenset(targets)),
            schemas=branch.schemas,
            sinks={name: sink for name, sink in sinks.items() if name in used},
            streams=tuple(streams),
            read_ahead=settings.read_ahead,
            cache=settings.cache,
            tries=settings.tries,
        )

    def _stream_task(self, plan: FilePlan, stream: Stream, days: list[Day]) -> StreamTask:
        chain = self._chain(plan, stream, days[0].day)
        while days and not self._redo(plan, chain, days[0]):
            chain.passed(days.pop(0).day)
        states, cut = chain.states, bool(days) and chain.cut(days[0].day)
        tasks: list[DayTask] = []
        # What is carried runs through every day of a file, wanted or not, from the first one on.
        ahead = chain.copy()
        for day in days:
            redo = self._redo(plan, ahead, day)
            settles = self._known.settles(stream, day.day, redo)
            tasks.append(DayTask(day.day, day.until, redo, settles))
            ahead.passed(day.day, redo)
        while tasks and not tasks[-1].targets:
            tasks.pop()
        return StreamTask(stream, tuple(tasks), states, cut)

    def _redo(self, plan: FilePlan, chain: Chain, day: Day) -> dict[str, tuple[str, ...]]:
        window = (day.stream, day.day, day.until)
        return self._known.redo(plan.branch, window, chain.began(day.day))

    def _chain(self, plan: FilePlan, stream: Stream, first: date) -> Chain:
        if stream not in self._chains:
            start = plan.branch.source.start
            self._chains[stream] = Chain(self._known, plan.branch, stream, min(start, first))
        return self._chains[stream]

    def _take(self, task: Task, outcome: Outcome) -> None:
        """Record what came of a task."""
        for done in outcome.done:
            self._record(task, done)
        self._report.add(outcome)
        if outcome.error is not None:
            self._failed(task, outcome)

    def _record(self, task: Task, done: Done) -> None:
        stream, day = done.stream, done.task.day
        chain = self._chains[stream]
        branch = self._branch(task)
        digests = began(branch, chain.states, chain.cut(day))
        commits = {
            (node, sink): Commit(
                fingerprint(branch, node, sink),
                digests[node],
                done.task.until,
                {node: done.receipts[sink].get(node)},
            )
            for node, sinks in done.task.targets.items()
            for sink in sinks
        }
        finished = done.task.until >= midnight(day) + DAY
        marks = {
            node: (branch.fingerprints[node], state)
            for node, state in done.states.items()
            if finished
        }
        self._ledger.done(_window(task, done, finished), commits, marks)
        for (node, sink), commit in commits.items():
            self._known.learn((stream, node, day, sink), commit)
        chain.done(day)
        window = Window(stream.exchange, stream.symbol, day)
        self._hooks.werks_window_done(stream=stream, window=window, done=attrs.asdict(done))

    def _branch(self, task: Task) -> Any:
        return next(b for b in self._graph.branches if b.source.name == task.source)

    def _failed(self, task: Task, outcome: Outcome) -> None:
        """Record the windows that an error hit; a file that is not there yet is no error."""
        error = outcome.error or RuntimeError()
        through = {(done.stream, done.task.day) for done in outcome.done}
        door, late = task.door, (self._now - task.door.lag).date()
        for each in task.streams:
            left = {day.day for day in each.days if (each.stream, day.day) not in through}
            absent = isinstance(error, MissingError)
            for day in sorted(left):
                if absent and day >= late:
                    self._report.waiting[each.stream, day] = "not published yet"
                    self._hooks.werks_waiting(
                        stream=each.stream, reason=f"{day}: not published yet"
                    )
                    continue
                cause = f"the archive has no file of this day ({error})" if absent else str(error)
                if absent:
                    self._report.missing[each.stream, day] = cause
                self._ledger.found([Gap(each.stream, day, "day", cause)])
                window = Window(door.exchange, each.stream.symbol, day)
                self._hooks.werks_window_failed(stream=each.stream, window=window, error=error)
        if not isinstance(error, MissingError):
            names = ", ".join(each.stream.symbol for each in task.streams)
            self._report.errors.append((f"{door.exchange} {names}", error))

    def _tell_missing(self) -> None:
        gaps = [Gap(stream, day, "day", why) for (stream, day), why in self._plan.missing.items()]
        self._ledger.found(gaps)
        for (stream, day), cause in self._plan.missing.items():
            window = Window(stream.exchange, stream.symbol, day)
            self._hooks.werks_gap_found(stream=stream, window=window, cause=cause)
        for (stream, day), reason in self._plan.waiting.items():
            self._hooks.werks_waiting(stream=stream, reason=f"{day}: {reason}")


def _window(task: Task, done: Done, finished: bool) -> WindowRecord:
    return WindowRecord(
        done.stream,
        done.task.day,
        "archive",
        task.file.url,
        done.task.until,
        finished,
        done.rows,
        done.repeats,
        done.holes,
        done.size,
        done.notional,
        done.first_id,
        done.last_id,
    )
