"""Symbols that come and go while a run is live: their names looked up, their history read."""

import queue
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from datetime import UTC, date, datetime
from typing import Any

import attrs

from ..components import Stream
from ..config import Config, Node, SourceNode
from ..errors import FOREIGN, ConfigError, WerksError, foreign
from ..http import Http
from ..live.aside import Aside
from .doors import looked_up
from .graph import Graph
from .report import Report
from .until import Reload, Until
from .walking import Means, part, walk

Symbols = Mapping[str, Sequence[str]]


class Relay:
    """Takes down what hooks would be told, so that the thread of the run may tell it."""

    def __init__(self) -> None:
        self._told: queue.SimpleQueue[tuple[str, Mapping[str, Any]]] = queue.SimpleQueue()

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda **given: self._told.put((name, given))

    def tell(self, hooks: Any) -> None:
        """Call the hooks."""
        while not self._told.empty():
            name, given = self._told.get()
            getattr(hooks, name)(**given)


@attrs.frozen(eq=False)
class Walk:
    """History that is being read of sources, by name, and of symbols, up to the begin of a day.

    `report` says how it was.
    """

    symbols: Symbols
    day: date
    report: Future[Report]


class Reloading:
    """Finds out what a pipeline names now, and reads the past of what is new, each in a thread."""

    def __init__(self, graph: Graph, means: Means, until: Until) -> None:
        self._graph, self._until = graph, until
        self._reload = until.reload or Reload(lambda: graph)
        self._relay, self._hooks = Relay(), means.hooks
        self._means = attrs.evolve(means, hooks=self._relay, progress=self._progress)
        self._progressed, self._over = means.progress, False
        self._named: Future[Symbols] | None = None
        self._walks: list[Walk] = []

    @property
    def busy(self) -> bool:
        """Whether something is being looked up or read."""
        return bool(self._walks) or self._named is not None

    def named(self) -> Symbols | None:
        """Return the symbols of each source if they have been asked for and found out."""
        self._relay.tell(self._hooks)
        if self._named is None and self._reload.taken():
            self._named = self._submit("werks-reload", self._read)
        if self._named is None or not self._named.done():
            return None
        found, self._named = self._named, None
        try:
            return found.result()
        except FOREIGN as error:  # the file, the exchange, or foreign code
            self.tell(f"the run goes on as it was: {in_words(error)}")
            return None

    def tell(self, line: str) -> None:
        """Say what came of it."""
        self._hooks.guarded("Reload.tell", self._reload.tell)(line)

    def walk(self, symbols: Symbols) -> None:
        """Begin to read the past of some symbols of each source."""
        now = datetime.fromtimestamp(self._until.clock() / 1e9, UTC)
        graph = part(self._graph, symbols)
        report = self._submit("werks-history", lambda: walk(graph, self._means, now))
        self._walks.append(Walk(symbols, now.date(), report))

    def reads(self, source: str, symbol: str) -> bool:
        """Tell whether the past of a symbol is being read."""
        return any(symbol in each.symbols.get(source, ()) for each in self._walks)

    def walked(self) -> Iterator[tuple[Walk, Report]]:
        """Yield what has been read, with the report of it."""
        for each in [each for each in self._walks if each.report.done()]:
            self._walks.remove(each)
            self._relay.tell(self._hooks)
            try:
                yield each, each.report.result()
            except FOREIGN as error:  # what is live goes on, and these go live all the same
                failed = Report(self._graph.config.settings.name)
                failed.errors.append(("history", _as_ours(error)))
                yield each, failed

    def stop(self) -> None:
        """Have walks stop after the rows that they are at; nobody waits for them."""
        self._over = True
        self._relay.tell(self._hooks)

    def _submit(self, name: str, what: Callable[[], Any]) -> Future[Any]:
        aside = Aside(name)
        future = aside.submit(what)
        aside.end()
        return future

    def _progress(self, stream: Stream, rows: int) -> None:
        if self._over:
            raise KeyboardInterrupt
        if self._progressed is not None:
            self._progressed(stream, rows)

    def _read(self) -> Symbols:
        wanted = self._reload.read()
        _require_same(self._graph.config, wanted.config)
        settings = self._graph.config.settings
        with Http(settings.tries, quarantine=settings.quarantine) as http:
            sources = [branch.source for branch in wanted.branches]
            return {each.name: looked_up(each, http).symbols for each in sources}


def _require_same(runs: Config, wanted: Config) -> None:
    """Raise ConfigError unless two pipelines differ in nothing but symbols."""
    changed = [] if runs.settings == wanted.settings else ["pipeline"]
    for name in {**runs.sources, **wanted.sources}:
        ours, theirs = runs.sources.get(name), wanted.sources.get(name)
        if ours is None or theirs is None or _said(ours) != _said(theirs):
            changed.append(f"sources.{name}")
        elif ours.replay is not None and ours.symbols != theirs.symbols:
            changed.append(f"sources.{name}.symbols of a replay")
    for name in {**runs.nodes, **wanted.nodes}:
        mine, new = runs.nodes.get(name), wanted.nodes.get(name)
        if mine is None or new is None or _node(mine) != _node(new):
            changed.append(f"{(mine or new or mine).kind}s.{name}")  # type: ignore[union-attr]
    if changed:
        what = "only symbols can change while it is live: start it anew for"
        raise ConfigError([f"{wanted.path}: {what} {', '.join(changed)}"])


def _said(source: SourceNode) -> tuple[Any, ...]:
    """Return what a source is but for its symbols; files of plugins make new classes each time."""
    options = (dict(source.options), list(source.doors), source.candles is not None)
    return source.type, source.start, source.stop, *options, source.record, source.replay


def _node(node: Node) -> tuple[Any, ...]:
    return node.kind, node.type, dict(node.options), node.inputs, node.beside


def _as_ours(error: BaseException) -> WerksError:
    return error if isinstance(error, WerksError) else foreign("reload", error)


def in_words(error: BaseException) -> str:
    """Return an error as one line."""
    ours = _as_ours(error)
    return "; ".join(ours.problems) if isinstance(ours, ConfigError) else str(ours)
