"""A live source at work: its sinks, its streams, its connections."""

import time
from collections.abc import Iterable
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

from ..components import File, Stream
from ..errors import SinkError
from ..http import Http
from ..ledger import Ledger
from ..live import Arrived, Inbox, Listener, Manner, Player, Recording, Replay, connect
from .day import Given
from .graph import Branch, Graph
from .knowledge import Chain, Knowledge
from .lane import Lane, Rule
from .past import Asking
from .patient import Patient
from .place import Place
from .replayed import recording
from .streaming import LiveTask, Mark, Streaming, today
from .task import Task, midnight
from .unnumbered import Unnumbered
from .until import Until

# How many seconds a connection is still heard beside the one that replaces it.
_OVERLAP = 10.0


class LiveSource:
    """One live source: its sinks, its streams, its connections."""

    def __init__(
        self, branch: Branch, given: tuple[Graph, Ledger, Until], stack: ExitStack
    ) -> None:
        self._branch, (graph, ledger, until) = branch, given
        self._clock = until.clock
        settings = graph.config.settings
        self.feed = branch.source.doors["live"]
        self.exchange: str = self.feed.exchange
        self._player: Player | None = None
        self._replay: Replay | None = None
        self.task = LiveTask(*_task(branch, graph), int(until.grace * 1e9))
        self._http = stack.enter_context(Http(settings.tries, quarantine=settings.quarantine))
        self._keep, self._patience = self._http.keep, settings.repair_within
        self._pause = settings.reconnect_after
        self._asking = self._past(stack, settings)
        self.writers = {
            name: self._writer(name, settings.spool_limit, stack) for name in self.task.task.sinks
        }
        self._listeners: list[Listener] = []
        self._old: list[tuple[Listener, float]] = []
        known = Knowledge(graph, ledger)
        self.streams = {
            symbol: self._stream(symbol, known, ledger) for symbol in branch.source.symbols
        }

    def _past(self, stack: ExitStack, settings: Any) -> Asking | None:
        door = self._branch.source.doors.get("rest")
        if door is None or door.off:
            return None
        http = stack.enter_context(Http(settings.tries, quarantine=settings.quarantine))
        asking = Asking(door, http)
        stack.callback(asking.close)
        return asking

    def _writer(self, name: str, limit: int, stack: ExitStack) -> Patient:
        sink = self.task.task.sinks[name]
        nodes = [node for node, sinks in self.task.targets.items() if name in sinks]
        schemas = {node: self.task.task.schemas[node] for node in sorted(nodes)}
        writer = Patient(lambda: sink.open(schemas), limit)
        stack.callback(writer.close)
        return writer

    def _stream(self, symbol: str, known: Knowledge, ledger: Ledger) -> Streaming:
        source, day = self._branch.source, today(self._clock())
        stream = Stream(self.exchange, symbol, source.type)
        text = ledger.live(stream)
        mark = Mark.of(text) if text else None
        prints = self.task.task.prints.fingerprints
        # A replay begins at its beginning, and nothing but a replay goes on behind one.
        if mark is not None and not (
            mark.door == self.task.task.via == "live" and mark.fits(day, prints, self.writers)
        ):
            mark = None
        chain = Chain(known, self._branch, stream, min(source.start, day))
        yesterday = ledger.window(stream, day - timedelta(days=1))
        if yesterday is not None and yesterday.finished:
            chain.passed(yesterday.day)
        most = yesterday.most_id if yesterday is not None and yesterday.finished else None
        place = mark.place if mark else Place(midnight(day) - 1, most)
        lane = self._lane(stream, place)
        given = Given(self.writers, chain.states, source.candles is not None, {})
        streaming = Streaming(self.task, lane, given, day)
        if mark:
            streaming.resume(mark)
        else:
            streaming.begin(chain.before(day))
        streaming.reopen()
        return streaming

    def _lane(self, stream: Stream, place: Place) -> Lane | Unnumbered:
        if "trade_id" not in self.feed.schema.names:
            return Unnumbered(stream, place)
        hold = int(self.feed.disorder.total_seconds() * 10**9)
        rule = Rule(self.feed.continuity, hold, self._patience)
        return Lane(stream, rule, place, self._asking)

    @property
    def listens(self) -> bool:
        """Whether any connection is kept."""
        replays = self._replay is not None and not self._replay.is_over
        return replays or any(each.is_alive() for each in self._listeners)

    def connect(self, inbox: Inbox | Replay, base: int) -> None:
        """Begin to listen; connections are numbered from `base` on."""
        source = self._branch.source
        if isinstance(inbox, Replay):
            self._replay = inbox
            self._player = Player(self.feed, base, (self._http, self._keep))
            inbox.play(recording(source), self._player)
            return
        record = None
        if source.record is not None:
            record = Recording(source.record, self.exchange, source.type).tape
        manner = Manner(self._keep, record, self._clock, self._pause)
        self._given = (self._http, manner)
        self._next = base
        symbols = list(self.streams)
        self._listeners = connect(self.feed, symbols, inbox, self._given, base)
        self._next = base + len(self._listeners)

    def renew(self, inbox: Inbox | Replay) -> None:
        """Replace connections that the exchange will soon cut; both are heard for a while."""
        if isinstance(inbox, Replay):
            return
        for each in list(self._listeners):
            if each.is_old:
                new = Listener(self._next, self.feed, each.symbols, inbox, self._given)
                self._next += 1
                new.start()
                self._listeners[self._listeners.index(each)] = new
                self._old.append((each, time.monotonic() + _OVERLAP))
        for old, until in list(self._old):
            if time.monotonic() > until:
                old.stop()
                self._old.remove((old, until))

    def stop(self) -> None:
        """End all connections."""
        every = [*self._listeners, *(old for old, _ in self._old)]
        for each in every:
            each.stop()
        for each in every:
            each.join(5)

    def take(self, item: Arrived) -> None:
        """Give rows to the lane of their symbol."""
        if len(item.batch):
            stream = self.streams.get(item.batch["symbol"][0].as_py())
            if stream is not None:
                stream.lane.take(item.batch)

    def heard(self) -> dict[str, int]:
        """Return when each symbol's connection has shown last that it lives, in ns."""
        if self._player is not None:
            return dict(self._player.heard)
        return {symbol: each.heard for each in self._listeners for symbol in each.symbols}

    def named(self, symbols: Iterable[str]) -> list[Streaming]:
        """Return the streams of these symbols."""
        return [self.streams[symbol] for symbol in symbols if symbol in self.streams]

    def require_room(self) -> None:
        """Raise SinkError if a sink has failed for so long that no more rows may wait."""
        for name, writer in self.writers.items():
            if writer.full:
                raise SinkError(f"{name}: {writer.why}; {writer.waits:,} bytes wait, no more may")


def _task(branch: Branch, graph: Graph) -> tuple[Task, dict[str, tuple[str, ...]]]:
    settings = graph.config.settings
    targets = {
        node: tuple(sink.name for sink in sinks) for node, sinks in branch.sinks.items() if sinks
    }
    used = {name for sinks in targets.values() for name in sinks}
    feed, day = branch.source.doors["live"], branch.source.start
    name = f"{feed.exchange} {branch.source.type} live"
    task = Task(
        file=File(name, day, day, branch.source.symbols),
        door=feed,
        source=branch.source.name,
        nodes=branch.above(frozenset(targets)),
        schemas=branch.schemas,
        sinks={n.name: n.component for n in graph.config.of("sink") if n.name in used},
        streams=(),
        via="live" if branch.source.replay is None else "replay",
        state=settings.state,
        pipeline=settings.name,
        prints=branch.prints,
    )
    return task, targets
