"""Rows folded into bars, whatever decides where a bar ends."""

import operator

import numpy as np
import numpy.typing as npt

from ...amounts import added
from ..carry import Folded, How, Layout, Row, earlier, later, merged
from ..columns import Columns, ends, words
from ..variance import between, realized

_HOW: How = {
    **dict.fromkeys(("exchange", "symbol", "timestamp", "open", "first_trade_id"), earlier),
    **dict.fromkeys(("end", "close", "last_trade_id"), later),
    **dict.fromkeys(
        ("volume", "notional", "buy_volume", "buy_notional", "ticks", "buy_ticks"), operator.add
    ),
    "high": max,
    "low": min,
    "realized_variance": operator.add,
    "complete": operator.and_,
}


def fold(
    cells: Columns,
    begins: npt.NDArray[np.int64],
    complete: npt.NDArray[np.bool_],
    layout: Layout,
) -> Folded:
    """Return a bar for each group of rows; `timestamp` and `end` are its trades' times."""
    closes = ends(begins, len(cells))
    columns = words(cells.source) | {
        "timestamp": cells.time[begins],
        "end": cells.time[closes],
        "open": cells.open[begins],
        "high": np.maximum.reduceat(cells.high, begins),
        "low": np.minimum.reduceat(cells.low, begins),
        "close": cells.price[closes],
        "volume": cells.size.sums(begins),
        "notional": cells.notional.sums(begins),
        "buy_volume": cells.buy_size.sums(begins),
        "buy_notional": cells.buy_notional.sums(begins),
        "ticks": added(cells.ticks, begins),
        "buy_ticks": added(cells.buy_ticks, begins),
        "realized_variance": realized(cells.price, begins),
        "first_trade_id": cells.first_ids(begins),
        "last_trade_id": cells.last_ids(closes),
        "complete": complete,
    }
    return Folded(layout, columns)


def join(one: Row, other: Row, price: int) -> Row:
    """Return the bar that two bars make; `price` is that of the other's first row."""
    bar = merged(one, other, _HOW)
    bar["realized_variance"] += between(one["close"], price)
    return bar
