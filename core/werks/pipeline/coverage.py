"""What there is of each stream, day by day: what the file wants against what the ledger has."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

import attrs

from ..components import Stream
from ..config import Config, SourceNode, is_pattern
from ..ledger import COUNTED, Gap, Ledger, WindowRecord
from .doors import end_of
from .plan import nanoseconds
from .streaming import Mark as LiveMark
from .task import DAY, midnight

_ONE = timedelta(days=1)

Mark = Literal["verified", "unverified", "part", "mismatch", "gap", "missing", "waiting"]
MARKS: Mapping[Mark, str] = {
    "verified": "equal to the exchange's candles",
    "unverified": "read, not compared with candles",
    "part": "read in part, or live: the rest waits",
    "mismatch": "minutes differ from the exchange's candles",
    "gap": "read, but trades are missing",
    "missing": "cannot be had",
    "waiting": "wanted, not read yet",
}


@attrs.frozen
class CoveredDay:
    """What there is of a day, and what the ledger says of it.

    `live` is the time in ns up to which it is kept by a run that is live, or was.
    """

    day: date
    mark: Mark
    window: WindowRecord | None = None
    gaps: tuple[Gap, ...] = ()
    live: int | None = None


@attrs.frozen
class Coverage:
    """The days of a stream that are wanted or in the ledger, in order.

    `named` is false for a stream that the file does not name any more.
    """

    stream: Stream
    named: bool
    days: tuple[CoveredDay, ...]

    @property
    def windows(self) -> list[WindowRecord]:
        """The windows that were read."""
        return [each.window for each in self.days if each.window is not None]

    @property
    def marks(self) -> Counter[Mark]:
        """How many days there are of each kind."""
        return Counter(each.mark for each in self.days)

    @property
    def gaps(self) -> list[Gap]:
        """The gaps that are suspected or open."""
        return [gap for day in self.days for gap in day.gaps if gap.status in COUNTED]

    @property
    def untouched(self) -> int:
        """How many days wait before the first one that the ledger knows; all if it knows none."""
        known = (n for n, each in enumerate(self.days) if each.window or each.gaps or each.live)
        return next(known, len(self.days))


@contextmanager
def ledger_of(config: Config) -> Iterator[Ledger | None]:
    """Give the ledger of a file to look into; None, and none is made, if there is no such file."""
    settings = config.settings
    if "://" not in settings.state and not Path(settings.state).exists():
        yield None
        return
    ledger = Ledger(settings.state, settings.name)
    try:
        yield ledger
    finally:
        ledger.close()


def coverage(config: Config, ledger: Ledger | None, now: datetime) -> list[Coverage]:
    """Return what there is of all streams, those that the file does not name any more at the end.

    Nothing is asked of an exchange: a pattern stands for what the ledger knows of it. Without a
    ledger nothing has been read.
    """
    read, gaps = _by_stream(ledger)
    live = heard_live(ledger)
    wanted: dict[Stream, dict[date, int]] = {}
    for source in config.sources.values():
        days = _wanted(source, now)
        for stream in _streams(source, [*read, *gaps, *live]):
            wanted.setdefault(stream, {}).update(days)
    left = sorted({*read, *gaps, *live} - set(wanted), key=_name)
    return [
        Coverage(
            stream,
            stream in wanted,
            tuple(
                _days(
                    wanted.get(stream, {}),
                    read.get(stream, {}),
                    gaps.get(stream, {}),
                    live.get(stream, {}),
                )
            ),
        )
        for stream in [*wanted, *left]
    ]


def named(config: Config, stream: Stream) -> bool:
    """Tell whether the file still names a stream."""
    return any(stream in _streams(source, [stream]) for source in config.sources.values())


def _name(stream: Stream) -> tuple[str, str, str]:
    return stream.exchange, stream.symbol, stream.component


def _by_stream(
    ledger: Ledger | None,
) -> tuple[dict[Stream, dict[date, WindowRecord]], dict[Stream, dict[date, list[Gap]]]]:
    read: dict[Stream, dict[date, WindowRecord]] = {}
    gaps: dict[Stream, dict[date, list[Gap]]] = {}
    for window in ledger.windows() if ledger is not None else []:
        read.setdefault(window.stream, {})[window.day] = window
    for gap in ledger.gaps(every=True) if ledger is not None else []:
        gaps.setdefault(gap.stream, {}).setdefault(gap.day, []).append(gap)
    return read, gaps


def heard_live(ledger: Ledger | None) -> dict[Stream, dict[date, int]]:
    """Return how far the live window of each stream is kept, in ns."""
    marks = ledger.lives() if ledger is not None else {}
    found = ((stream, LiveMark.of(text)) for stream, text in marks.items())
    return {stream: {mark.day: mark.place.time} for stream, mark in found}


def _streams(source: SourceNode, known: Iterable[Stream]) -> list[Stream]:
    """Return the streams of a source; a pattern of which nothing is known stands for itself."""
    exchange, found = source.door.exchange, []
    of_type = [s for s in known if (s.exchange, s.component) == (exchange, source.type)]
    for symbol in source.symbols:
        if is_pattern(symbol):
            alike = sorted((s for s in of_type if fnmatchcase(s.symbol, symbol)), key=_name)
            found += alike or [Stream(exchange, symbol, source.type)]
        else:
            found.append(Stream(exchange, symbol, source.type))
    return list(dict.fromkeys(found))


def _wanted(source: SourceNode, now: datetime) -> dict[date, int]:
    """Return the days that a source wants, each with the time in ns up to which it does."""
    if "snapshot" in source.doors:  # a list is of now and of no other day
        return {now.date(): 0}
    end = end_of(source, now)
    count = -(-(nanoseconds(end) - midnight(source.start)) // DAY)
    days = (source.start + number * _ONE for number in range(count))
    return {day: min(midnight(day) + DAY, nanoseconds(end)) for day in days}


def _days(
    wanted: Mapping[date, int],
    read: Mapping[date, WindowRecord],
    gaps: Mapping[date, Sequence[Gap]],
    live: Mapping[date, int],
) -> Iterator[CoveredDay]:
    for day in sorted({*wanted, *read, *gaps, *live}):
        window, mine = read.get(day), tuple(gaps.get(day, ()))
        now = live.get(day) if window is None else None
        until = wanted.get(day, midnight(day) + DAY)
        yield CoveredDay(day, _mark(window, mine, until, now), window, mine, now)


def _mark(window: WindowRecord | None, gaps: Sequence[Gap], until: int, live: int | None) -> Mark:
    counted = {gap.kind for gap in gaps if gap.status in COUNTED}
    if window is None and live is not None:
        return "gap" if counted else "part"
    if window is None:
        return "missing" if any(gap.status != "repaired" for gap in gaps) else "waiting"
    if counted & {"day", "ids"}:
        return "gap"
    if window.verified is False or "mismatch" in counted:
        return "mismatch"
    if window.until < until and window.door != "snapshot":
        return "part"
    return "verified" if window.verified else "unverified"
