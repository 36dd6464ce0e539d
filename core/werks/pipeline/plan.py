"""What a run will read: the wanted windows less what the ledger already knows."""

import copy
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import attrs

from ..components import File, Http, State, Stream, Window
from ..config import SourceNode
from ..errors import WerksError
from ..ledger import Commit, CommitKey, Ledger
from .graph import Branch, Graph
from .task import DAY, foreign, midnight

_ONE = timedelta(days=1)
Missing = dict[tuple[Stream, date], str]
Began = Mapping[str, str | None]


@attrs.frozen
class Day:
    """A window that is wanted; `redo` is what must be done of it, as far as can be told."""

    stream: Stream
    day: date
    until: int
    redo: Mapping[str, tuple[str, ...]]


@attrs.define
class FilePlan:
    """A file with the windows that are wanted of it."""

    branch: Branch
    file: File
    days: list[Day]


@attrs.define
class Plan:
    """All files that a run goes through, and the days that cannot be had, with the reason.

    `missing` are gaps: the archive is past them. `waiting` are days that are not published yet.
    `before` holds the first published day of streams that are asked for from an earlier one.
    """

    files: list[FilePlan] = attrs.field(factory=list)
    missing: Missing = attrs.field(factory=dict)
    waiting: Missing = attrs.field(factory=dict)
    before: dict[Stream, date] = attrs.field(factory=dict)
    errors: list[tuple[str, WerksError]] = attrs.field(factory=list)

    @property
    def wanted(self) -> int:
        """How many windows are wanted and can be had."""
        return sum(len(plan.days) for plan in self.files)

    @property
    def to_do(self) -> int:
        """How many of them are not done yet, as far as can be told before the run."""
        return sum(bool(day.redo) for plan in self.files for day in plan.days)


class Knowledge:
    """What the ledger says of windows, against what the file asks for now."""

    def __init__(self, graph: Graph, ledger: Ledger) -> None:
        self._ledger = ledger
        self._commits: dict[CommitKey, Commit] = ledger.commits()
        self._newest: dict[tuple[Stream, str, str], date] = {}
        for key in self._commits:
            self._note(key)
        self._sinks = {node.name: node.component for node in graph.config.of("sink")}

    def _note(self, key: CommitKey) -> None:
        stream, node, day, sink = key
        newest = self._newest.get((stream, node, sink), day)
        self._newest[stream, node, sink] = max(day, newest)

    def learn(self, key: CommitKey, commit: Commit) -> None:
        """Take note of a commit that was made just now."""
        self._commits[key] = commit
        self._note(key)

    def redo(
        self, branch: Branch, window: tuple[Stream, date, int], began: Began
    ) -> dict[str, tuple[str, ...]]:
        """Return the nodes of a window that must be done (again), each with its sinks.

        `began` holds a digest of what is carried into the window, by node; None where that is not
        known yet because the window before it must be done first.
        """
        stream, day, until = window
        found: dict[str, tuple[str, ...]] = {}
        for node, sinks in branch.sinks.items():
            stale = tuple(
                sink.name
                for sink in sinks
                if not self._valid(branch, (stream, node, day, sink.name), until, began)
            )
            if stale:
                found[node] = stale
        return found

    def _valid(self, branch: Branch, key: CommitKey, until: int, began: Began) -> bool:
        stream, node, day, sink = key
        commit = self._commits.get(key)
        if commit is None or commit.until < until:
            return False
        if commit.fingerprint != fingerprint(branch, node, sink):
            return False
        if began[node] != commit.began:
            return False
        window = Window(stream.exchange, stream.symbol, day)
        return bool(self._sinks[sink].holds(window, node, commit.receipt))

    def settles(self, stream: Stream, day: date, targets: Mapping[str, tuple[str, ...]]) -> bool:
        """Tell whether a window is the newest of its nodes: the open remainder is its own."""
        return all(
            day >= self._newest.get((stream, node, sink), day)
            for node, sinks in targets.items()
            for sink in sinks
        )

    def states(self, branch: Branch, stream: Stream, day: date) -> dict[str, State]:
        """Return what nodes carried at the end of a day, as far as it still holds."""
        return {
            node: state
            for (of, node), (made_by, state) in self._ledger.marks(day).items()
            if of == stream and branch.fingerprints.get(node) == made_by
        }


def fingerprint(branch: Branch, node: str, sink: str) -> str:
    """Return the fingerprint of a node's rows in a sink."""
    both = branch.fingerprints[node] + branch.fingerprints[sink]
    return hashlib.sha256(both.encode()).hexdigest()


def began(branch: Branch, states: Mapping[str, State], cut: bool) -> dict[str, str]:
    """Return, by node, a digest of all that is carried into a window; empty where nothing is."""
    digests = {}
    for node, carried in branch.carried.items():
        what: Any = [[name, states.get(name)] for name in sorted(carried)]
        text = json.dumps([what, cut], sort_keys=True)
        digests[node] = hashlib.sha256(text.encode()).hexdigest() if carried else ""
    return digests


