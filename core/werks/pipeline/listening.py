"""Live sources: what connections bring goes through lanes into windows, for ever."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack

import attrs

from ..components import Stream, Window
from ..errors import SinkError, UnavailableError, WerksError
from ..http import Http
from ..ledger import Gap, Ledger
from ..live import (
    ROOM,
    Arrived,
    Connected,
    Disconnected,
    Failed,
    Inbox,
    Item,
    Replay,
    Told,
)
from .doors import looked_up
from .figures import Watched, follow, watched
from .graph import Branch, Graph
from .lane import Hole
from .livesource import LiveSource
from .mark import entry
from .replayed import prepared, replay
from .report import Report
from .streaming import Streaming, Turned
from .until import LiveFigures, Until

_TICK = 0.1
_LONGEST = 2000


class Listening:
    """All live sources of a pipeline, in the thread of the caller."""

    def __init__(self, graph: Graph, ledger: Ledger, until: Until, inbox: Inbox | Replay) -> None:
        self._graph, self._ledger, self._until = graph, ledger, until
        self._settings = graph.config.settings
        self._hooks = graph.config.plugins.manager.hook
        self._inbox = inbox
        self._sources: list[LiveSource] = []
        self.errors: list[tuple[str, WerksError]] = []
        self.figures: dict[Stream, LiveFigures] = {}
        self._watched: Watched | None = None

    def run(self, branches: Iterable[Branch]) -> None:
        """Listen until it is over; what came is committed then, and what is open written apart."""
        with ExitStack() as stack:
            self._watched = watched(self._settings, self._ledger, self._until.clock, stack)
            try:
                for branch in branches:
                    self._begin(branch, stack)
                self._listen(self._until.is_over)
            finally:
                for source in self._sources:
                    source.stop()
            self._drain()
            self._end()

    def _begin(self, branch: Branch, stack: ExitStack) -> None:
        given = (self._graph, self._ledger, self._until)
        source = LiveSource(branch, given, stack)
        self._sources.append(source)
        for stream in source.streams.values():
            self.figures[stream.stream] = LiveFigures()
        source.connect(self._inbox, ROOM * len(self._sources))

    def _listen(self, is_over: Callable[[], bool]) -> None:
        due = self._inbox.clock() + self._settings.commit_every
        while not is_over():
            # Taken before the inbox is emptied: all rows up to then are in it.
            heard = [source.heard() for source in self._sources]
            for item in self._inbox.take(_TICK):
                self._hear(item)
            self._poll(heard)
            if self._watched is not None:
                self._watched.show(self._sources, self.figures)
            if self._inbox.clock() >= due:
                due = self._inbox.clock() + self._settings.commit_every
                self._commit()
                for source in self._sources:
                    source.renew(self._inbox)
            if not any(source.listens for source in self._sources):
                return

    def _drain(self) -> None:
        """Take what connections brought before they ended; holes are healed by the next run."""
        for item in self._inbox.take(0.05):
            if isinstance(item, Arrived):
                self._hear(item)
        self._poll([source.heard() for source in self._sources])

    def _end(self) -> None:
        self._commit()
        for source in self._sources:
            for stream in source.streams.values():
                try:
                    stream.end()
                except SinkError as error:
                    self.errors.append((str(stream.stream), error))

    def _hear(self, item: Item) -> None:
        source = self._sources[item.connection // ROOM - 1]
        exchange = source.exchange
        if isinstance(item, Arrived):
            source.take(item)
        elif isinstance(item, Connected):
            self._ledger.told(exchange, item.connection, "connected", "")
            for stream in source.named(item.symbols):
                stream.lane.connected = True
                self.figures[stream.stream].opened(item.connection)
                self._hooks.werks_connected(stream=stream.stream)
        elif isinstance(item, Disconnected):
            self._ledger.told(exchange, item.connection, "disconnected", item.why)
            for stream in source.named(item.symbols):
                figures = self.figures[stream.stream]
                figures.ended(item.connection, item.why)
                stream.lane.connected = figures.connected
                stream.lane.doubt(f"the connection was lost ({item.why})")
                self._hooks.werks_disconnected(stream=stream.stream, reason=item.why)
        elif isinstance(item, Told):
            self._ledger.told(exchange, item.connection, item.what, item.why)
            for stream in source.named((item.symbol,)):
                if item.what == "missed":
                    stream.lane.doubt(item.why)
                else:
                    refused = UnavailableError(f"{stream.stream}: refused: {item.why}")
                    self.errors.append((str(stream.stream), refused))
                    self.figures[stream.stream].refused = item.why
        elif isinstance(item, Failed):
            raise item.error

    def _poll(self, heard: Sequence[Mapping[str, int]]) -> None:
        now, clock = self._until.clock(), self._inbox.clock()
        for source, alive in zip(self._sources, heard, strict=True):
            for symbol, stream in source.streams.items():
                for what in stream.poll(now, clock, alive.get(symbol, 0)):
                    if isinstance(what, Hole):
                        self._found(stream, what)
                    else:
                        self._done(source, stream, what)

    def _found(self, stream: Streaming, hole: Hole) -> None:
        gap = self._gap(stream, hole)
        self._ledger.found([gap])
        self.figures[stream.stream].holes += 1
        if self._watched is not None:
            self._watched.found()
        window = Window(stream.stream.exchange, stream.stream.symbol, gap.day)
        cause = f"{gap.cause}: {gap.evidence}"
        self._hooks.werks_gap_found(stream=stream.stream, window=window, cause=cause)

    def _gap(self, stream: Streaming, hole: Hole) -> Gap:
        """Return what is missing of a day, with what the ledger knows of it already."""
        gap = Gap(stream.stream, stream.day, "ids", hole.cause, hole.evidence, hole.missing, "open")
        for known in self._ledger.gaps():
            if (known.stream, known.day, known.kind) == (gap.stream, gap.day, gap.kind):
                counted = known.missing is not None and gap.missing is not None
                missing = (known.missing or 0) + (gap.missing or 0) if counted else None
                evidence = f"{known.evidence}; {gap.evidence}"[:_LONGEST]
                return attrs.evolve(gap, evidence=evidence, missing=missing)
        return gap

    def _done(self, source: LiveSource, stream: Streaming, turned: Turned) -> None:
        done = turned.done
        made = entry(source.task.task, done, turned.began)
        self._ledger.done(made.record, made.commits, made.marks, made.minutes)
        self._ledger.go_on({stream.stream: None})
        window = Window(stream.stream.exchange, stream.stream.symbol, done.task.day)
        told = attrs.asdict(done) | {"holes": done.holes, "door": source.task.task.via}
        self._hooks.werks_window_done(stream=stream.stream, window=window, done=told)

    def _commit(self) -> None:
        marks: dict[Stream, str | None] = {}
        for source in self._sources:
            for stream in source.streams.values():
                try:
                    mark = stream.commit()
                except SinkError:  # its rows wait, so does the mark; `full` ends the run
                    continue
                if mark is not None:
                    marks[stream.stream] = mark.text()
                follow(stream, self.figures[stream.stream])
            source.require_room()
        if marks:
            self._ledger.go_on(marks)


def go_on(graph: Graph, ledger: Ledger, http: Http, given: tuple[Report, Until]) -> None:
    """Listen to the sources that have no end until that is over; the report gets what came."""
    report, until = given
    try:
        branches = [
            attrs.evolve(branch, source=looked_up(branch.source, http))
            for branch in graph.branches
            if branch.source.is_live and any(branch.sinks.values())
        ]
        replayed = [branch for branch in branches if branch.source.replay is not None]
        if replayed:
            tapes = replay(replayed, graph.config.settings.replay_speed)
            replayed = [prepared(branch, tapes, ledger) for branch in replayed]
            by_tape = attrs.evolve(until, clock=tapes.now)
            _listen(Listening(graph, ledger, by_tape, tapes), replayed, report)
        heard = [branch for branch in branches if branch.source.replay is None]
        if heard:
            _listen(Listening(graph, ledger, until, Inbox()), heard, report)
    except KeyboardInterrupt:
        report.stopped = True
    except WerksError as error:
        report.errors.append(("live", error))


def _listen(listening: Listening, branches: Sequence[Branch], report: Report) -> None:
    listening.figures = report.live  # of all sources, and of what an interrupt leaves
    listening.run(branches)
    report.errors += listening.errors
