"""Trades and aggregates as REST sends them, and their rows as columns."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from werks import amounts
from werks.errors import DataError
from werks.schema import times
from werks.wire import Times, decimals, epoch, ticks

from . import days
from .rest import MS

US = 1_000
# Spot's files are in milliseconds before that day; REST is cut to them, so that both agree.
_MICROSECONDS_SINCE = 1_735_689_600_000_000_000  # 2025-01-01
_LEAST_US = 10**14


class Trade(
    msgspec.Struct,
    gc=False,
    rename={"size": "qty", "sold": "isBuyerMaker"},
):
    """A trade of /historicalTrades; `sold` is whether the taker sold."""

    id: int
    price: str
    size: str
    time: int
    sold: bool


class Aggregate(
    msgspec.Struct,
    gc=False,
    rename={
        "id": "a",
        "price": "p",
        "size": "q",
        "time": "T",
        "sold": "m",
        "first": "f",
        "last": "l",
    },
):
    """An aggregate of /aggTrades with the ids of its first and last trade."""

    id: int
    price: str
    size: str
    time: int
    sold: bool
    first: int
    last: int

    @property
    def valid(self) -> bool:
        """Whether the audit of 2022 left it valid (else p and q are 0, f and l are -1)."""
        return self.first != -1 or self.last != -1


def instant(row: Trade | Aggregate) -> int:
    """Return a row's time in nanoseconds since 1970, whichever of its two units it is in."""
    return row.time * (US if row.time >= _LEAST_US else MS)


def instants(rows: Sequence[Trade | Aggregate], name: str) -> Times:
    """Return the times of a page, which has one unit, in nanoseconds since 1970."""
    micro = rows[0].time >= _LEAST_US
    found = epoch([row.time for row in rows], US if micro else MS, name)
    if micro and found[0] < _MICROSECONDS_SINCE:
        found = np.where(found < _MICROSECONDS_SINCE, found // MS * MS, found)
    return found


def columns(rows: Sequence[Trade | Aggregate], name: str) -> dict[str, Any]:
    """Return what trades and aggregates have in common."""
    price = decimals([row.price for row in rows], days.SCALES.price, name, "price")
    size = decimals([row.size for row in rows], days.SCALES.size, name, "qty")
    paid, sold = (amounts.ints(amounts.limbs(column)) for column in (price, size))
    return {
        "timestamp": times(instants(rows, name)),
        "trade_id": [str(row.id) for row in rows],
        "tick_rule": ticks([not row.sold for row in rows]),
        "price": price,
        "size": size,
        "notional": amounts.column(amounts.product(paid, sold), days.SCALES.notional),
    }


def fills(rows: Sequence[Aggregate], name: str) -> list[int]:
    """Return how many trades each aggregate is made of; DataError where that cannot be."""
    for row in rows:
        if not 0 <= row.first <= row.last:
            what = f"the aggregate {row.id} cannot have fills from {row.first} to {row.last}"
            raise DataError(f"{name}: {what}")
    return [row.last - row.first + 1 for row in rows]
