"""Symbols come and go while sources are heard; those that stay do not notice."""

from collections.abc import Sequence
from datetime import date

from ..components import Stream
from ..errors import SinkError
from .claim import Claims
from .graph import Graph
from .livesource import LiveSource
from .reloading import Reloading, Symbols, in_words
from .report import Report
from .until import LiveFigures

_SHOWN = 5
_READ = "its history is read first"


class Newcomers:
    """Applies what a pipeline names now to the sources of a run."""

    def __init__(self, graph: Graph, reloading: Reloading, report: Report, claims: Claims) -> None:
        self._claims = claims
        self._reloading, self._report = reloading, report
        self._figures = report.live
        # Sources with an end: what they named when they were read last.
        others = (branch.source for branch in graph.branches if not branch.source.is_live)
        self._others = {each.name: tuple(each.symbols) for each in others}
        # Symbols whose past has been read, by source, each with the day up to which it was.
        self._ready: dict[str, dict[str, date]] = {}

    @property
    def busy(self) -> bool:
        """Whether symbols are still to come."""
        return self._reloading.busy or any(self._ready.values())

    def poll(self, sources: Sequence[LiveSource]) -> None:
        """Do what is to be done now: symbols leave, or begin, or go live behind their history.

        TakenError if another run has taken a source meanwhile.
        """
        self._claims.renew()
        named = self._reloading.named()
        if named is not None:
            self._take_up(sources, named)
        for walk, report in self._reloading.walked():
            self._report.join(report)
            for where, error in report.errors:
                self._reloading.tell(f"{where}: {in_words(error)}")
            for source in sources:
                mine = dict.fromkeys(walk.symbols.get(source.name, ()), walk.day)
                self._ready.setdefault(source.name, {}).update(mine)
        for source in sources:
            ready = self._ready.get(source.name)
            if ready:
                self._join(source, ready)

    def stop(self) -> None:
        """Read no further; what has been read by now is part of the report."""
        self._reloading.stop()
        for _, report in self._reloading.walked():
            self._report.join(report)

    def _take_up(self, sources: Sequence[LiveSource], named: Symbols) -> None:
        past: dict[str, Sequence[str]] = {}
        added, removed = list[str](), list[str]()
        for source in sources:
            wanted = named.get(source.name, ())
            # What has been refused, or stopped by an error, is tried again.
            again = {each for each in source.symbols if self._figures[source.stream(each)].stopped}
            stay = set(source.symbols) & set(wanted) - again
            gone = [each for each in source.symbols if each not in stay]
            new = [each for each in wanted if each not in stay]
            self._leave(source, gone)
            for each in new:
                self._figures[source.stream(each)] = LiveFigures(waits=_READ)
            source.wait(new)
            past[source.name] = [each for each in new if not self._reads(source, each)]
            removed += [each for each in gone if each not in wanted]
            added += new
        for name, before in self._others.items():
            wanted = self._others[name] = tuple(named.get(name, ()))
            past[name] = wanted if wanted != before else ()
            added += [each for each in wanted if each not in before]
            removed += [each for each in before if each not in wanted]
        if any(past.values()):
            self._reloading.walk(past)
        self._reloading.tell(_change(added, removed))

    def _leave(self, source: LiveSource, gone: Sequence[str]) -> None:
        source.leave(gone)
        for each in gone:
            self._figures[source.stream(each)].removed = True
            self._ready.get(source.name, {}).pop(each, None)

    def _reads(self, source: LiveSource, symbol: str) -> bool:
        """Tell whether the past of a symbol, which was named once before, is still being read."""
        return self._reloading.reads(source.name, symbol)

    def _join(self, source: LiveSource, ready: dict[str, date]) -> None:
        """Go live with symbols whose past has been read, but for those that have left since.

        Of those that have seen a day end meanwhile that day is read first.
        """
        today = source.today
        over = [each for each, day in ready.items() if day < today]
        for each in {*over, *(ready.keys() - source.waiting.keys())}:
            del ready[each]
        if past := [each for each in over if each in source.waiting]:
            self._reloading.walk({source.name: past})
        leaving = {stream.stream.symbol for stream in source.leaving}
        now = [each for each in ready if each not in leaving]
        try:
            source.join(now, today)
        except SinkError:
            pass  # it is tried again; the rows wait
        except Exception as error:  # of a plugin: it ends this symbol and no other
            self._failed(source, next(each for each in now if each in source.waiting), error)
        joined = [each for each in now if each in source.streams]
        for each in joined:
            del ready[each]
        # Of the others it is told why the exchange refuses them, or what has ended them.
        live = [each for each in joined if not self._figures[source.stream(each)].stopped]
        if live:
            self._reloading.tell(f"{_names(live)}: the past is read, live now")

    def _failed(self, source: LiveSource, symbol: str, error: Exception) -> None:
        stream: Stream = source.stream(symbol)
        self._figures[stream].failed = in_words(error)
        self._report.errors.append((str(stream), error))
        source.abandon(symbol)


def _change(added: Sequence[str], removed: Sequence[str]) -> str:
    said = [f"{what} {_names(each)}" for what, each in (("added", added), ("removed", removed))]
    said = [each for each in said if not each.endswith(" ")]
    return f"taken up: {'; '.join(said)}" if said else "nothing to take up: the same symbols"


def _names(symbols: Sequence[str]) -> str:
    more = f" and {len(symbols) - _SHOWN} more" if len(symbols) > _SHOWN else ""
    return f"{', '.join(sorted(symbols)[:_SHOWN])}{more}"
