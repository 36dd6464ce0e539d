"""The check of what was read against what the exchange itself says: its minutes.

Minutes of ours are folded while a window is read, kept in the ledger, and compared once the
exchange's candles are final. The result is true, false with the differences, or unknown.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa

from ..components import Http, Stream, Window
from ..errors import WerksError
from ..history import Pages, Span
from ..ledger import Gap, Ledger
from ..schema import empty
from .compare import Comparison, Facts, compare
from .minutes import Minutes, unpacked

__all__ = ["Comparison", "Facts", "Minutes", "Verifier", "compare", "unpacked"]

_DAY = 86_400 * 10**9
Told = Callable[[Stream, date, str], None]


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
        try:
            theirs = self._candles(stream, day, door)
        except WerksError as error:
            self.unknown(stream, day, f"no candles: {error}")
            return None
        if not len(theirs) and len(ours):
            self.unknown(stream, day, "the exchange has no candles of this day")
            return None
        return self._judge(stream, day, compare(ours, theirs, Facts.of(door)))

    def _judge(self, stream: Stream, day: date, found: Comparison) -> bool:
        wrong = {each.minute for each in found.differences}
        good = not wrong
        why = f"{found.minutes - len(wrong):,} of {found.minutes:,} minutes are equal"
        self._ledger.checked(stream, day, good, why, found.differences)
        if good:
            self._ledger.settle(stream, day, "mismatch", "repaired")
            return True
        first = found.differences[0]
        at = datetime.fromtimestamp(first.minute // 10**9, UTC)
        evidence = (
            f"first at {at:%H:%M}: {first.field} {first.ours}, the exchange has {first.theirs}"
            f"{f' ({first.reason})' if first.reason else ''}"
        )
        cause = f"{len(wrong):,} minutes differ from the exchange's candles"
        gap = Gap(stream, day, "mismatch", cause, evidence, len(wrong), "suspected")
        self._ledger.found([gap])
        if self._hooks is not None:
            window = Window(stream.exchange, stream.symbol, day)
            self._hooks.werks_mismatch_found(
                stream=stream, window=window, cause=f"{cause}; {evidence}"
            )
        return False

    def _too_early(self, day: date, door: Any) -> str:
        final = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
        final += door.settled
        return "" if self._now >= final else f"candles are not final before {final:%Y-%m-%d %H:%M}"

    def _candles(self, stream: Stream, day: date, door: Any) -> pa.RecordBatch:
        begin = (day - date(1970, 1, 1)).days * _DAY
        name = f"{stream} {day} candles"
        if door.off:
            raise WerksError(f"{name}: {door.off}")
        batches = list(Pages(door, self._http, Span(stream.symbol, begin, begin + _DAY), name))
        return pa.concat_batches(batches) if batches else empty(door.schema)
