"""By which door a day of a stream is read: the archive where it has it, REST where it reaches."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, Literal

import attrs

from ..components import File, Http
from ..config import SourceNode, is_pattern
from ..errors import FOREIGN, WerksError, foreign

_ONE = timedelta(days=1)
Lack = Literal["missing", "waiting"]


@attrs.frozen
class Choice:
    """The door of a day, with the reason if it is not the first one; or why there is none."""

    door: str
    reason: str = ""
    lack: Lack | None = None


def choose(source: SourceNode, day: date, published: bool, first: date, now: datetime) -> Choice:
    """Return by which door a day is read; `first` is the archive's first published day."""
    if published:
        return Choice("archive")
    lack, reason = _lack(source, day, first, now)
    if "rest" not in source.doors:
        return Choice("", reason, lack)
    beyond = beyond_rest(source, day, now)
    if not beyond:
        return Choice("rest", reason)
    return Choice("", "; ".join(filter(None, [reason, beyond])), lack)


def _lack(source: SourceNode, day: date, first: date, now: datetime) -> tuple[Lack, str]:
    """Return why the archive has no file of a day, and whether there may be one later."""
    if "archive" not in source.doors:
        return "missing", "it is heard live only" if set(source.doors) == {"live"} else ""
    door = source.doors["archive"]
    known: Mapping[date, str] = getattr(door, "known_missing", {})
    if day in known:
        return "missing", known[day]
    if day + _ONE > (now - door.lag).date():
        return "waiting", "not published yet"
    if day < first:
        return "missing", f"the archive begins on {first}"
    return "missing", "the archive has no file of this day"


def beyond_rest(source: SourceNode, day: date, now: datetime) -> str:
    """Return why REST cannot be asked for a whole day; empty if it can."""
    door = source.doors["rest"]
    if door.off:
        return f"REST is off: {door.off}"
    if door.reach is None:
        return ""
    if door.reach <= timedelta(0):
        return "REST has the latest trades only"
    earliest = now - door.reach
    if datetime(day.year, day.month, day.day, tzinfo=UTC) < earliest:
        return f"REST reaches back to {earliest:%Y-%m-%d %H:%M} only"
    return ""


def end_of(source: SourceNode, now: datetime) -> datetime:
    """Return the moment up to which a source can be had: its stop, now by REST, else midnight."""
    rest = source.doors.get("rest")
    fresh = rest is not None and not rest.off and (rest.reach is None or rest.reach > timedelta(0))
    today = datetime(now.year, now.month, now.day, tzinfo=UTC)
    # What goes on live has today's window for itself.
    latest = now if fresh and not source.is_live else today
    return min(source.stop, latest) if source.stop else latest


def published(
    source: SourceNode, http: Http, end: datetime, errors: list[tuple[str, WerksError]]
) -> tuple[list[File], set[str]]:
    """Return the published files, oldest first, and the symbols that could not be listed.

    A symbol that fails does not stop the others.
    """
    if "archive" not in source.doors:
        return [], set()
    door, files, failed = source.doors["archive"], [], set()
    stop = (end + timedelta(days=1, microseconds=-1)).date()
    try:
        files = _merged(door.files(source.symbols, source.start, stop, http))
    except FOREIGN as failure:  # foreign code, if it is none of our own errors
        error = failure if isinstance(failure, WerksError) else foreign(source.type, failure)
        if len(source.symbols) == 1:
            errors.append((f"{door.exchange} {source.symbols[0]}", error))
            return [], {source.symbols[0]}
        for symbol in source.symbols:
            more, lost = published(attrs.evolve(source, symbols=(symbol,)), http, end, errors)
            files += more
            failed |= lost
    return sorted(_merged(files), key=lambda file: (file.start, file.symbols)), failed


def _merged(files: Iterable[File]) -> list[File]:
    """Return files of one address as one, with the symbols of all."""
    merged: dict[str, File] = {}
    for file in files:
        if file.stop <= file.start:
            days = f"it covers no day: start is {file.start}, and stop, {file.stop}, is exclusive"
            raise WerksError(f"{file.url}: {days}; mend the plugin")
        known = merged.get(file.url)
        symbols = tuple(dict.fromkeys([*(known.symbols if known else ()), *file.symbols]))
        merged[file.url] = attrs.evolve(file, symbols=symbols)
    return list(merged.values())


def looked_up(source: SourceNode, http: Http) -> SourceNode:
    """Return a source with each pattern replaced by the symbols that look so.

    A replay asks nobody: it has the symbols that were recorded.
    """
    if not source.patterns or source.replay is not None:
        return source
    listed: Any = source.instruments.read(http)
    names = sorted(set(listed["symbol"].cast("string").to_pylist()))
    symbols: list[str] = []
    for symbol in source.symbols:
        found = [name for name in names if fnmatchcase(name, symbol)]
        if is_pattern(symbol) and not found:
            raise WerksError(f"{source.door.exchange}: no instrument looks like {symbol!r}")
        symbols += found if is_pattern(symbol) else [symbol]
    return attrs.evolve(source, symbols=tuple(dict.fromkeys(symbols)))
