"""The minutes of a file against the exchange's own candles, as far as they can be had."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa

from ..errors import WerksError
from ..history import Pages, Span
from ..schema import empty, nanoseconds
from .asked import Asked
from .kinds import TRADES
from .tally import Tally
from .verdict import Verdict

_SHOWN = 20
_MINUTE = 60 * 10**9


class Folded:
    """Trades, ticks or segments on their way to minutes."""

    def __init__(self, of: pa.Schema) -> None:
        from ..verify import Minutes  # what it stands on takes a while to import

        self._minutes = Minutes(of)

    def push(self, rows: pa.RecordBatch) -> None:
        """Take rows, oldest first."""
        self._minutes.push(rows)

    def bars(self, until: int) -> pa.RecordBatch | None:
        """Return the minutes that end at or before a time."""
        from ..verify import unpacked

        return unpacked(self._minutes.packed(until))


class Given:
    """Bars that are minutes already; carried ones are left out."""

    def __init__(self, of: pa.Schema) -> None:
        self._bars = [empty(of)]
        self._all = True

    def push(self, rows: pa.RecordBatch) -> None:
        """Take bars, oldest first."""
        width = nanoseconds(rows["end"]) - nanoseconds(rows["timestamp"])
        self._all = self._all and bool((width == _MINUTE).all())
        if self._all:
            self._bars.append(rows.filter(pa.array(rows["ticks"].to_numpy() > 0)))

    def bars(self, until: int) -> pa.RecordBatch | None:
        """Return the bars; None if one of them is no minute."""
        return pa.concat_batches(self._bars) if self._all else None


def minutes_of(of: pa.Schema, kind: str) -> Folded | Given | None:
    """Return what gives the minutes of rows of a kind; None if nothing does."""
    if kind in TRADES:
        return Folded(of)
    return Given(of) if kind == "BAR" else None


def settle(verdict: Verdict, tally: Tally, asked: Asked) -> None:
    """Compare the minutes of a whole day or more with candles; note what comes of it."""
    if asked.http is None or tally.minutes is None or verdict.start is None:
        return
    ours = tally.minutes.bars(_ns(verdict.stop))
    if ours is None:
        return
    try:
        verdict.candles = _compared(verdict, ours, asked)
    except WerksError as error:
        verdict.candles = f"unknown: {error}"


def _compared(verdict: Verdict, ours: pa.RecordBatch, asked: Asked) -> str:
    from ..verify import Facts, compare

    door = asked.candles(verdict.exchange)
    why = _hindrance(verdict, door)
    if why:
        return f"unknown: {why}"
    theirs = _asked_for(verdict, door, asked)
    if not len(theirs):
        return "unknown: the exchange has no candles of these days"
    found = compare(ours, theirs, Facts.of(door))
    wrong = {each.minute for each in found.differences}
    said = f"{found.minutes - len(wrong):,} of {found.minutes:,} minutes are equal"
    for each in found.differences[:_SHOWN]:
        at = datetime.fromtimestamp(each.minute // 10**9, UTC)
        why = f" ({each.reason})" if each.reason else ""
        verdict.problems.append(
            f"the minute {at:%Y-%m-%d %H:%M}: {each.field} {each.ours},"
            f" the exchange has {each.theirs}{why}"
        )
    if len(found.differences) > _SHOWN:
        verdict.problems.append(f"{len(wrong):,} minutes differ from the exchange's candles")
    return said


def _hindrance(verdict: Verdict, door: Any | None) -> str:
    """Return why there is nothing to compare with yet; empty if there is."""
    if door is None:
        return f"no installed plugin has candles of {verdict.exchange}"
    if door.off:
        return str(door.off)
    stop = datetime.combine(verdict.stop, datetime.min.time(), UTC)  # type: ignore[arg-type]
    final: datetime = stop + door.settled
    early = datetime.now(UTC) < final
    return f"they are not final before {final:%Y-%m-%d %H:%M}" if early else ""


def _asked_for(verdict: Verdict, door: Any, asked: Asked) -> pa.RecordBatch:
    span = Span(verdict.symbol, _ns(verdict.start), _ns(verdict.stop))
    name = f"candles of {verdict.symbol}"
    batches = list(Pages(door, asked.http, span, name))  # type: ignore[arg-type]
    return pa.concat_batches(batches) if batches else empty(door.schema)


def _ns(day: Any) -> int:
    found: timedelta = day - date(1970, 1, 1)
    return found.days * 86_400 * 10**9
