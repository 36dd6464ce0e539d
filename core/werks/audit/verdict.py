"""What was found in a file."""

from datetime import date
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from ..amounts import decimal
from .tally import Tally

# The source of files that one of our own sinks has written.
OWN = "werks"


@attrs.define
class Verdict:
    """What one file holds of one symbol, and what is wrong with it (`problems`).

    `start` and `stop` are the days that the file's name states, `stop` exclusive; None where it
    states none, as that of an open remainder. `source` is the type of the door that read the file,
    or `werks` for one of our own. `order` is `in order`, `newest first` or `unordered`. `least` and
    `most` are the trade ids at either end where ids can prove something.
    """

    path: Path
    source: str = ""
    kind: str = ""
    exchange: str = ""
    symbol: str = ""
    start: date | None = None
    stop: date | None = None
    rows: int = 0
    order: str = ""
    repeats: int = 0
    missing_ids: int | None = None
    first_time: str = ""
    last_time: str = ""
    least: int | None = None
    most: int | None = None
    sums: dict[str, str] = attrs.field(factory=dict)
    checksum: str = ""
    candles: str = ""
    problems: list[str] = attrs.field(factory=list)
    notes: list[str] = attrs.field(factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def take(self, tally: Tally, order: str) -> None:
        """Take over the figures of the rows."""
        self.rows, self.order, self.repeats = tally.rows, order, tally.repeats
        self.first_time, self.last_time = (_iso(time) for time in tally.span or (None, None))
        self.sums = {name: _plain(value, tally.scales[name]) for name, value in tally.sums.items()}
        found = tally.ids.found if tally.ids else None
        if found is not None:
            self.least, self.most = found.least, found.most
            self.missing_ids = found.holes if tally.contiguous else None
        self.problems += tally.problems
        self.notes += tally.notes

    def plain(self) -> dict[str, Any]:
        """Return it as data that JSON can hold."""
        data = attrs.asdict(self)
        days = {name: data[name] and str(data[name]) for name in ("start", "stop")}
        return {**data, **days, "path": str(self.path), "ok": self.ok}


def _iso(nanoseconds: int | None) -> str:
    return "" if nanoseconds is None else f"{np.datetime64(nanoseconds, 'ns')}Z"


def _plain(value: int, scale: int) -> str:
    text = format(decimal(value, scale), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
