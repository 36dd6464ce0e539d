"""How a live run is doing: its streams and its sinks in figures, for those who watch it."""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import attrs

from ..components import Stream
from ..config import Settings
from ..ledger import Ledger
from .livesource import LiveSource
from .streaming import Streaming
from .until import LiveFigures, Until

_EVERY = 0.5
_RATE_OVER = 10.0
# The ledger is asked so often: another process may have repaired a gap.
_LEDGER_EVERY = 10.0

Figures = Mapping[Stream, LiveFigures]
Show = Callable[[Mapping[str, Any]], object]


def follow(stream: Streaming, figures: LiveFigures) -> None:
    """Take a stream's figures as they are now."""
    last = stream.lane.known.last
    figures.rows, figures.held = stream.rows, stream.lane.held
    figures.waits = stream.lane.waits or stream.stuck
    if stream.rows or last.ids:  # else it is the midnight where the stream begins
        figures.last_time = last.time
        ids = max(last.ids, key=lambda each: (len(each), each), default="")
        figures.last_id = ids if last.number is None else str(last.number)


class Watched:
    """Shows a live run to those who watch it, not more often than anybody could see."""

    def __init__(
        self, shows: Sequence[Show], name: str, ledger: Ledger, clock: Callable[[], int]
    ) -> None:
        self._shows, self._name, self._ledger, self._clock = shows, name, ledger, clock
        self._due = self._asked = 0.0
        self._gaps: Counter[Stream] = Counter()
        self._rows: dict[Stream, deque[tuple[float, int]]] = {}

    def show(self, sources: Sequence[LiveSource], figures: Figures) -> None:
        """Show all streams and sinks as they are, if it is time to."""
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + _EVERY
        if now >= self._asked:
            self._asked = now + _LEDGER_EVERY
            self._gaps = Counter(gap.stream for gap in self._ledger.gaps())
        for source in sources:
            for each in source.streams.values():
                follow(each, figures[each.stream])
        named = {stream: mine for stream, mine in figures.items() if not mine.removed}
        streams = [self._plain(stream, mine, now) for stream, mine in named.items()]
        sinks = list(_sinks(sources))
        problems = [*_of_streams(named), *_of_sinks(sinks)]
        told = {"pipeline": self._name, "problems": problems, "streams": streams, "sinks": sinks}
        for show in self._shows:
            show(told)

    def found(self) -> None:
        """Take note that there is a new gap in the ledger."""
        self._asked = 0.0

    def _plain(self, stream: Stream, mine: LiveFigures, now: float) -> dict[str, Any]:
        lag = (self._clock() - mine.last_time) / 1e9 if mine.last_time else None
        return attrs.asdict(stream) | {
            "connected": mine.connected,
            "rows": mine.rows,
            "rows_per_second": self._rate(stream, mine.rows, now),
            "lag": None if lag is None else round(lag, 3),
            "last_time": mine.last_time or None,
            "last_id": mine.last_id or None,
            "held": mine.held,
            "holes": mine.holes,
            "gaps_open": self._gaps[stream],
            "reconnects": mine.reconnects,
            "waits": mine.waits,
            "lost": mine.lost,
            "refused": mine.refused,
            "failed": mine.failed,
            "compared": mine.compared,
            "differ": mine.differ,
            "not_asked": mine.not_asked,
        }

    def _rate(self, stream: Stream, rows: int, now: float) -> float:
        seen = self._rows.setdefault(stream, deque())
        seen.append((now, rows))
        while len(seen) > 2 and now - seen[1][0] >= _RATE_OVER:
            seen.popleft()
        began, before = seen[0]
        return round((rows - before) / (now - began), 1) if now > began else 0.0


def watched(settings: Settings, ledger: Ledger, until: Until, stack: ExitStack) -> Watched | None:
    """Return what shows a run to `until` and at the address of its file; None if nobody looks."""
    shows: list[Show] = [] if until.show is None else [until.show]
    if settings.watch:
        from ..live.watch import Watch  # only now: a web server costs time to import

        shows.append(stack.enter_context(Watch(settings.watch)).show)
    return Watched(shows, settings.name, ledger, until.clock) if shows else None


def _sinks(sources: Iterable[LiveSource]) -> Iterable[dict[str, Any]]:
    """Yield what waits for each sink; a sink of several sources is one."""
    waits: Counter[str] = Counter()
    why: dict[str, str] = {}
    for source in sources:
        for name, writer in source.writers.items():
            waits[name] += writer.waits
            why[name] = why.get(name) or writer.why
    for name, failing in why.items():
        yield {"sink": name, "waiting_bytes": waits[name], "failing": failing}


def _of_streams(figures: Figures) -> Iterable[str]:
    """Yield what is wrong with streams."""
    for stream, mine in figures.items():
        name = f"{stream} {stream.component}"
        if mine.failed:
            yield f"{name}: stopped: {mine.failed}"
        elif mine.refused:
            yield f"{name}: refused: {mine.refused}"
        elif not mine.connected:
            yield f"{name}: not connected{f': {mine.lost}' if mine.lost else ' yet'}"
        elif mine.waits:
            yield f"{name}: its rows wait: {mine.waits}"


def _of_sinks(sinks: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    """Yield what is wrong with sinks."""
    for each in sinks:
        if each["failing"]:
            yield f"sinks.{each['sink']}: {each['failing']}"
