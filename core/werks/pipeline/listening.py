"""Live sources: what connections bring goes through lanes into windows, for ever."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress

import attrs

from ..components import Stream, Window
from ..errors import FOREIGN, SinkError, UnavailableError, WerksError, foreign
from ..ledger import Ledger
from ..live import ROOM, Arrived, Connected, Disconnected, Failed, Inbox, Item, Replay, Told
from .figures import Watched, follow, watched
from .graph import Graph
from .holes import gaps_of
from .livesource import LiveSource
from .mark import entry
from .newcomers import Newcomers
from .report import Report
from .streaming import Lost, Streaming, Turned
from .together import append_together
from .until import LiveFigures, Until

_TICK = 0.1
# For so many seconds connections may take leave.
_LEAVE = 5.0


class Listening:
    """All live sources of a pipeline, in the thread of the caller; `report` gets what came."""

    def __init__(
        self,
        graph: Graph,
        ledger: Ledger,
        given: tuple[Report, Until],
        inbox: Inbox | Replay,
        newcomers: Newcomers | None = None,
    ) -> None:
        self._graph, self._ledger, self._inbox = graph, ledger, inbox
        self._report, self._until = given
        self._settings = graph.config.settings
        self._hooks = graph.config.plugins.events
        self._newcomers = newcomers
        self._sources: list[LiveSource] = []
        self._figures = self._report.live
        self._watched: Watched | None = None

    def run(self, sources: Iterable[LiveSource]) -> None:
        """Listen until it is over; what came is committed then, and what is open written apart.

        The sources are connected already, their connections numbered in this order.
        """
        with ExitStack() as stack:
            self._watched = watched(self._settings, self._ledger, self._until, stack)
            try:
                for source in sources:
                    self._begin(source)
                self._listen(self._until.is_over)
            finally:
                for source in self._sources:
                    source.stop()
                if self._newcomers is not None:
                    self._newcomers.stop()
            self._drain()
            self._end()

    def _begin(self, source: LiveSource) -> None:
        source.begin()
        self._sources.append(source)
        for stream in source.streams.values():
            self._figures[stream.stream] = LiveFigures()

    def _listen(self, is_over: Callable[[], bool]) -> None:
        due = self._inbox.clock() + self._settings.commit_every
        while not is_over():
            # Taken before the inbox is emptied: all rows up to then are in it.
            heard = [source.heard() for source in self._sources]
            spent = -time.thread_time()
            for item in self._inbox.take(_TICK):
                self._hear(item)
            self._poll(heard)
            self._inbox.rest(spent + time.thread_time())
            if self._newcomers is not None:
                self._newcomers.poll(self._sources)
            if self._watched is not None:
                self._watched.show(self._sources, self._figures)
            if self._inbox.clock() >= due:
                self._commit()
                due = self._inbox.clock() + self._settings.commit_every
                for source in self._sources:
                    source.renew()
            comes = self._newcomers is not None and self._newcomers.busy
            listens = comes or any(source.listens for source in self._sources)
            if not listens and not len(self._inbox):  # what has ended may have said why
                return

    def _drain(self) -> None:
        """Take what connections brought before they ended; holes are healed by the next run.

        Outages are heard of, too: no row behind one may go on as if it followed the one before.
        """
        until, ended = time.monotonic() + _LEAVE, False
        while not ended:
            ended = time.monotonic() > until or not any(source.alive for source in self._sources)
            heard = [source.heard() for source in self._sources]
            for item in self._inbox.take(0.05):
                if not isinstance(item, Failed):  # which would begin others
                    self._hear(item)
        self._poll(heard)

    def _end(self) -> None:
        self._commit()
        for source in self._sources:
            for stream in [*source.streams.values(), *source.leaving]:
                try:
                    stream.end()
                except Exception as error:  # of a sink, or of foreign code
                    self._report.errors.append((str(stream.stream), error))

    def _hear(self, item: Item) -> None:
        source = self._sources[item.connection // ROOM - 1]
        if isinstance(item, Arrived):
            self._arrived(source, item)
        elif isinstance(item, Connected):
            self._connected(source, item)
        elif isinstance(item, Disconnected):
            self._ledger.told(source.exchange, item.connection, "disconnected", item.why)
            self._disconnected(source, item)
        elif isinstance(item, Failed):
            self._failed(source, item)
        else:
            self._told(source, item)

    def _arrived(self, source: LiveSource, item: Arrived) -> None:
        if len(item.batch):
            symbol = item.batch["symbol"][0].as_py()
            with self._alone(source, symbol):
                source.take(symbol, item.batch, item.connection)

    def _connected(self, source: LiveSource, item: Connected) -> None:
        self._ledger.told(source.exchange, item.connection, "connected", "")
        for symbol, figures in self._of(source, item.symbols):
            figures.opened(item.connection)
            self._hooks.werks_connected(stream=source.stream(symbol))

    def _disconnected(self, source: LiveSource, item: Disconnected) -> None:
        for symbol, figures in self._of(source, item.symbols):
            if figures.ended(item.connection, item.why):
                source.connected(symbol, False)
            source.doubt(symbol, f"the connection was lost ({item.why})")
            self._hooks.werks_disconnected(stream=source.stream(symbol), reason=item.why)

    def _told(self, source: LiveSource, item: Told) -> None:
        if item.what == "acked":
            # Not before: what comes between an answer of REST and the subscription is in neither.
            source.connected(item.symbol, True)
            for _, figures in self._of(source, (item.symbol,)):
                figures.acked(item.connection)
            return
        self._ledger.told(source.exchange, item.connection, item.what, item.why)
        for symbol, figures in self._of(source, (item.symbol,)):
            if item.what == "missed":
                source.doubt(symbol, item.why)
                continue
            stream = source.stream(symbol)
            refused = UnavailableError(f"{stream}: refused: {item.why}")
            self._report.errors.append((str(stream), refused))
            figures.refused = item.why

    def _failed(self, source: LiveSource, item: Failed) -> None:
        """Go on without what an error has ended: with its symbols on others, or without them."""
        error = item.error
        error = error if isinstance(error, WerksError) else foreign(source.feed.url, error)
        why, goes_on = str(error), source.split(item)
        said = f"{why}; its symbols are heard on others" if goes_on else why
        self._ledger.told(source.exchange, item.connection, "failed", said)
        self._disconnected(source, Disconnected(item.connection, item.symbols, why))
        if not goes_on:
            for symbol, figures in self._of(source, item.symbols):
                figures.failed = why
                self._report.errors.append((str(source.stream(symbol)), error))

    def _of(self, source: LiveSource, symbols: Iterable[str]) -> Iterator[tuple[str, LiveFigures]]:
        """Yield those symbols that are still asked for, with their figures."""
        for symbol in symbols:
            if symbol in source.symbols:
                yield symbol, self._figures[source.stream(symbol)]

    @contextmanager
    def _alone(self, source: LiveSource, symbol: str) -> Iterator[None]:
        """Have an error of one stream, be it of a plugin's code, end that stream and no other."""
        try:
            yield
        except SinkError:
            raise
        except FOREIGN as error:
            stream = source.stream(symbol)
            ours = error if isinstance(error, WerksError) else foreign(str(stream), error)
            source.abandon(symbol)
            self._figures[stream].failed = str(ours)
            self._report.errors.append((str(stream), ours))
            self._ledger.told(source.exchange, 0, "stopped", f"{stream}: {ours}")

    def _poll(self, heard: Sequence[Mapping[str, int]]) -> None:
        now, clock = self._until.clock(), self._inbox.clock()
        for source, alive in zip(self._sources, heard, strict=True):
            for symbol, stream in list(source.streams.items()):
                if stream.rests(now, alive.get(symbol, 0)):
                    continue
                found: list[Lost | Turned] = []
                with self._alone(source, symbol):
                    found = stream.poll(now, clock, alive.get(symbol, 0))
                for what in found:
                    if isinstance(what, Lost):
                        self._found(stream, what)
                    else:
                        self._done(source, stream, what)
            source.turning.step(source.streams, clock, self._figures)

    def _found(self, stream: Streaming, lost: Lost) -> None:
        self._figures[stream.stream].holes += 1
        if self._watched is not None:
            self._watched.found()
        for gap in gaps_of(self._ledger, stream.stream, lost):
            self._ledger.found([gap])
            window = Window(stream.stream.exchange, stream.stream.symbol, gap.day)
            cause = f"{gap.cause}: {gap.evidence}"
            self._hooks.werks_gap_found(stream=stream.stream, window=window, cause=cause)

    def _done(self, source: LiveSource, stream: Streaming, turned: Turned) -> None:
        done = turned.done
        made = entry(source.task.task, done, turned.began)
        self._ledger.done(made.record, made.commits, made.marks, made.minutes)
        self._ledger.go_on({stream.stream: None})
        window = Window(stream.stream.exchange, stream.stream.symbol, done.task.day)
        told = attrs.asdict(done) | {"holes": done.holes, "door": source.task.task.via}
        self._hooks.werks_window_done(stream=stream.stream, window=window, done=told)
        if made.minutes is not None:
            source.turning.over(stream.stream, done.task.day)

    def _commit(self) -> None:
        marks: dict[Stream, str | None] = {}
        for source in self._sources:
            self._report.errors += append_together(source)
            for symbol, stream in list(source.streams.items()):
                with suppress(SinkError), self._alone(source, symbol):
                    self._mark(stream, marks)
                follow(stream, self._figures[stream.stream])
            left = [stream for stream in source.leaving if self._left(source, stream, marks)]
            source.leaving = [each for each in source.leaving if each not in left]
            source.require_room()
        if marks:
            self._ledger.go_on(marks)

    def _mark(self, stream: Streaming, marks: dict[Stream, str | None]) -> None:
        """Commit; if a sink fails, its rows wait, so does the mark; `full` ends the run."""
        if (mark := stream.commit()) is not None:
            marks[stream.stream] = mark.text()

    def _left(self, source: LiveSource, stream: Streaming, marks: dict[Stream, str | None]) -> bool:
        """Tell whether a stream that nobody asks for any more is all committed; it is done with."""
        try:
            self._mark(stream, marks)
            stream.end()
        except SinkError:
            return False
        except Exception as error:  # foreign code
            self._report.errors.append((str(stream.stream), foreign(str(stream.stream), error)))
        source.forget(stream)
        return True
