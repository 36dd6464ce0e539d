"""From what is planned to what is to be done now, as tasks."""

from collections.abc import Callable
from datetime import date

import pyarrow as pa

from ..components import Http, Stream
from ..history import Pages, Span
from ..ledger import Ledger
from ..schema import empty
from ..transforms.join import KNOWN
from .graph import Graph
from .knowledge import Chain, Knowledge
from .plan import Day, FilePlan
from .report import Report
from .task import DayTask, StreamTask, Task, midnight

# Tells who else is at a window; None if it is ours.
Taken = Callable[[Stream, date], str | None]


class Tasks:
    """Makes the tasks of a run, and knows what each stream carries from window to window."""

    def __init__(
        self, graph: Graph, ledger: Ledger, known: Knowledge, taken: Taken, http: Http
    ) -> None:
        self._graph, self._ledger, self._known, self._taken = graph, ledger, known, taken
        self._http = http
        self._chains: dict[Stream, Chain] = {}
        self._left: set[Stream] = set()
        self.now = 0

    def make(self, plan: FilePlan, report: Report) -> Task | None:
        """Return what must be done of a plan's file now; None if nothing is left to do."""
        streams, branch = [], plan.branch
        for stream in dict.fromkeys(day.stream for day in plan.days):
            mine = [day for day in plan.days if day.stream == stream]
            task = self._stream_task(plan, stream, list(mine), report)
            if task.days:
                streams.append(task)
            report.of_stream(stream).known += len(mine) - len(task.days)
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
            door=branch.source.doors[plan.door],
            source=branch.source.name,
            nodes=branch.above(frozenset(targets)),
            schemas=branch.schemas,
            sinks={name: sink for name, sink in sinks.items() if name in used},
            streams=tuple(streams),
            read_ahead=settings.read_ahead,
            cache=settings.cache,
            tries=settings.tries,
            via=plan.door,
            now=self.now,
            quarantine=settings.quarantine,
            state=settings.state,
            pipeline=settings.name,
            prints=branch.prints,
            reason=plan.reason,
        )

    def chain(self, stream: Stream) -> Chain:
        """Return what is carried along a stream for which a task was made."""
        return self._chains[stream]

    def _stream_task(
        self, plan: FilePlan, stream: Stream, days: list[Day], report: Report
    ) -> StreamTask:
        chain = self._chain(plan, stream, days[0].day)
        while days and not self._redo(plan, chain, days[0]):
            chain.passed(days.pop(0).day)
        days = self._ours(plan, days, report)
        states = chain.states
        cut, last_id = chain.before(days[0].day) if days else (False, None)
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
        cursor = self._cursor(plan, stream, tasks)
        verify = plan.branch.source.candles is not None
        beside = self._beside(plan, stream, tasks)
        return StreamTask(stream, tuple(tasks), states, cut, cursor, last_id, verify, beside)

    def _beside(
        self, plan: FilePlan, stream: Stream, tasks: list[DayTask]
    ) -> dict[str, pa.RecordBatch]:
        """Return the rows of other sources that bars of these windows stand beside."""
        names = {name for node in plan.branch.transforms for name in node.beside}
        found = {}
        for name in sorted(names) if tasks else ():
            door = self._graph.config.sources[name].doors["rest"]
            # A value of the very end still stands beside the last bar.
            span = Span(stream.symbol, midnight(tasks[0].day) - KNOWN, tasks[-1].until + 1)
            rows = list(Pages(door, self._http, span, f"{stream} {name}"))
            found[name] = pa.concat_batches(rows) if rows else empty(door.schema)
        return found

    def _ours(self, plan: FilePlan, days: list[Day], report: Report) -> list[Day]:
        """Return the days that no other process is at; what carries state stops at the first."""
        ours: list[Day] = []
        for day in days:
            other = self._taken(day.stream, day.day)
            if other is None and day.stream not in self._left:
                self._known.refresh(day.stream, day.day)
                ours.append(day)
                continue
            who = other or "the day before is not done"
            report.waiting[day.stream, day.day] = f"another run is at it: {who}"
            if plan.branch.in_order:
                self._left.add(day.stream)
        return ours

    def _cursor(self, plan: FilePlan, stream: Stream, tasks: list[DayTask]) -> str | None:
        """Return where REST goes on if it has read the window before."""
        if plan.door != "rest" or not tasks:
            return None
        before = self._ledger.window(stream, date.fromordinal(tasks[0].day.toordinal() - 1))
        return before.cursor if before is not None and before.finished else None

    def _redo(self, plan: FilePlan, chain: Chain, day: Day) -> dict[str, tuple[str, ...]]:
        window = (day.stream, day.day, day.until)
        return self._known.redo(plan.branch, window, chain.began(day.day))

    def _chain(self, plan: FilePlan, stream: Stream, first: date) -> Chain:
        if stream not in self._chains:
            start = plan.branch.source.start
            self._chains[stream] = Chain(self._known, plan.branch, stream, min(start, first))
        return self._chains[stream]