class Chain:
    """What is carried along one stream's windows, from the last one that was done."""

    def __init__(self, known: Knowledge, branch: Branch, stream: Stream, first: date) -> None:
        self._known = known
        self._branch = branch
        self._stream = stream
        self._last = first - _ONE
        self._unsure: frozenset[str] = frozenset()
        self.states: Mapping[str, State] = known.states(branch, stream, self._last)

    def copy(self) -> "Chain":
        """Return a chain that goes its own way from here."""
        return copy.copy(self)

    def cut(self, day: date) -> bool:
        """Tell whether days are missing before a day."""
        return self._last + _ONE != day

    def began(self, day: date) -> Began:
        """Return digests of what is carried into a day, by node; None while that is not known."""
        digests = began(self._branch, self.states, self.cut(day))
        unsure = self._unsure
        return {n: None if unsure & self._branch.carried[n] else d for n, d in digests.items()}

    def passed(self, day: date, redo: Iterable[str] = ()) -> None:
        """Take note of a window; what the nodes that will be redone carry is not known then."""
        carried = (self._branch.carried[node] for node in redo)
        self._unsure = self._unsure.union(*carried)
        self._last = day
        self.states = self._known.states(self._branch, self._stream, day)

    def done(self, day: date) -> None:
        """Take note of a window that was done, and recorded, just now."""
        self._unsure = frozenset()
        self.passed(day)


def make_plan(graph: Graph, ledger: Ledger, http: Http, now: datetime) -> Plan:
    """Return what a run would do now; it asks the archives for what they have published."""
    plan, known = Plan(), Knowledge(graph, ledger)
    for branch in graph.branches:
        failed: set[str] = set()
        files = _published(plan, branch.source, http, _end(branch.source, now), failed)
        plans = [FilePlan(branch, file, []) for file in files]
        for symbol in branch.source.symbols:
            if symbol not in failed:
                _plan_stream(plan, known, (branch, plans), symbol, now)
        plan.files += [each for each in plans if each.days]
    plan.files.sort(key=lambda each: (each.days[0].day, each.file.symbols))
    return plan


def _end(source: SourceNode, now: datetime) -> datetime:
    """Return the moment up to which a source is wanted: its stop, or the end of yesterday."""
    today = datetime(now.year, now.month, now.day, tzinfo=UTC)
    return min(source.stop, today) if source.stop else today


def _published(
    plan: Plan, source: SourceNode, http: Http, end: datetime, failed: set[str]
) -> list[File]:
    """Return the published files, oldest first; a symbol that fails does not stop the others."""
    door, files = source.doors["archive"], []
    stop = (end + timedelta(days=1, microseconds=-1)).date()
    try:
        files = list(door.files(source.symbols, source.start, stop, http))
    except Exception as failure:  # foreign code, if it is none of our own errors
        error = failure if isinstance(failure, WerksError) else foreign(source.type, failure)
        if len(source.symbols) == 1:
            plan.errors.append((f"{door.exchange} {source.symbols[0]}", error))
            failed.add(source.symbols[0])
        else:
            alone = [attrs.evolve(source, symbols=(symbol,)) for symbol in source.symbols]
            files = [file for each in alone for file in _published(plan, each, http, end, failed)]
    return sorted(_merged(files), key=lambda file: (file.start, file.symbols))


def _merged(files: list[File]) -> list[File]:
    """Return files of one address as one, with the symbols of all."""
    merged: dict[str, File] = {}
    for file in files:
        known = merged.get(file.url)
        symbols = tuple(dict.fromkeys([*(known.symbols if known else ()), *file.symbols]))
        merged[file.url] = attrs.evolve(file, symbols=symbols)
    return list(merged.values())


def _plan_stream(
    plan: Plan, known: Knowledge, of: tuple[Branch, list[FilePlan]], symbol: str, now: datetime
) -> None:
    branch, files = of
    mine = [each for each in files if symbol in each.file.symbols]
    source, door = branch.source, branch.source.doors["archive"]
    stream = Stream(door.exchange, symbol, source.type)
    chain = Chain(known, branch, stream, source.start)
    until, covered = _nanoseconds(_end(source, now)), set()
    for each in mine:
        for day in _days(max(each.file.start, source.start), each.file.stop):
            end = min(midnight(day) + DAY, until)
            if end <= midnight(day) or day in covered:
                continue
            covered.add(day)
            redo = known.redo(branch, (stream, day, end), chain.began(day))
            chain.passed(day, redo)
            each.days.append(Day(stream, day, end, redo))
    last = (_end(source, now) - timedelta(microseconds=1)).date()
    lacking = [day for day in _days(source.start, last + _ONE) if day not in covered]
    _explain(plan, stream, lacking, (min(covered, default=source.start), now, door))


def _explain(
    plan: Plan, stream: Stream, lacking: list[date], at: tuple[date, datetime, Any]
) -> None:
    """Sort days without a file into those that may come and those that will not."""
    first, now, door = at
    known_missing: Mapping[date, str] = getattr(door, "known_missing", {})
    for day in lacking:
        if day in known_missing:
            plan.missing[stream, day] = known_missing[day]
        elif day < first:
            plan.before[stream] = first
        elif day + _ONE > (now - door.lag).date():
            plan.waiting[stream, day] = "not published yet"
        else:
            plan.missing[stream, day] = "the archive has no file of this day"


def _days(start: date, stop: date) -> Iterator[date]:
    while start < stop:
        yield start
        start += _ONE


def _nanoseconds(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000
