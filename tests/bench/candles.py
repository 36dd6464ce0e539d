"""Writes the candles of a day's file as Bybit's REST interface (v5) gives them, newest first.

They are folded from the file by NumPy and not by werks: that both agree is a result.
"""

import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

_MINUTE = 60
# What the files that are generated here have: tenths of a dollar as two digits, thousandths.
_PRICE, _SIZE = 2, 3
_DIGITS = (_PRICE, _PRICE, _PRICE, _PRICE, _SIZE, _PRICE + _SIZE)


def candles(path: Path) -> list[list[str]]:
    """Return the candles of a linear contract's day: each opens at the close before it."""
    kinds = dict.fromkeys(("timestamp", "price", "size"), pa.float64())
    options = pacsv.ConvertOptions(include_columns=list(kinds), column_types=kinds)
    day = pacsv.read_csv(pa.input_stream(str(path), compression="gzip"), convert_options=options)
    price, size = _units(day["price"], _PRICE), _units(day["size"], _SIZE)
    starts = day["timestamp"].to_numpy().astype(np.int64) // _MINUTE * _MINUTE
    first = np.flatnonzero(np.diff(starts, prepend=-1))
    close = price[np.append(first[1:], len(starts)) - 1]
    columns = (
        np.append(price[0], close[:-1]),
        np.maximum.reduceat(price, first),
        np.minimum.reduceat(price, first),
        close,
        np.add.reduceat(size, first),
        np.add.reduceat(price * size, first),
    )
    texts = [_texts(column, digits) for column, digits in zip(columns, _DIGITS, strict=True)]
    times = [str(1000 * start) for start in starts[first].tolist()]
    return [list(row) for row in zip(times, *texts, strict=True)][::-1]


def _units(column: Any, digits: int) -> Any:
    """Return amounts of few digits, which floats tell apart, as whole numbers."""
    return np.rint(column.to_numpy() * 10**digits).astype(np.int64)


def _texts(values: Any, digits: int) -> list[str]:
    return [str(Decimal(value).scaleb(-digits)) for value in values.tolist()]


def main() -> None:
    """Write the candles of one day."""
    Path(sys.argv[2]).write_text(json.dumps(candles(Path(sys.argv[1]))), encoding="utf-8")


if __name__ == "__main__":
    main()
