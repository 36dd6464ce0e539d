"""Rows as a plugin gives them, by any door: whether they are what it states, and can be true."""

from collections.abc import Container, Iterator
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from .amounts import limbs
from .errors import DataError
from .schema import nanoseconds
from .wire import FIRST_TIME

Mask = npt.NDArray[np.bool_]
# What every trade has.
_GIVEN = ("timestamp", "trade_id", "tick_rule", "price", "size", "notional")
_FLAGS = pa.array(["block", "liquidation", "off_book", "rpi"], pa.string())
# By how much an exchange's clock may be ahead of ours.
_AHEAD = 86_400 * 10**9
_MEND, _NO = "mend the plugin", pa.null()


class MisfitError(DataError):
    """A plugin gives what it does not state: asking again would not help, it is to be mended."""


@attrs.frozen
class Fault:
    """What is wrong with some rows, and what to do; `plain` rows have neither time nor id."""

    rows: Mask
    why: str
    advice: str = ""
    plain: bool = False

    def said(self, batch: pa.RecordBatch, advice: str = "") -> str:
        """Return the fault of the first row; `advice` where the plugin may not be to blame."""
        bad = int(np.argmax(self.rows))
        if self.plain:
            return f"row {bad + 1} of a batch {self.why}"
        stamp = np.datetime64(int(nanoseconds(batch["timestamp"])[bad]), "ns")
        named = "trade_id" in batch.schema.names
        what = f"the trade {batch['trade_id'][bad]}" if named else "the row"
        end = self.advice or advice
        return f"{what} of {stamp} {self.why}" + (f"; {end}" if end else "")


