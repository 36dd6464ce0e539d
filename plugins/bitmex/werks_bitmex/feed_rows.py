"""Batches of one symbol each, out of rows that were heard of many symbols."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import compress
from typing import Any

import numpy as np
import pyarrow as pa

from werks.errors import DataError, MessageError
from werks.schema import word
from werks.wire import Times

# The rows of one symbol, and when they came, as a batch; the address is for errors. Without a
# symbol: rows of several, DataError if one of them cannot do without.
Build = Callable[[str, Sequence[Any], Times, str], pa.RecordBatch]
# A number of JSON, exactly; whole ones are read faster so.
Number = int | Decimal
_SHOWN = 200


def batches(
    heard: Sequence[Any], received: Sequence[int], build: Build, url: str, together: bool = False
) -> tuple[list[pa.RecordBatch], MessageError | None]:
    """Return the batches, rows in order, and what was wrong with the rows that were left out.

    With `together`, rows of all symbols are built at once, if that can be done: the columns of a
    batch cost as much as those of some hundred rows.
    """
    symbols = [row.symbol for row in heard]
    moments = np.array(received, np.int64)
    found: list[pa.RecordBatch] = []
    wrong: list[str] = []
    several = _counted(symbols)
    if together and len(several) > 1:
        order = sorted(range(len(heard)), key=symbols.__getitem__)
        try:
            whole = build("", [heard[at] for at in order], moments[order], url)
        except (DataError, MessageError):
            pass  # which row it is, and what it is called, is seen by symbol
        else:
            return list(_parted(whole, several)), None
    for symbol in several:
        rows, at = heard, moments
        if len(several) > 1:
            of_it = np.array([each == symbol for each in symbols])
            rows, at = list(compress(heard, of_it)), moments[of_it]
        found += _built(symbol, rows, at, (build, url, wrong))
    if not wrong:
        return found, None
    more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
    return found, MessageError(f"{wrong[0]}{more}")


def _counted(symbols: list[str]) -> Mapping[str, int]:
    """Return how often each symbol is there; that it is only one shows faster."""
    if not symbols:
        return {}
    one, rows = symbols[0], len(symbols)
    return {one: rows} if symbols.count(one) == rows else Counter(symbols)


def _parted(whole: pa.RecordBatch, counts: Mapping[str, int]) -> Iterator[pa.RecordBatch]:
    """Yield the rows of each symbol, which stand together in the order of their names."""
    place, start = whole.schema.get_field_index("symbol"), 0
    for symbol, count in sorted(counts.items()):
        named = word(symbol, count)
        yield whole.slice(start, count).set_column(place, whole.schema.field(place), named)
        start += count


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
