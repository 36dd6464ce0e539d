"""Batches of one symbol each, out of payloads that were heard of many symbols."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from werks.errors import DataError, MessageError
from werks.schema import batch, times, word
from werks.wire import Times

# Payloads of many symbols, and when they came, as columns; the address is for errors. `exchange`,
# `symbol` and `received` come besides.
Columns = Callable[[Sequence[Any], Times, str], dict[str, Any]]
_SHOWN = 200


class Manner(Protocol):
    """How payloads, each with a `symbol`, become rows."""

    @property
    def url(self) -> str:
        """The address, which errors name."""
        ...

    @property
    def exchange(self) -> str:
        """The market's name."""
        ...

    @property
    def schema(self) -> pa.Schema:
        """The schema of the rows."""
        ...

    @property
    def columns(self) -> Columns:
        """What makes columns of payloads."""
        ...


def batches(
    heard: Sequence[Any], received: Sequence[int], spelt: Mapping[str, str], manner: Manner
) -> tuple[list[pa.RecordBatch], MessageError | None]:
    """Return the rows, in order and one symbol a batch, and what was wrong with those left out.

    Columns are made once for all symbols. Where that fails, each half is tried for itself, down to
    the payload that cannot be a row. `spelt` tells how a symbol was asked for.
    """
    symbols = [each.symbol for each in heard]
    moments = np.array(received, np.int64)
    if len(set(symbols)) > 1:
        order = sorted(range(len(heard)), key=symbols.__getitem__)
        heard, moments = [heard[at] for at in order], moments[order]
        symbols.sort()
    found: list[pa.RecordBatch] = []
    wrong: list[str] = []
    for part, columns in _made(heard, moments, manner, wrong):
        whole = len(part) == len(symbols)
        named = symbols if whole else [each.symbol for each in part]
        found += _parted(named, columns, spelt, manner)
    if not wrong:
        return found, None
    more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
    return found, MessageError(f"{wrong[0]}{more}")


def _made(
    heard: Sequence[Any], moments: Times, manner: Manner, wrong: list[str]
) -> Iterator[tuple[Sequence[Any], dict[str, Any]]]:
    """Yield payloads and their columns; say of each that cannot be a row why."""
    if not heard:
        return
    try:
        columns = manner.columns(heard, moments, manner.url)
    except (DataError, MessageError) as error:
        half = len(heard) // 2
        if half:
            yield from _made(heard[:half], moments[:half], manner, wrong)
            yield from _made(heard[half:], moments[half:], manner, wrong)
        else:
            wrong.append(f"{error}: {str(heard[0])[:_SHOWN]}")
        return
    if "received" in manner.schema.names:
        columns["received"] = times(moments)
    yield heard, columns


def _parted(
    symbols: Sequence[str], columns: dict[str, Any], spelt: Mapping[str, str], manner: Manner
) -> Iterator[pa.RecordBatch]:
    """Yield a batch for each symbol; those of one symbol stand together."""
    rows = len(symbols)
    exchange = word(manner.exchange, rows)
    if symbols[0] == symbols[-1]:
        symbol = word(spelt[symbols[0]], rows)
        yield batch(manner.schema, exchange=exchange, symbol=symbol, **columns)
        return
    # A symbol's place among the columns is told once all are there.
    whole = batch(manner.schema, exchange=exchange, symbol=word("", rows), **columns)
    place, start = manner.schema.names.index("symbol"), 0
    for symbol, group in groupby(symbols):
        count = sum(1 for _ in group)
        part = whole.slice(start, count)
        yield part.set_column(place, manner.schema.field(place), word(spelt[symbol], count))
        start += count
