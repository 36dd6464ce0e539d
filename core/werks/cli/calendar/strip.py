"""Days as SVG: a column a week, Monday on top, years one below the other."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from html import escape
from itertools import groupby

from werks.cli.calendar.totals import DOORS, clock
from werks.cli.gaps import one_line
from werks.ledger import Gap, WindowRecord
from werks.pipeline.coverage import CoveredDay, Mark

_CELL, _PITCH = 12, 15
_LEFT, _TOP = 62, 16
# What stands in a cell beside its colour, within 12 × 12.
_HOLLOW = '<rect class="hollow" x=".5" y=".5" width="11" height="11" rx="2"/>'
_SIGNS: dict[Mark, str] = {
    "unverified": _HOLLOW,
    "part": _HOLLOW + '<path class="half" d="M1 1h5v10h-5z"/>',
    "mismatch": '<path class="sign" d="M3 4.6h6M3 7.6h6M7.8 2.6l-3.6 7"/>',
    "gap": '<path class="sign" d="M6 2.8v3.8M6 9.2v.1"/>',
    "missing": _HOLLOW + '<path class="sign" d="M3.5 3.5l5 5M8.5 3.5l-5 5"/>',
}
_DAY_NAMES = ((0, "Mon"), (2, "Wed"), (4, "Fri"))


def day_svg(mark: Mark) -> str:
    """Return a single cell, for a legend."""
    return f'<svg viewBox="0 0 12 12" aria-hidden="true">{_cell(mark)}</svg>'


def strip(days: Sequence[CoveredDay], label: str) -> str:
    """Return the calendar of days; `label` is what it says to those who do not see it."""
    years = [list(of) for _, of in groupby(days, lambda each: each.day.year)]
    height = _TOP + 7 * _PITCH + 4
    width = max(_LEFT + (_column(of[-1].day, _begin(years, of)) + 1) * _PITCH for of in years)
    parts = [
        f'<g transform="translate(0 {number * height})">{"".join(_year(of, _begin(years, of)))}</g>'
        for number, of in enumerate(years)
    ]
    # Names of months may stand out beyond the last week.
    size = f'width="{width + 20}" height="{len(years) * height}"'
    return f'<svg {size} role="img" aria-label="{label}">\n{"".join(parts)}</svg>'


def _begin(years: Sequence[Sequence[CoveredDay]], year: Sequence[CoveredDay]) -> date:
    """Return the Monday of a year's first column; several years begin all in January."""
    first = year[0].day if len(years) == 1 else year[0].day.replace(month=1, day=1)
    return first - timedelta(days=first.weekday())


def _column(day: date, begin: date) -> int:
    return (day - begin).days // 7


def _year(days: Sequence[CoveredDay], begin: date) -> Iterator[str]:
    yield f'<text x="0" y="{_TOP + 9}">{days[0].day.year}</text>'
    for weekday, name in _DAY_NAMES:
        y = _TOP + weekday * _PITCH + 10
        yield f'<text x="{_LEFT - 6}" y="{y}" text-anchor="end">{name}</text>'
    last = -3
    for month, of in groupby(days, lambda each: each.day.replace(day=1)):
        column = _column(next(of).day, begin)
        if column - last >= 2:  # a name is two weeks wide
            yield f'<text x="{_LEFT + column * _PITCH}" y="10">{month:%b}</text>'
            last = column
    for each in days:
        x = _LEFT + _column(each.day, begin) * _PITCH
        y = _TOP + each.day.weekday() * _PITCH
        yield f'<g transform="translate({x} {y})"><title>{escape(_title(each))}</title>'
        yield f"{_cell(each.mark)}</g>\n"


def _cell(mark: Mark) -> str:
    rect = f'<rect class="day {mark}" width="{_CELL}" height="{_CELL}" rx="2"/>'
    return rect + _SIGNS.get(mark, "")


def _title(each: CoveredDay) -> str:
    """Return all that is known of a day."""
    lines = [f"{each.day:%a} {each.day}: {each.mark}"]
    if each.window is not None:
        lines += _read(each.window)
    if each.live is not None:
        lines.append(f"live, kept up to {clock(each.live)}")
    lines += [_gap(gap) for gap in each.gaps]
    return "\n".join(one_line(line) for line in lines)


def _read(window: WindowRecord) -> Iterator[str]:
    rows = f"{window.rows:,} row{'' if window.rows == 1 else 's'}"
    yield f"{rows} {DOORS.get(window.door, window.door)}"
    if window.reason:
        yield f"because: {window.reason}"
    if not window.finished and window.door != "snapshot":
        yield f"read up to {datetime.fromtimestamp(window.until // 10**9, UTC):%H:%M} UTC"
    if window.verified_why:
        yield f"candles: {window.verified_why}"


def _gap(gap: Gap) -> str:
    missing = f"{gap.missing:,} missing: " if gap.kind == "ids" and gap.missing else ""
    evidence = f": {gap.evidence}" if gap.evidence else ""
    return f"{gap.status} gap ({gap.kind}): {missing}{gap.cause}{evidence}"
