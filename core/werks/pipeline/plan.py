"""What a run will read: the wanted windows less what the ledger already knows."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta

import attrs

from ..components import File, Http, Stream
from ..errors import FOREIGN, WerksError, foreign
from ..ledger import Ledger
from .doors import choose, end_of, looked_up, published
from .graph import Branch, Graph
from .knowledge import Chain, Knowledge
from .task import DAY, midnight

_ONE = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Missing = dict[tuple[Stream, date], str]
# Windows to be read again although they are there, each with the door to take.
Again = Mapping[tuple[Stream, date], str]


@attrs.frozen
class Day:
    """A window that is wanted; `redo` is what must be done of it, as far as can be told."""

    stream: Stream
    day: date
    until: int
    redo: Mapping[str, tuple[str, ...]]


@attrs.define
class FilePlan:
    """What is read at once, with the windows that are wanted of it.

    By the archive it is a file; by REST a day of one stream; a snapshot is a whole list. `reason`
    says why it is not the archive.
    """

    branch: Branch
    file: File
    days: list[Day]
    door: str = "archive"
    reason: str = ""


@attrs.define
class Plan:
    """All that a run goes through, and the days that cannot be had, with the reason.

    `missing` are gaps. `waiting` are days that are not published yet. `before` holds the first
    published day of streams that are asked for from an earlier one.
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


def make_plan(
    graph: Graph, ledger: Ledger, http: Http, now: datetime, again: Again | None = None
) -> Plan:
    """Return what a run would do now; it asks the archives for what they have published."""
    making = _Making(Plan(), Knowledge(graph, ledger, again or {}), http, now, again or {})
    for branch in graph.branches:
        if any(branch.sinks.values()):  # not one that only stands beside others
            making.add(branch)
    newest = graph.config.settings.order == "newest"
    making.plan.files.sort(key=lambda each: _turn(each, newest))
    return making.plan


def _turn(each: FilePlan, newest: bool) -> tuple[int, tuple[str, ...]]:
    """Return what the files of a plan are sorted by; what carries state goes oldest first."""
    day = each.days[0].day.toordinal()
    return -day if newest and not each.branch.in_order else day, each.file.symbols


@attrs.define
class _Making:
    plan: Plan
    known: Knowledge
    http: Http
    now: datetime
    again: Again

    def add(self, branch: Branch) -> None:
        """Add all windows of a source."""
        try:
            source = looked_up(branch.source, self.http)
        except FOREIGN as failure:  # foreign code, if it is none of our own errors
            what = branch.source.type
            error = failure if isinstance(failure, WerksError) else foreign(what, failure)
            self.plan.errors.append((branch.source.door.exchange, error))
            return
        branch = attrs.evolve(branch, source=source)
        if "snapshot" in source.doors:
            self._snapshot(branch)
            return
        end = end_of(source, self.now)
        files, failed = published(source, self.http, end, self.plan.errors)
        plans = [FilePlan(branch, file, []) for file in files]
        for symbol in source.symbols:
            if symbol not in failed:
                self._stream(branch, plans, symbol, end)
        self.plan.files += [each for each in plans if each.days]

    def _snapshot(self, branch: Branch) -> None:
        """Add the list of a source: it is read anew by each run, into today's window."""
        source, day, until = branch.source, self.now.date(), nanoseconds(self.now) + 1
        days = []
        for symbol in source.symbols:
            stream = Stream(source.door.exchange, symbol, source.type)
            began = Chain(self.known, branch, stream, day).began(day)
            redo = self.known.redo(branch, (stream, day, until), began)
            days.append(Day(stream, day, until, redo))
        name = f"{source.door.exchange} {source.type}"
        file = File(name, day, day + _ONE, source.symbols)
        self.plan.files.append(FilePlan(branch, file, days, "snapshot"))

    def _stream(self, branch: Branch, plans: list[FilePlan], symbol: str, end: datetime) -> None:
        source = branch.source
        stream = Stream(source.door.exchange, symbol, source.type)
        chain = Chain(self.known, branch, stream, source.start)
        mine = [each for each in plans if symbol in each.file.symbols]
        last = (end - timedelta(microseconds=1)).date()
        of_day: dict[date, FilePlan] = {}
        for each in mine:
            for day in _days(max(each.file.start, source.start), min(each.file.stop, last + _ONE)):
                of_day.setdefault(day, each)
        first = min(of_day, default=source.start)
        for day in _days(source.start, last + _ONE):
            file = self._read(branch, stream, day, of_day.get(day), first)
            if file is None:
                continue
            until = min(midnight(day) + DAY, nanoseconds(end))
            redo = self.known.redo(branch, (stream, day, until), chain.began(day))
            chain.passed(day, redo)
            file.days.append(Day(stream, day, until, redo))

    def _read(
        self, branch: Branch, stream: Stream, day: date, file: FilePlan | None, first: date
    ) -> FilePlan | None:
        """Return what a day is read from; None, and the reason in the plan, if nothing has it."""
        wanted = self.again.get((stream, day))
        # A file of a day that is not over cannot be whole, whatever the archive lists.
        over = midnight(day) + DAY <= nanoseconds(self.now)
        here = file is not None and over and wanted != "rest"
        choice = choose(branch.source, day, here, first, self.now)
        if file is not None and choice.door != "rest":
            return file
        if choice.door == "rest":
            plan = by_rest(branch, stream, day, "read again" if wanted == "rest" else choice.reason)
            self.plan.files.append(plan)
            return plan
        if choice.lack == "waiting":
            self.plan.waiting[stream, day] = choice.reason
        elif day < first and "archive" in branch.source.doors:
            self.plan.before[stream] = first
        else:
            self.plan.missing[stream, day] = choice.reason
        return None


def by_rest(branch: Branch, stream: Stream, day: date, reason: str) -> FilePlan:
    """Return a day of one stream that is read by REST, no window in it yet."""
    file = File(f"{stream} {day} by REST", day, day + _ONE, (stream.symbol,))
    return FilePlan(branch, file, [], "rest", reason)


def _days(start: date, stop: date) -> Iterator[date]:
    while start < stop:
        yield start
        start += _ONE


def nanoseconds(moment: datetime) -> int:
    """Return a moment as nanoseconds since 1970."""
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000
