"""Batches of one symbol each, out of rows that were heard of many symbols."""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from itertools import compress
from typing import Any

import numpy as np
import pyarrow as pa

from werks.errors import DataError, MessageError
from werks.wire import Times

# The rows of one symbol, and when they came, as a batch; the address is for errors.
Build = Callable[[str, Sequence[Any], Times, str], pa.RecordBatch]
# A number of JSON, exactly; whole ones are read faster so.
Number = int | Decimal
_SHOWN = 200


def batches(
    heard: Sequence[Any], received: Sequence[int], build: Build, url: str
) -> tuple[list[pa.RecordBatch], MessageError | None]:
    """Return the batches, rows in order, and what was wrong with the rows that were left out."""
    symbols = [row.symbol for row in heard]
    moments = np.array(received, np.int64)
    found: list[pa.RecordBatch] = []
    wrong: list[str] = []
    for symbol in (several := dict.fromkeys(symbols)):
        rows, at = heard, moments
        if len(several) > 1:
            of_it = np.array([each == symbol for each in symbols])
            rows, at = list(compress(heard, of_it)), moments[of_it]
        found += _built(symbol, rows, at, (build, url, wrong))
    if not wrong:
        return found, None
    more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
    return found, MessageError(f"{wrong[0]}{more}")


def _built(
    symbol: str, rows: Sequence[Any], moments: Times, how: tuple[Build, str, list[str]]
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a symbol; where that fails, those of each half, down to the faulty row."""
    build, url, wrong = how
    try:
        yield build(symbol, rows, moments, url)
    except (DataError, MessageError) as error:
        half = len(rows) // 2
        if half:
            yield from _built(symbol, rows[:half], moments[:half], how)
            yield from _built(symbol, rows[half:], moments[half:], how)
        else:
            wrong.append(f"{error}: {str(rows[0])[:_SHOWN]}")
