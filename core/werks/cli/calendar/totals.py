"""A stream's coverage in figures and words, for whoever shows it."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime
from itertools import groupby
from typing import Any

import attrs

from werks.cli.gaps import Span, in_words, one_line, spans
from werks.pipeline.coverage import Coverage, CoveredDay, Mark

# So many days at the beginning of which the ledger knows nothing are drawn, more are only said.
_MOST_UNTOUCHED = 62
_RESULTS = {True: "equal", False: "different", None: "unknown"}
RESULTS = tuple(_RESULTS.values())
DOORS = {"archive": "by the archive", "rest": "by REST", "snapshot": "as a list"}


@attrs.frozen
class Totals:
    """What there is of one stream; `first` and `last` are the days that were read."""

    covered: Coverage
    name: str
    first: date | None
    last: date | None
    windows: int
    rows: int
    doors: Counter[str]
    results: Counter[str]
    gaps: Sequence[Span]

    @classmethod
    def of(cls, covered: Coverage) -> "Totals":
        """Add up a coverage."""
        windows = covered.windows
        return cls(
            covered,
            one_line(f"{covered.stream} {covered.stream.component}"),
            min((each.day for each in windows), default=None),
            max((each.day for each in windows), default=None),
            len(windows),
            sum(each.rows for each in windows),
            Counter(each.door for each in windows),
            Counter(_RESULTS[each.verified] for each in windows),
            spans(covered.gaps, lambda _: covered.named),
        )

    @property
    def drawn(self) -> Sequence[CoveredDay]:
        """The days that are drawn: all but a long time that the ledger knows nothing of."""
        untouched = self.covered.untouched
        return self.covered.days[untouched if untouched > _MOST_UNTOUCHED else 0 :]

    @property
    def _live(self) -> Sequence[tuple[date, int]]:
        """The day that is kept live, and up to which time in ns."""
        return [(each.day, each.live) for each in self.covered.days if each.live is not None]

    def words(self) -> list[str]:
        """Return what there is, line by line."""
        lines = []
        untouched, wanted = self.covered.untouched, self.covered.days
        if untouched < len(wanted) and untouched:
            first = wanted[untouched].day
            lines.append(f"{days(untouched)} before {first}: not published, or not read yet")
        if self.windows:
            doors = ", ".join(f"{n:,} {DOORS.get(door, door)}" for door, n in self.doors.items())
            of = f"{self.rows:,} row{'' if self.rows == 1 else 's'} of {days(self.windows)}"
            lines.append(f"{of}, {span(self.first, self.last)}: {doors}")
        for day, time in self._live:
            lines.append(f"live: {day} up to {clock(time)}")
        if self.results.keys() - {"unknown"}:
            results = (r for r in RESULTS if self.results[r])
            compared = ", ".join(f"{days(self.results[r])} {r}" for r in results)
            lines.append(f"against the exchange's candles: {compared}")
        if missing := in_words(attrs.evolve(each, named=True) for each in self.gaps):
            lines.append(f"open gaps: {missing}")
        return lines

    def plain(self) -> dict[str, Any]:
        """Return the figures as data for JSON, with the days as spans of one mark."""
        covered = self.covered
        return attrs.asdict(covered.stream) | {
            "named": covered.named,
            "first": str(self.first) if self.first else None,
            "last": str(self.last) if self.last else None,
            "windows": self.windows,
            "rows": self.rows,
            "doors": dict(self.doors),
            "verified": {result: self.results[result] for result in RESULTS},
            "live": {str(day): clock(time) for day, time in self._live},
            "gaps": len(self.covered.gaps),
            "days": dict(covered.marks),
            "spans": [_span(list(group)) for group in _runs(covered.days)],
        }


def span(first: date | None, last: date | None) -> str:
    """Return a first and a last day in words."""
    return f"{first}" if first == last else f"{first} … {last}"


def clock(time: int) -> str:
    """Return a time in ns as that of the day, to the second."""
    return f"{datetime.fromtimestamp(time // 10**9, UTC):%H:%M:%S} UTC"


def days(count: int) -> str:
    """Return a number of days in words."""
    return f"{count:,} day{'' if count == 1 else 's'}"


def _runs(covered: Sequence[CoveredDay]) -> list[list[CoveredDay]]:
    """Return days that follow one another and have one mark together."""

    def run(at: tuple[int, CoveredDay]) -> tuple[int, Mark]:
        return at[1].day.toordinal() - at[0], at[1].mark

    return [[each for _, each in group] for _, group in groupby(enumerate(covered), run)]


def _span(run: Sequence[CoveredDay]) -> dict[str, str]:
    return {"mark": run[0].mark, "first": str(run[0].day), "last": str(run[-1].day)}
