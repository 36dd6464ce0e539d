"""A live source at work: its sinks, its streams, its connections."""

from collections.abc import Collection, Iterable, Sequence
from contextlib import ExitStack
from datetime import date, timedelta
from typing import Any

import pyarrow as pa

from ..checked import MisfitError
from ..components import File, Stream, Window
from ..errors import SinkError
from ..http import Http
from ..ledger import Ledger
from ..live import Failed, Inbox, Manner, Player, Recording, Replay
from ..live.spool import Spool
from ..options import duration
from .connections import Connections
from .day import Given
from .graph import Branch, Graph
from .held import Shelf
from .knowledge import Chain, Knowledge
from .lane import Lane, Rule
from .past import Asking
from .patient import Patient
from .place import Place
from .replayed import recording
from .streaming import LiveTask, Mark, Streaming, today
from .task import Task, midnight
from .turning import Turning
from .unnumbered import Pace, Unnumbered
from .until import Until
from .waiting import Waiting


class LiveSource:
    """One live source: its sinks, its streams, its connections.

    `symbols` are all that are asked for, `waiting` those whose history is being read; `leaving` are
    streams that nobody asks for any more and that are not committed yet.
    """

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
        self.turning = Turning(branch, given, self._http)
        stack.callback(self.turning.close)
        self.writers: dict[str, Patient] = {}
        self._shelf = Shelf(Spool(settings.spool_limit))
        self._limit, self._stack = settings.spool_limit, stack
        stack.callback(self._shelf.spool.close)
        self._connections: Connections | None = None
        self._ledger, self._graph = ledger, graph
        self.symbols = list(branch.source.symbols)
        self.waiting: dict[str, Waiting] = {}
        self.leaving: list[Streaming] = []
        self.first: date | None = None  # the day on which streams begin; today if none is given
        self.streams: dict[str, Streaming] = {}

    def begin(self) -> None:
        """Open the sinks and go on where the history of all symbols ends."""
        self.writers = {name: self._writer(name) for name in self.task.task.sinks}
        self.join(self.symbols, self.first or self.today)

    def _past(self, stack: ExitStack, settings: Any) -> Asking | None:
        door = self._branch.source.doors.get("rest")
        if door is None or door.off:
            return None
        asking = Asking(door, stack.enter_context(self._http.twin(settings.tries)))
        stack.callback(asking.close)
        return asking

    def _writer(self, name: str) -> Patient:
        sink = self.task.task.sinks[name]
        nodes = [node for node, sinks in self.task.targets.items() if name in sinks]
        schemas = {node: self.task.task.schemas[node] for node in sorted(nodes)}
        writer = Patient(lambda: sink.open(schemas), self._limit)
        self._stack.callback(writer.close)
        return writer

    @property
    def name(self) -> str:
        """What the source is called in the file."""
        return self._branch.source.name

    @property
    def today(self) -> date:
        """The day on which a stream that joins now begins."""
        return today(self._clock())

    def stream(self, symbol: str) -> Stream:
        """Return the stream of a symbol."""
        return Stream(self.exchange, symbol, self._branch.source.type)

    def join(self, symbols: Iterable[str], day: date) -> None:
        """Go on with streams, from a day on; rows that have waited come behind their history.

        SinkError if a sink fails: those that are left may be tried again.
        """
        known = Knowledge(self._graph, self._ledger)
        for symbol in symbols:
            self.streams[symbol] = stream = self._stream(symbol, known, day)
            if symbol in self.waiting:
                self.waiting[symbol].pour(stream.lane)
                del self.waiting[symbol]

    def wait(self, symbols: Sequence[str]) -> None:
        """Listen to more symbols, whose rows wait until `join`."""
        self.symbols += symbols
        self.waiting |= {symbol: Waiting(self._shelf.spool) for symbol in symbols}
        if self._connections is not None:
            self._connections.open(symbols)

    def leave(self, symbols: Collection[str]) -> None:
        """Listen to symbols no more; `leaving` gets their streams."""
        if self._connections is not None:
            self._connections.drop(symbols)
        for symbol in symbols:
            self.symbols.remove(symbol)
            self._give_up(symbol)
            if symbol in self.streams:
                self.leaving.append(self.streams.pop(symbol))

    def abandon(self, symbol: str) -> None:
        """Give up a stream that has met an error: what is not committed is thrown away."""
        self._give_up(symbol)
        stream = self.streams.pop(symbol, None)
        if stream is not None:
            self.forget(stream)
        if self._connections is not None:
            self._connections.drop([symbol])

    def forget(self, stream: Streaming) -> None:
        """Leave a stream's window in the sinks alone from now on: it may be another's to write."""
        for writer in self.writers.values():
            writer.forget(Window(self.exchange, stream.stream.symbol, stream.day))

    def _give_up(self, symbol: str) -> None:
        """Throw away the rows of a symbol that wait."""
        if symbol in self.waiting:
            self.waiting.pop(symbol).close()
        if symbol in self.streams:
            self.streams[symbol].lane.close()

    def split(self, failed: Failed) -> bool:
        """Tell whether symbols of a connection that has failed go on, on others."""
        alone = failed.every and isinstance(failed.error, MisfitError)  # the connection goes on
        return not alone and self._connections is not None and self._connections.split(failed)

    def _stream(self, symbol: str, known: Knowledge, day: date) -> Streaming:
        source, stream, ledger = self._branch.source, self.stream(symbol), self._ledger
        day = self._day(stream, day)
        mark = Mark.of(text) if (text := ledger.live(stream)) else None
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
        beside = self.turning.beside(stream)
        given = Given(self.writers, chain.states, source.candles is not None, beside)
        streaming = Streaming(self.task, lane, given, day)
        if mark:
            streaming.resume(mark)
        else:
            streaming.begin(chain.before(day))
        streaming.reopen()
        return streaming

    def _day(self, stream: Stream, day: date) -> date:
        """Return a day, or the next if it is over by the exchange's clock, which may be ahead."""
        window = self._ledger.window(stream, day)
        over = window is not None and window.finished and self._branch.source.replay is None
        return day + timedelta(days=over)

    def _lane(self, stream: Stream, place: Place) -> Lane | Unnumbered:
        if "trade_id" not in self.feed.schema.names:
            return Unnumbered(stream, place, self._pace(), self._asking)
        hold = int(self.feed.disorder.total_seconds() * 10**9)
        rule = Rule(self.feed.continuity, hold, self._patience, self._shelf)
        return Lane(stream, rule, place, self._asking)

    def _pace(self) -> Pace:
        """Return how far apart rows are; of funding, that is not known before it is paid."""
        interval = getattr(self.feed, "interval", None)
        step = duration(interval, "interval") if isinstance(interval, str) else None
        return Pace(step, self._patience)

    @property
    def listens(self) -> bool:
        """Whether any connection is kept."""
        replays = self._replay is not None and not self._replay.is_over
        return replays or (self._connections is not None and self._connections.listen)

    @property
    def alive(self) -> bool:
        """Whether any connection has not come to its end yet."""
        return self._connections is not None and self._connections.alive

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
        self._connections = Connections(self.feed, inbox, (self._http, manner), base)
        self._connections.open(list(self.symbols))

    def renew(self) -> None:
        """Replace connections that the exchange will soon cut; both are heard for a while."""
        if self._connections is not None:
            self._connections.renew()

    def stop(self) -> None:
        """Ask all connections to end."""
        if self._connections is not None:
            self._connections.stop()

    def take(self, symbol: str, batch: pa.RecordBatch, connection: int) -> None:
        """Give rows of a connection to the lane of their symbol."""
        if symbol in self.streams:
            self.streams[symbol].lane.take(batch, connection)
        elif symbol in self.waiting:
            self.waiting[symbol].take(batch)

    def connected(self, symbol: str, connected: bool) -> None:
        """Take note of whether a symbol has a connection."""
        if symbol in self.streams:
            self.streams[symbol].lane.connected = connected
        elif symbol in self.waiting:
            self.waiting[symbol].connected = connected

    def doubt(self, symbol: str, why: str) -> None:
        """Take note that rows of a symbol may be missing before the next one."""
        if symbol in self.streams:
            self.streams[symbol].lane.doubt(why)
        elif symbol in self.waiting:
            self.waiting[symbol].doubt(why)

    def heard(self) -> dict[str, int]:
        """Return when each symbol's connection has shown last that it lives, in ns."""
        if self._player is not None:
            return dict(self._player.heard)
        return {} if self._connections is None else self._connections.heard()

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
    task = Task(
        file=File(f"{feed.exchange} {branch.source.type} live", day, day, branch.source.symbols),
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
