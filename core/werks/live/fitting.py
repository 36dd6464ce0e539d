"""Rows that a feed makes of messages: those that are what it states go on, of one stream or not."""

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from ..checked import Checked, MisfitError, symbol_of
from ..components import Feed
from .inbox import Arrived, Failed, Told

# So often in a row rows of a symbol are set aside before its stream ends.
_MOST_ASIDE = 5


class Fitting:
    """Looks at a feed's rows, for all conversations that one connection has after one another."""

    def __init__(self, number: int, feed: Feed, keep: Callable[[str, bytes, str], None]) -> None:
        self._number, self._name, self._keep = number, feed.url, keep
        self._checked = Checked(feed.schema)
        self._aside: Counter[str] = Counter()
        # The symbols whose streams have ended: it is told already.
        self._ended: set[str] = set()

    def fitted(
        self, given: Any, asked: Collection[str], received: int
    ) -> Iterator[tuple[str, Arrived | Failed | Told]]:
        """Yield (symbol, what is to be told) of rows that came up to a time, in ns since 1970.

        Rows that cannot be true are kept aside and told as missed; those of other columns than the
        feed states, or that are wrong again and again, end their stream, and no other. MisfitError
        if it cannot be told of which stream they are.
        """
        if not isinstance(given, list | tuple):
            what = f"a list of batches is expected, not a {type(given).__name__}"
            raise MisfitError(f"{self._name}: {what}: mend the plugin")
        for batch in given:
            fits = self._checked.fits(batch)
            if not fits and not _has_symbol(batch):
                self._checked.require(batch, self._name)  # which says what is wrong
            if not len(batch):
                continue
            symbol = symbol_of(batch, self._name, asked)
            if symbol not in self._ended:
                looked = self._looked if fits else self._misfit
                for item in looked(symbol, batch, received):
                    yield symbol, item

    def _misfit(self, symbol: str, batch: pa.RecordBatch, _: int) -> Iterator[Failed]:
        try:
            self._checked.require(batch, f"{self._name}: {symbol}")
        except MisfitError as error:
            yield self._failed(symbol, error)

    def _looked(
        self, symbol: str, batch: pa.RecordBatch, received: int
    ) -> Iterator[Arrived | Failed | Told]:
        faults = list(self._checked.faults(batch, received))
        if not faults:
            self._aside.pop(symbol, None)
            yield Arrived(self._number, batch)
            return
        why = f"{self._name}: {symbol}: {faults[0].said(batch)}"
        wrong = np.logical_or.reduce([fault.rows for fault in faults])
        self._keep(self._name, _text(batch.filter(pa.array(wrong))), why)
        self._aside[symbol] += 1
        if self._aside[symbol] > _MOST_ASIDE:
            yield self._failed(symbol, MisfitError(why))
            return
        yield Told(self._number, symbol, "missed", why)
        if not wrong.all():
            yield Arrived(self._number, batch.filter(pa.array(~wrong)))

    def _failed(self, symbol: str, error: MisfitError) -> Failed:
        self._ended.add(symbol)
        return Failed(self._number, (symbol,), error, every=True)


def _text(rows: pa.RecordBatch) -> bytes:
    """Return rows as text for who mends what is wrong with them, times in ns since 1970."""
    found = {}
    for name, column in zip(rows.schema.names, rows.columns, strict=True):
        timed = pa.types.is_timestamp(column.type)
        found[name] = (column.view(pa.int64()) if timed else column.cast(pa.string())).to_pylist()
    return json.dumps(found).encode()


def _has_symbol(batch: Any) -> bool:
    """Tell whether it can be told of which symbol rows are, whatever else is wrong with them."""
    if not isinstance(batch, pa.RecordBatch) or batch.schema.names.count("symbol") != 1:
        return False
    return bool(pa.types.is_dictionary(batch.schema.field("symbol").type))
