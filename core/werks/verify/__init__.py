"""The check of what was read against what the exchange itself says: its minutes.

Minutes of ours are folded while a window is read, kept in the ledger, and compared once the
exchange's candles are final. The result is true, false with the differences, or unknown.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa

from ..components import Http, Stream, Window
from ..errors import WerksError
from ..history import Pages, Span
from ..ledger import Difference, Gap, Ledger
from ..schema import empty
from .compare import FIELDS, Comparison, Facts, compare
from .minutes import Minutes, unpacked

__all__ = ["Comparison", "Facts", "Minutes", "Verifier", "candles", "compare", "unpacked"]

_DAY = 86_400 * 10**9


class Verifier:
    """Compares the minutes that wait in the ledger with the exchange's candles."""

    def __init__(self, ledger: Ledger, http: Http, now: datetime, hooks: Any = None) -> None:
        self._ledger, self._http, self._now, self._hooks = ledger, http, now, hooks

    def unknown(self, stream: Stream, day: date, why: str) -> None:
        """Record that a window cannot be compared."""
        self._ledger.checked(stream, day, None, why, [])

    def settle(
        self, stream: Stream, day: date, door: Any, packed: bytes | None = None
    ) -> bool | None:
        """Compare one window and record what came of it; None if that cannot be told yet.

        Without `packed`, the minutes that wait in the ledger are compared.
        """
        if packed is None:
            packed = next((rows for *_, rows in self._ledger.minutes(stream, day)), None)
        why = self._too_early(day, door)
        if packed is None or why:
            self.unknown(stream, day, why or "its minutes are not kept")
            return None
        ours = unpacked(packed)
        begin = (day - date(1970, 1, 1)).days * _DAY
        try:
            theirs = candles(door, self._http, stream, (begin, begin + _DAY))
        except WerksError as error:
            self.unknown(stream, day, f"no candles: {error}")
            return None
        if not len(theirs) and len(ours):
            self.unknown(stream, day, "the exchange has no candles of this day")
            return None
        return self.judge(stream, day, compare(ours, theirs, Facts.of(door)))

    def judge(self, stream: Stream, day: date, found: Comparison) -> bool:
        """Record what came of comparing all minutes of a day."""
        wrong = {each.minute for each in found.differences}
        why = f"{found.minutes - len(wrong):,} of {found.minutes:,} minutes are equal"
        self._ledger.checked(stream, day, not wrong, why, found.differences)
        if wrong:
            self._tell(stream, day, found.differences)
            return False
        self._ledger.settle(stream, day, "mismatch", "repaired")
        return True

    def differ(self, stream: Stream, day: date, found: Sequence[Difference]) -> None:
        """Record minutes that differ, of a day that goes on."""
        known = self._ledger.differences().get((stream, day), [])
        every = {(each.minute, each.field): each for each in (*known, *found)}
        order = list(FIELDS.values())
        keys = sorted(every, key=lambda key: (key[0], order.index(key[1])))
        differences = [every[key] for key in keys]
        self._ledger.checked(stream, day, False, "minutes differ, and the day goes on", differences)
        self._tell(stream, day, differences)

    def _tell(self, stream: Stream, day: date, differences: Sequence[Difference]) -> None:
        """Record a gap; tell of it unless the same was told before."""
        wrong, first = {each.minute for each in differences}, differences[0]
        at = datetime.fromtimestamp(first.minute // 10**9, UTC)
        evidence = f"first at {at:%H:%M}: {first.field} {first.ours}, the exchange has"
        evidence += f" {first.theirs}{f' ({first.reason})' if first.reason else ''}"
        cause = f"{len(wrong):,} minutes differ from the exchange's candles"
        gap = Gap(stream, day, "mismatch", cause, evidence, len(wrong), "suspected")
        known = [each for each in self._ledger.gaps() if _same(each, gap)]
        self._ledger.found([gap])
        if self._hooks is not None and not known:
            window = Window(stream.exchange, stream.symbol, day)
            self._hooks.werks_mismatch_found(
                stream=stream, window=window, cause=f"{cause}; {evidence}"
            )

    def _too_early(self, day: date, door: Any) -> str:
        final = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
        final += door.settled
        return "" if self._now >= final else f"candles are not final before {final:%Y-%m-%d %H:%M}"


def candles(door: Any, http: Http, stream: Stream, span: tuple[int, int]) -> pa.RecordBatch:
    """Return the exchange's candles of a span of time, in ns; it asks REST and nothing else."""
    name = f"{stream} {datetime.fromtimestamp(span[0] // 10**9, UTC):%Y-%m-%d} candles"
    if door.off:
        raise WerksError(f"{name}: {door.off}")
    batches = list(Pages(door, http, Span(stream.symbol, *span), name))
    return pa.concat_batches(batches) if batches else empty(door.schema)


def _same(one: Gap, other: Gap) -> bool:
    """Tell whether two gaps are one; of a whole day the reason may be told better."""
    first, second = ((each.stream, each.day, each.cause) for each in (one, other))
    return first == second and one.evidence.split(" (")[0] == other.evidence.split(" (")[0]