class Checked:
    """The rows that a door states that it gives."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        types = {field.name: field.type for field in schema}
        # Columns by their places, which is quicker than by their names: live batches are small.
        places = {name: place for place, name in enumerate(schema.names)}
        trades = "trade_id" in types
        given = [name for name in _GIVEN if name in types] if trades else _GIVEN[:1]
        self._given = [(name, places[name]) for name in given]
        self._time = places["timestamp"]
        # A component may give the wire's own words, in which a price is text.
        amounts = [name for name in ("price", "size") if pa.types.is_decimal(types.get(name, _NO))]
        self._amounts = [(name, places[name]) for name in amounts] if trades else []
        typed = {"trade_id": pa.string(), "tick_rule": pa.int8(), "flag": pa.string()}
        of = {name: places[name] for name, wanted in typed.items() if types.get(name) == wanted}
        found = [of.get(name) if trades else None for name in typed]
        self._ids, self._rules, self._flags = found
        looked = [*(place for _, place in (*self._given, *self._amounts)), *found]
        self._looked_at = sorted({place for place in looked if place is not None})

    def fits(self, batch: Any) -> bool:
        """Tell whether this is a batch with the columns that are stated."""
        return isinstance(batch, pa.RecordBatch) and batch.schema.equals(self._schema)

    def require(self, batch: Any, name: str) -> None:
        """Raise MisfitError unless this is a batch with the columns that are stated."""
        if self.fits(batch):
            return
        if not isinstance(batch, pa.RecordBatch):
            what = type(batch).__name__
            raise MisfitError(f"{name}: a RecordBatch is expected, not a {what}: {_MEND}")
        raise MisfitError(f"{name}: {self._misfit(batch.schema)}: {_MEND}")

    def _misfit(self, given: pa.Schema) -> str:
        stated = self._schema
        for field in stated:
            if given.names.count(field.name) != 1:
                often = "more than once" if field.name in given.names else "not there"
                return f"{field.name} is {often}, the plugin states {field.type}"
            found = given.field(field.name)
            if not found.equals(field):
                what, wanted = (_type(each) for each in (found, field))
                return f"{field.name} is {what}, the plugin states {wanted}"
        extra = [name for name in given.names if name not in stated.names]
        if extra:
            return f"{', '.join(extra)} is there, which the plugin does not state"
        return f"the columns are {', '.join(given.names)}, stated as {', '.join(stated.names)}"

    def faults(self, batch: pa.RecordBatch, now: int | None = None) -> Iterator[Fault]:
        """Yield what cannot be true of the rows of a batch that is not empty.

        With the time that it is `now`, in ns since 1970, they may not be later, or before 2009.
        """
        columns = {place: batch.column(place) for place in self._looked_at}
        for name, place in self._given:
            if columns[place].null_count:
                rows = columns[place].is_null().to_numpy(zero_copy_only=False)
                yield Fault(rows, f"has no {name}: the plugin is to give one", plain=True)
        if now is not None and not columns[self._time].null_count:
            time = _numbers(columns[self._time])
            wrong = (time < FIRST_TIME) | (time > now + _AHEAD)
            if np.count_nonzero(wrong):
                yield Fault(wrong, "has a time before 2009 or after now: in another unit?")
        if self._ids is not None:
            empty = _empty(columns[self._ids])
            if np.count_nonzero(empty):
                yield Fault(empty, "has no id")
        flagged = None if self._flags is None else columns[self._flags]
        if flagged is not None and flagged.null_count == len(batch):
            flagged = None
        yield from self._signs(columns, flagged)
        if flagged is not None:
            yield from _flags(flagged)

    def _signs(self, columns: dict[int, pa.Array], flagged: pa.Array | None) -> Iterator[Fault]:
        for name, place in self._amounts:
            values = limbs(columns[place])
            high, low = values[:, 1], values[:, 0]
            if np.count_nonzero(high < 0) or np.count_nonzero(low == 0):
                wrong = (high < 0) | ((low == 0) & (high == 0))
                wrong &= columns[place].is_valid().to_numpy(zero_copy_only=False)
                if flagged is not None:
                    wrong &= flagged.is_null().to_numpy(zero_copy_only=False)
                if wrong.any():
                    yield Fault(wrong, f"has a {name} that is not above 0")
        if self._rules is not None and not columns[self._rules].null_count:
            rules = columns[self._rules].to_numpy()
            beyond = (rules < -1) | (rules > 1)
            if np.count_nonzero(beyond):
                yield Fault(beyond, "has a tick_rule beyond -1, 0 and 1", _MEND)


def symbol_of(batch: pa.RecordBatch, name: str, asked: Container[str]) -> str:
    """Return the one symbol of rows; MisfitError if they are of none, several, or of another."""
    column = batch["symbol"]
    # As a rule there is one word, and no need to look at the rows.
    known = isinstance(column, pa.DictionaryArray) and not column.null_count
    words = column.dictionary if known and len(column.dictionary) == 1 else column.unique()
    found = words.to_pylist()
    if len(found) != 1 or found[0] is None:
        raise MisfitError(f"{name}: rows of {found} in one batch, not of one symbol: {_MEND}")
    if found[0] not in asked:
        raise MisfitError(f"{name}: rows of {found[0]!r}, which was not asked for: {_MEND}")
    return str(found[0])


def _numbers(column: pa.Array) -> npt.NDArray[np.int64]:
    return np.frombuffer(column.buffers()[1], np.int64, len(column), 8 * column.offset)


def _empty(column: pa.Array) -> Mask:
    """Return which texts are empty, or null."""
    ends = np.frombuffer(column.buffers()[1], np.int32, len(column) + 1, 4 * column.offset)
    found: Mask = ends[1:] == ends[:-1]
    return found


def _flags(column: pa.Array) -> Iterator[Fault]:
    known = pc.or_(pc.is_in(column, _FLAGS), pc.is_null(column))
    odd = ~known.to_numpy(zero_copy_only=False)
    if odd.any():
        words = ", ".join(_FLAGS.to_pylist())
        yield Fault(odd, f"has a flag that is none of {words}", _MEND)


def _type(field: pa.Field) -> str:
    return f"{field.type}{'' if field.nullable else ' not null'}"
