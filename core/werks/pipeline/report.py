"""What a run did, in figures."""

import time
from collections import Counter
from collections.abc import Mapping
from datetime import date
from typing import Any

import attrs

from ..components import Stream
from .plan import Missing, Plan
from .until import LiveFigures
from .work import Outcome


@attrs.define
class StreamReport:
    """The figures of one stream; `written` counts the rows of each node."""

    stream: Stream
    done: int = 0
    known: int = 0
    rows: int = 0
    repeats: int = 0
    holes: int = 0
    first: date | None = None
    last: date | None = None
    written: Counter[str] = attrs.field(factory=Counter)
    by_rest: int = 0
    verified: Counter[bool | None] = attrs.field(factory=Counter)

    def join(self, later: "StreamReport") -> None:
        """Add what was done later."""
        for name in ("done", "rows", "repeats", "holes", "by_rest"):
            setattr(self, name, getattr(self, name) + getattr(later, name))
        self.first = min(filter(None, (self.first, later.first)), default=None)
        self.last = max(filter(None, (self.last, later.last)), default=None)
        self.written += later.written
        self.verified += later.verified


@attrs.define
class Report:
    """What a run did: figures by stream, days that cannot be had, and errors by what they hit."""

    name: str
    streams: dict[Stream, StreamReport] = attrs.field(factory=dict)
    missing: Missing = attrs.field(factory=dict)
    waiting: Missing = attrs.field(factory=dict)
    before: dict[Stream, date] = attrs.field(factory=dict)
    errors: list[tuple[str, Exception]] = attrs.field(factory=list)
    live: dict[Stream, LiveFigures] = attrs.field(factory=dict)
    stopped: bool = False
    seconds: float = 0.0
    _began: float = attrs.field(factory=time.perf_counter, repr=False)

    @classmethod
    def of(cls, name: str, plan: Plan) -> "Report":
        """Return the report of a run that is about to follow a plan."""
        report = cls(name, missing=dict(plan.missing), waiting=dict(plan.waiting))
        report.before = dict(plan.before)
        report.errors += plan.errors
        return report

    @property
    def ok(self) -> bool:
        """Whether all that could be had was done."""
        return not self.errors and not self.stopped

    @property
    def done(self) -> int:
        """How many windows were done."""
        return sum(each.done for each in self.streams.values())

    @property
    def known(self) -> int:
        """How many windows were in the ledger already."""
        return sum(each.known for each in self.streams.values())

    @property
    def rows(self) -> int:
        """How many rows were read from sources, without repeats."""
        return sum(each.rows for each in self.streams.values())

    def of_stream(self, stream: Stream) -> StreamReport:
        """Return a stream's figures."""
        return self.streams.setdefault(stream, StreamReport(stream))

    def add(self, outcome: Outcome) -> None:
        """Add what came of a task."""
        for done in outcome.done:
            mine = self.of_stream(done.stream)
            mine.done += 1
            mine.rows += done.rows
            mine.repeats += done.repeats
            mine.holes += done.holes or 0
            mine.written.update(done.written)
            mine.first = min(mine.first or done.task.day, done.task.day)
            mine.last = max(mine.last or done.task.day, done.task.day)

    def join(self, other: "Report") -> None:
        """Add what a later part of the run has done, such as for symbols that came in between."""
        for stream, theirs in other.streams.items():
            mine = self.streams.get(stream)
            if mine is None:
                self.streams[stream] = theirs
            else:  # what was known then is what is told here already
                mine.join(theirs)
        for window in self.waiting.keys() - other.waiting.keys():
            if window[0] in other.streams:
                del self.waiting[window]
        self.missing |= other.missing
        self.waiting |= other.waiting
        self.before |= other.before
        self.errors += other.errors
        self.stopped |= other.stopped
        self.seconds += other.seconds

    def end(self) -> "Report":
        """Stop the clock."""
        self.seconds = time.perf_counter() - self._began
        return self

    def plain(self) -> dict[str, Any]:
        """Return the report as data for JSON."""
        return {
            "pipeline": self.name,
            "ok": self.ok,
            "stopped": self.stopped,
            "seconds": round(self.seconds, 3),
            "windows": {"done": self.done, "known": self.known},
            "streams": [_plain(each) for each in self.streams.values()],
            "live": [_live(stream, each) for stream, each in self.live.items()],
            "missing": _days(self.missing),
            "waiting": _days(self.waiting),
            "before": {str(stream): str(day) for stream, day in self.before.items()},
            "errors": [{"where": where, "error": str(error)} for where, error in self.errors],
        }


_RESULTS = {True: "equal", False: "different", None: "unknown"}


def _plain(each: StreamReport) -> dict[str, Any]:
    return {
        "exchange": each.stream.exchange,
        "symbol": each.stream.symbol,
        "component": each.stream.component,
        "windows": {"done": each.done, "known": each.known},
        "first": str(each.first) if each.first else None,
        "last": str(each.last) if each.last else None,
        "rows": each.rows,
        "repeats": each.repeats,
        "holes": each.holes,
        "by_rest": each.by_rest,
        "verified": {_RESULTS[result]: count for result, count in each.verified.items()},
        "written": dict(each.written),
    }


def _live(stream: Stream, each: LiveFigures) -> dict[str, Any]:
    told = attrs.asdict(each, filter=lambda field, _: not field.name.startswith("_"))
    return attrs.asdict(stream) | told


def _days(days: Mapping[tuple[Stream, date], str]) -> list[dict[str, str]]:
    return [
        {"stream": str(stream), "day": str(day), "reason": reason}
        for (stream, day), reason in days.items()
    ]
