"""To read windows again: to repair gaps by another door, or only to compare their minutes."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any

import attrs

from ..components import Stream
from ..config import SourceNode
from ..config.beside import Beside
from ..http import Http
from ..ledger import Gap, Ledger, WindowRecord
from ..verify import Verifier
from .doors import beyond_rest
from .graph import Graph
from .plan import Again, FilePlan, make_plan
from .task import DayTask, StreamTask, Task
from .work import perform

_ONE = timedelta(days=1)


@attrs.frozen
class Repair:
    """The gaps that can be tried again, the windows to read for that, and those that cannot."""

    gaps: tuple[Gap, ...]
    again: Again
    hopeless: tuple[tuple[Gap, str], ...]


def to_repair(graph: Graph, ledger: Ledger, now: datetime) -> Repair:
    """Return what can be done about the gaps of a pipeline's streams.

    Days that could not be had are asked for by each run anyway. A window with ids left out, or
    with minutes that differ, is read by the other door than before, as is the one before it if ids
    are left out between the two.
    """
    sources = {_key(source): source for source in _sources(graph)}
    gaps, again, hopeless = [], dict[tuple[Stream, date], str](), []
    for gap in ledger.gaps():
        source = sources.get((gap.stream.exchange, gap.stream.component))
        if source is None:
            hopeless.append((gap, "the file has no such source any more"))
            continue
        record = ledger.window(gap.stream, gap.day)
        if gap.kind == "day" or record is None:
            gaps.append(gap)
            continue
        door, why = _other(source, record, now)
        if why:
            hopeless.append((gap, why))
            continue
        gaps.append(gap)
        again[gap.stream, gap.day] = door
        before = ledger.window(gap.stream, gap.day - _ONE)
        if "(after " in gap.evidence and before is not None:
            again[gap.stream, before.day] = _other(source, before, now)[0]
    return Repair(tuple(gaps), again, tuple(hopeless))


def _other(source: SourceNode, record: WindowRecord, now: datetime) -> tuple[str, str]:
    """Return the door to read a window by this time, and why there is none."""
    if record.door != "archive" and "archive" in source.doors:
        return "archive", ""  # or by REST, as long as it has not published the day
    if "rest" not in source.doors:
        return "", "there is no other door to read it by"
    return "rest", beyond_rest(source, record.day, now)


def verify(
    graph: Graph, ledger: Ledger, http: Http, now: datetime, every: bool = False
) -> list[WindowRecord]:
    """Compare all finished windows that have no result yet, and return the streams' windows.

    Minutes that were kept are compared; other windows are read again, with nothing written to a
    sink. With `every`, windows that have a result are compared anew.
    """
    candles = {_key(source): _candles(graph, source) for source in _sources(graph)}
    verifier = Verifier(ledger, http, now, graph.config.plugins.manager.hook)
    kept = {(stream, day) for stream, day, _ in ledger.minutes()}
    left: dict[tuple[Stream, date], WindowRecord] = {}
    for record in _mine(ledger, candles):
        if not record.finished or (record.verified is not None and not every):
            continue
        if (record.stream, record.day) in kept:
            verifier.settle(record.stream, record.day, candles[_of(record.stream)])
        else:
            left[record.stream, record.day] = record
    if left:
        doors = {key: record.door for key, record in left.items()}
        plan = make_plan(graph, ledger, http, now, doors)
        for each in plan.files:
            _read(each, left, (verifier, candles[_key(each.branch.source)]), http)
    return _mine(ledger, candles)


def _read(
    plan: FilePlan,
    left: Mapping[tuple[Stream, date], WindowRecord],
    comparing: tuple[Verifier, Any],
    http: Http,
) -> None:
    """Read those windows of a plan's file that are left, and compare their minutes."""
    streams: dict[Stream, list[DayTask]] = {}
    for day in plan.days:
        record = left.get((day.stream, day.day))
        if record is not None and record.door == plan.door:
            task = DayTask(day.day, record.until, {}, settles=False)
            streams.setdefault(day.stream, []).append(task)
    if not streams:
        return
    branch, (verifier, candles) = plan.branch, comparing
    tasks = [
        StreamTask(of, tuple(days), {}, cut=False, verify=True) for of, days in streams.items()
    ]
    outcome = perform(
        Task(
            plan.file,
            branch.source.doors[plan.door],
            branch.source.name,
            (),
            branch.schemas,
            {},
            tuple(tasks),
            via=plan.door,
        ),
        http,
    )
    for done in outcome.done:
        at = done.task.day
        record = left[done.stream, at]
        now_there = (done.rows, done.size, done.notional)
        if now_there != (record.rows, record.size, record.notional):
            why = f"the source has {done.rows:,} rows now, {record.rows:,} were read"
            verifier.unknown(done.stream, at, why)
        else:
            verifier.settle(done.stream, at, candles, done.minutes)
    if outcome.error is not None:
        through = {(done.stream, done.task.day) for done in outcome.done}
        for stream, days in streams.items():
            for task in days:
                if (stream, task.day) not in through:
                    why = f"it cannot be read again: {outcome.error}"
                    verifier.unknown(stream, task.day, why)


def _sources(graph: Graph) -> list[SourceNode]:
    return [branch.source for branch in graph.branches]


def _candles(graph: Graph, source: SourceNode) -> Any:
    if source.candles is not None:
        return source.candles
    beside = Beside(graph.config.plugins, source.type, source.options)
    return beside.find("candles", "werks_histories", "candles")


def _key(source: SourceNode) -> tuple[str, str]:
    return source.door.exchange, source.type


def _of(stream: Stream) -> tuple[str, str]:
    return stream.exchange, stream.component


def _mine(ledger: Ledger, candles: Mapping[tuple[str, str], object]) -> list[WindowRecord]:
    """Return the windows of streams that have candles to be compared with."""
    windows: Iterable[WindowRecord] = ledger.windows()
    return [each for each in windows if candles.get(_of(each.stream)) is not None]
