"""Columns of text as typed columns, with errors that name the file and the row.

The archive's rows are read as text and typed once the symbols that nobody asked for are gone: an
odd number in another market's row cannot stop a day.
"""

from collections.abc import Callable
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from werks.errors import DataError, MessageError
from werks.schema import times
from werks.wire import lengths

# `2018-12-05D00:00:25`; a fraction of up to nine digits may follow (nine until 2024, since then
# nine, six or none).
_SECONDS = 19
_DIGITS = 38
_TIME = pa.timestamp("ns")


@attrs.frozen(eq=False)
class Rows:
    """Rows of a file: their numbers, the header line being row 1, and their columns of text."""

    name: str
    numbers: npt.NDArray[np.int64]
    block: pa.RecordBatch

    def __getitem__(self, column: str) -> pa.Array:
        return self.block[column]

    def __len__(self) -> int:
        return len(self.numbers)

    def typed(self, column: str, kind: pa.DataType, text: pa.Array | None = None) -> pa.Array:
        """Return a column in another type; MessageError names the row that is not of that type."""
        text = self[column] if text is None else text
        try:
            return text.cast(kind)
        except pa.ArrowInvalid as error:
            bad = _first_bad(text, kind)
            where, shown = f"{self.name}: row {self.numbers[bad]}", self[column][bad].as_py()[:80]
            raise MessageError(f"{where}: {column} cannot be {shown!r}: {_words(kind)}") from error

    def rounded(self, column: str, digits: int) -> pa.Array:
        """Return a column of any decimal text, half-even rounded to so many digits."""
        kind = pa.decimal128(38, digits)
        try:
            if lengths(self[column]).max(initial=0) < _DIGITS:
                return self[column].cast(kind)
        except pa.ArrowInvalid:
            pass  # there is something to be rounded, or said below
        # Floats of the archive have up to 17 digits and may be as small as 1e-08: 36 hold them all.
        exact = self.typed(column, pa.decimal256(76, 36))
        return pc.round(exact, digits, "half_to_even").cast(kind)

    def moments(self, column: str) -> pa.Array:
        """Return times such as `2018-12-05D00:00:25.948313000` as a timestamp column, exactly."""
        self.check(
            pc.greater_equal(pc.binary_length(self[column]), _SECONDS),
            lambda bad: f"{column} cannot be {self[column][bad].as_py()[:80]!r}: {_words(_TIME)}",
        )
        spaced = pc.replace_substring(self[column], "D", " ", max_replacements=1)
        stamps = self.typed(column, _TIME, spaced)
        return times(stamps.view(pa.int64()).to_numpy())

    def check(self, good: Any, say: Callable[[int], str]) -> None:
        """Raise DataError for the first row that is not good; `say` tells what is wrong with it."""
        good = np.asarray(good)
        if not good.all():
            bad = int(np.argmin(good))
            raise DataError(f"{self.name}: row {self.numbers[bad]}: {say(bad)}")


def _first_bad(text: pa.Array, kind: pa.DataType) -> int:
    """Return the first row that is not of a type, one of them being known not to be."""
    low, high = 0, len(text)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            text.slice(low, middle - low).cast(kind)
            low = middle
        except pa.ArrowInvalid:
            high = middle
    return low


def _words(kind: pa.DataType) -> str:
    if pa.types.is_timestamp(kind):
        return "a time such as 2018-12-05D00:00:25.948313000 is expected"
    if pa.types.is_decimal(kind) and kind.scale == 0:
        return "a whole number is expected"
    if pa.types.is_decimal128(kind):
        return f"a number with at most {kind.scale} digits after the point is expected"
    return "a number is expected"
