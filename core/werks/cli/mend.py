"""`werks repair` and `werks verify`: what was read, read again."""

import json
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from ..errors import WerksError
from ..http import Http
from ..ledger import Gap, Ledger, WindowRecord
from ..pipeline import Graph, Repair, load, to_repair, verify
from .run import refuse, run_file
from .show import spans

_RESULTS = {True: "equal", False: "different", None: "unknown"}


def repair_file(file: Path, plugins: tuple[Path, ...], as_json: bool) -> int:
    """Try to fill the gaps of a pipeline; return the exit code: 0 if none is left."""
    try:
        graph = load(file, plugin_files=plugins)
        found = to_repair(graph, ledger := _ledger(graph), datetime.now(UTC))
        ledger.close()
    except WerksError as error:
        return refuse(error, as_json)
    code = 0
    if found.gaps:
        code = run_file(file, plugins, {}, "quiet" if as_json else "plain", found.again)
    try:
        ledger = _ledger(graph)
        left = ledger.gaps()
        ledger.close()
    except WerksError as error:
        return refuse(error, as_json)
    if as_json:
        click.echo(json.dumps(_plain(found, left), indent=2))
    else:
        _say(found, left)
    return 1 if left or code else 0


def _ledger(graph: Graph) -> Ledger:
    return Ledger(graph.config.settings.state, graph.config.settings.name)


def _key(gap: Gap) -> tuple[Any, ...]:
    return gap.stream, gap.day, gap.kind


def _plain(found: Repair, left: Sequence[Gap]) -> dict[str, Any]:
    open_ = {_key(gap) for gap in left}
    why = {_key(gap): reason for gap, reason in found.hopeless}
    return {
        "repaired": [_shown(gap) for gap in found.gaps if _key(gap) not in open_],
        "left": [_shown(gap) | {"why": why.get(_key(gap), gap.cause)} for gap in left],
    }


def _shown(gap: Gap) -> dict[str, Any]:
    return {
        "stream": str(gap.stream),
        "day": str(gap.day),
        "kind": gap.kind,
        "missing": gap.missing,
        "evidence": gap.evidence,
    }


def _say(found: Repair, left: Sequence[Gap]) -> None:
    open_ = {_key(gap) for gap in left}
    closed = [gap for gap in found.gaps if _key(gap) not in open_]
    why = {_key(gap): reason for gap, reason in found.hopeless}
    for word, gaps in (("repaired", closed), ("left", left)):
        days = {(gap.stream, gap.day): "" for gap in gaps}
        for gap in gaps:
            said = why.get(_key(gap), gap.cause) if word == "left" else gap.cause
            before = days[gap.stream, gap.day]
            days[gap.stream, gap.day] = f"{before}; {said}" if before else said
        for line in spans(days):
            click.echo(f"{word}: {line}")
    if not left:
        click.echo("no gap is open" if closed else "nothing to repair: no gap is open")


def verify_file(file: Path, plugins: tuple[Path, ...], every: bool, as_json: bool) -> int:
    """Compare what was read with the exchange's candles; return the exit code."""
    try:
        graph = load(file, plugin_files=plugins)
        settings, ledger = graph.config.settings, _ledger(graph)
        try:
            with Http(settings.tries, quarantine=settings.quarantine) as http:
                windows = verify(graph, ledger, http, datetime.now(UTC), every)
            differences = ledger.differences()
        finally:
            ledger.close()
    except WerksError as error:
        return refuse(error, as_json)
    if as_json:
        shown = [
            {
                "stream": str(each.stream),
                "day": str(each.day),
                "result": _RESULTS[each.verified],
                "why": each.verified_why,
                "differences": [_field(d) for d in differences.get((each.stream, each.day), [])],
            }
            for each in windows
        ]
        click.echo(json.dumps(shown, indent=2))
    else:
        _tell(windows, differences)
    return 1 if any(each.verified is False for each in windows) else 0


def _field(difference: Any) -> dict[str, Any]:
    minute = datetime.fromtimestamp(difference.minute // 10**9, UTC)
    fields = ("field", "ours", "theirs", "reason")
    return {"minute": minute.isoformat()} | {name: getattr(difference, name) for name in fields}


def _tell(windows: Sequence[WindowRecord], differences: Any) -> None:
    if not windows:
        click.echo("nothing to verify: no window of a source that has candles")
    for result, word in _RESULTS.items():
        days = {
            (each.stream, each.day): each.verified_why or "not compared yet"
            for each in windows
            if each.verified is result and result is not True
        }
        for line in spans(days):
            click.echo(f"{word}: {line}")
    for (stream, day), found in differences.items():
        reasons = Counter(each.reason.partition(":")[0] or "unexplained" for each in found)
        words = ", ".join(f"{count:,} {reason}" for reason, count in reasons.most_common())
        click.echo(f"  {stream} {day}: {len(found):,} fields differ: {words}")
    counts = Counter(_RESULTS[each.verified] for each in windows)
    if windows:
        words = ", ".join(f"{counts[word]:,} {word}" for word in _RESULTS.values() if counts[word])
        click.echo(f"{len(windows):,} windows: {words}")
