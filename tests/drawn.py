"""A market drawn by a seed: many trades for a while, and some few on the days before."""

import numpy as np
import pyarrow as pa

_SECOND = 10**9
_DAY = 86_400 * _SECOND
_MS = 10**6
# Of the trades of the quiet days before, so many come each hour.
_QUIET_AN_HOUR = 3


def drawn(symbol: str, begin: int, until: int, per_second: float = 1.0) -> pa.RecordBatch:
    """Return times in ns since 1970, whether the taker bought, prices in cents, sizes in 1/1000.

    Times rise in whole milliseconds, and one in five is that of the trade before. They begin with
    the day before that of `begin`.
    """
    draw = np.random.Generator(np.random.PCG64([ord(letter) for letter in symbol]))
    early = begin // _DAY * _DAY - _DAY
    quiet = draw.integers(early, begin, (begin - early) // (3600 * _SECOND) * _QUIET_AN_HOUR)
    busy = draw.integers(begin, until, int((until - begin) / _SECOND * per_second))
    times = np.sort(np.concatenate([quiet, busy])) // _MS * _MS
    bought = draw.integers(0, 2, len(times)) == 1
    for column in (times, bought):
        column[1::5] = column[0::5][: len(column[1::5])]
    price = 60_000_00 + np.cumsum(draw.integers(-300, 301, len(times)))
    size = draw.integers(1, 2000, len(times))
    columns = {"time": times, "bought": bought, "price": price, "size": size}
    return pa.record_batch({name: pa.array(column) for name, column in columns.items()})
