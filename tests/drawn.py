"""A market drawn by a seed: many trades for a while, and some few on the days before."""

import numpy as np
import pyarrow as pa

from werks import amounts
from werks.schema import times

_SECOND = 10**9
_DAY = 86_400 * _SECOND
_MS = 10**6
# Of the trades of the quiet days before, so many come each hour.
_QUIET_AN_HOUR = 3


def drawn(symbol: str, begin: int, until: int, per_second: float = 1.0) -> pa.RecordBatch:
    """Return timestamp, tick_rule, price in cents, size in 1/1000 and notional, for `respelt`.

    Times rise in whole milliseconds, and one in five is that of the trade before. They begin with
    the day before that of `begin`.
    """
    draw = np.random.Generator(np.random.PCG64([ord(letter) for letter in symbol]))
    early = begin // _DAY * _DAY - _DAY
    quiet = draw.integers(early, begin, (begin - early) // (3600 * _SECOND) * _QUIET_AN_HOUR)
    busy = draw.integers(begin, until, int((until - begin) / _SECOND * per_second))
    moments = np.sort(np.concatenate([quiet, busy])) // _MS * _MS
    bought = draw.integers(0, 2, len(moments)) == 1
    for column in (moments, bought):
        column[1::5] = column[0::5][: len(column[1::5])]
    price = 60_000_00 + np.cumsum(draw.integers(-300, 301, len(moments)))
    size = draw.integers(1, 2000, len(moments))
    exact = {"price": (price, 2), "size": (size, 3), "notional": (price * size, 5)}
    return pa.record_batch(
        {
            "timestamp": times(moments),
            "tick_rule": pa.array(np.where(bought, 1, -1), pa.int8()),
            **{n: amounts.column(amounts.from_ints(of), scale) for n, (of, scale) in exact.items()},
        }
    )
