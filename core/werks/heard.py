"""What was heard on a connection becomes rows, one symbol a batch.

What a plugin's websocket parsers share: rows of all symbols are built at once and then cut, for the
columns of a batch cost as much as those of some hundred rows. What was heard is kept by symbol
(`Heard`, `flush`) or in the order in which it came (`batches`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Protocol

import attrs
import numpy as np
import pyarrow as pa

from .errors import DataError, MessageError
from .schema import batch, times, word
from .wire import Times

# Makes rows of what was heard, which an error calls by a symbol, and when (ns since 1970).
Build = Callable[[Sequence[Any], str, Sequence[int]], pa.RecordBatch]
# Payloads of many symbols, and when they came, as columns; the address is for errors. `exchange`,
# `symbol` and `received` come besides.
Columns = Callable[[Sequence[Any], Times, str], dict[str, Any]]
_SHOWN = 200


@attrs.define(eq=False)
class Heard:
    """What was heard of a symbol since the last flush, and the last that was flushed.

    `wrong` is what no row could be made of the last time.
    """

    symbol: str
    kept: list[Any] = attrs.field(factory=list, init=False)
    received: list[int] = attrs.field(factory=list, init=False)
    flushed: Any = attrs.field(default=None, init=False)
    wrong: list[Any] = attrs.field(factory=list, init=False)

    @property
    def last(self) -> Any:
        """What was heard last; None if there is nothing yet."""
        return self.kept[-1] if self.kept else self.flushed

    def clear(self) -> None:
        """Forget all but the last."""
        self.flushed = self.last
        self.kept, self.received = [], []

    def sift(self, build: Build) -> list[str]:
        """Take out what no row can be made of, and return why."""
        kept, received = self.kept, self.received
        self.kept, self.received, self.wrong = [], [], []
        return self._sifted(kept, received, build)

    def _sifted(self, kept: list[Any], received: list[int], build: Build) -> list[str]:
        """Keep what rows can be made of; where that fails, each half is tried for itself."""
        if not kept:
            return []
        try:
            build(kept, self.symbol, received)
        except (DataError, MessageError) as error:
            half = len(kept) // 2
            if half:
                first = self._sifted(kept[:half], received[:half], build)
                return first + self._sifted(kept[half:], received[half:], build)
            self.wrong += kept
            return [str(error)]
        self.kept += kept
        self.received += received
        return []


def flush(heard: Iterable[Heard], build: Build) -> list[pa.RecordBatch]:
    """Return what was heard as rows, one symbol a batch, and forget it.

    MessageError where numbers or times are none: they are taken out, and what is left comes with
    the next call.
    """
    full = [each for each in heard if each.kept]
    if not full:
        return []
    kept = [each for part in full for each in part.kept]
    received = [at for part in full for at in part.received]
    try:
        rows = build(kept, full[0].symbol, received)
    except (DataError, MessageError) as error:
        wrong = [why for part in full for why in part.sift(build)]
        raise MessageError("; ".join(wrong[:3]) or str(error)) from error
    if len(full) == 1:
        full[0].clear()
        return [rows]
    place, batches, start = rows.schema.get_field_index("symbol"), [], 0
    for part in full:
        cut = rows.slice(start, len(part.kept))
        start += len(cut)
        symbol = word(part.symbol, len(cut))
        batches.append(cut.set_column(place, rows.schema.field(place), symbol))
        part.clear()
    return batches


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
