"""Files of one stream beside each other: days that lack, ids that do not go on."""

from collections.abc import Iterable
from datetime import date, timedelta
from itertools import groupby, pairwise
from typing import Any

from .ids import listed
from .verdict import OWN, Verdict

_OPEN = "open"
# A day without such rows has no file, so that a file that lacks says nothing by itself.
_SPARSE = ("BAR", "CANDLE", "FUNDING", "OPEN_INTEREST", "INSTRUMENT", "CHECK")


def compare_days(verdicts: Iterable[Verdict]) -> None:
    """Add to the later one of two files what lacks between them, or is in both."""
    for _, group in groupby(sorted(verdicts, key=_stream), key=_stream):
        days = sorted((each for each in group if _is_of_a_day(each)), key=_first_day)
        for one, other in pairwise(days):
            _compare(one, other)


def _stream(verdict: Verdict) -> tuple[Any, ...]:
    folder = str(verdict.path.resolve().parent)
    if verdict.source == OWN:  # one that cannot be read does not say what it is of
        return folder, OWN, verdict.path.suffix
    return folder, verdict.source, verdict.exchange, verdict.symbol


def _is_of_a_day(verdict: Verdict) -> bool:
    return bool(verdict.source) and (verdict.start is not None or verdict.path.stem == _OPEN)


def _first_day(verdict: Verdict) -> date:
    return verdict.start or date.max


def _compare(one: Verdict, other: Verdict) -> None:
    if one.kind and other.kind and _what(one) != _what(other):
        return  # different things in one folder
    before = one.path.name
    between = _days_between(one, other)
    if one.most is not None and other.least is not None:
        known = other.missing_ids is not None and one.missing_ids is not None
        step = other.least - one.most
        if known and step > 1:
            ids = f"missing trade ids after {before}"
            other.problems.append(
                f"{ids}: {step - 1:,} ({listed([(one.most + 1, other.least - 1)])}){between}"
            )
            return
        if step < 1:
            both = f"begins at trade id {other.least}, and {before} ends at {one.most}"
            other.problems.append(f"{both}: the same trades are in both")
        if known:
            if between:
                other.notes.append(f"ids go on after {before}{between}")
            return
    if between:
        where = other.notes if other.kind in _SPARSE else other.problems
        where.append(f"does not go on after {before}{between}")


def _what(verdict: Verdict) -> tuple[str, str, str]:
    return verdict.kind, verdict.exchange, verdict.symbol


def _days_between(one: Verdict, other: Verdict) -> str:
    """Say which days have no file between two; empty if none."""
    if one.stop is None or other.start is None or one.stop >= other.start:
        return ""
    days = (other.start - one.stop).days
    last = other.start - timedelta(days=1)
    spoken = f"{one.stop}" if days == 1 else f"{one.stop} … {last}"
    return f"; there is no file of {spoken}"
