"""The options of bars."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

import attrs
import pyarrow as pa

from ...amounts import scaled
from ...components import Seam, State, Step, option
from ...options import Amount, duration
from ...schema import scales, schema
from ..columns import DAY, only
from .step import Making
from .threshold import Threshold
from .time import Clock

Period = Literal["never", "day", "week", "month", "quarter", "year"]


@attrs.frozen
class Bars:
    """Makes bars by time, or by a threshold of ticks, volume (base) or notional (quote).

    Time bars are right-open, in UTC, labelled by their start, counted from midnight. A threshold
    bar closes with the row that brings its sum to `every` or above. Open is the first trade's
    price. The bar that is still open at the end of what was read has `complete = false`.
    """

    by: Literal["time", "ticks", "volume", "notional"] = option(help="what closes a bar")
    every: Amount = option(help='a duration ("1m", "4h", "1d") by time, else an amount')
    overshoot: Literal["absorb", "carry"] = option(
        "absorb", help="whether what a row brings beyond the threshold counts for the next bar"
    )
    reset: Period = option("never", help="the UTC boundary at which a threshold bar is cut off")
    adaptive: dict[str, int] | None = option(
        None,
        help="{days = 7, per_day = 50}: the threshold that gives so many bars over the last days",
    )
    empty: Literal["omit", "carry"] = option(
        "omit", help="whether a time without trades gives a bar at the last close"
    )

    def __attrs_post_init__(self) -> None:
        if self.by == "time":
            self._check_time()
        else:
            self._check_threshold()

    def _check_time(self) -> None:
        width = duration(self.every, "every")
        if width > DAY and width % DAY:
            raise ValueError(f"every: beyond 1d whole days are expected, not {self.every}")
        if (self.overshoot, self.reset, self.adaptive) != ("absorb", "never", None):
            raise ValueError('overshoot, reset and adaptive are not for by = "time"')

    def _check_threshold(self) -> None:
        if isinstance(self.every, str) or self.every <= 0:
            raise ValueError(f"every: a number above 0 is expected, not {self.every!r}")
        if self.by == "ticks" and self.every != int(self.every):
            raise ValueError(f"every: a whole number of ticks is expected, not {self.every}")
        if self.empty != "omit":
            raise ValueError('empty is for by = "time" only')
        if self.adaptive is not None and (
            set(self.adaptive) != {"days", "per_day"} or min(self.adaptive.values()) < 1
        ):
            raise ValueError("adaptive: {days = 7, per_day = 50} is expected, both above 0")

    @property
    def seam(self) -> Seam:
        """`day` where no bar crosses midnight and nothing else is carried over it."""
        if self.by == "time":
            return (
                "day" if self.empty == "omit" and duration(self.every, "every") <= DAY else "never"
            )
        return "day" if self.reset == "day" and not self.adaptive else "never"

    def output(self, schemas: Mapping[str, pa.Schema]) -> pa.Schema:
        """Return BAR with the scales of what comes in."""
        return schema("BAR", scales(only(schemas, "bars")))

    def start(self, schemas: Mapping[str, pa.Schema], state: State | None) -> Step:
        """Return a step, going on with the bar that a state holds open."""
        output = self.output(schemas)
        if self.by == "time":
            clock = Clock(output, duration(self.every, "every"), self.empty == "carry")
            return Making(output, clock, state)
        scale = 0 if self.by == "ticks" else output.field(self.by).type.scale
        every = scaled(Decimal(self.every), scale)
        days = (self.adaptive["days"], self.adaptive["per_day"]) if self.adaptive else None
        rule = Threshold(self.by, every, self.overshoot == "carry", self.reset, days)
        return Making(output, rule, state)
