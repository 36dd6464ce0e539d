"""The words of JSON answers as columns: numbers and times, exactly as they were written.

What a plugin's REST and websocket parsers share. Errors name the address and the row, counted from
1 in the order of the answer.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from .errors import DataError, MessageError

Number = str | Decimal | int
Times = npt.NDArray[np.int64]

# Bitcoin's first day and the year 2100, in nanoseconds since 1970.
FIRST_TIME, LAST_TIME = 1_230_940_800_000_000_000, 4_102_444_800_000_000_000
# What nanoseconds in 64 bits can hold.
_FIRST_YEAR, _LAST_YEAR = 1678, 2261
_DIGITS = 38
_NEW_LINE, _ASCII, _ZULU = 10, 127, ord("Z")
# Holds each number of less than 38 digits, however small, before it is rounded.
_WIDE = pa.decimal256(76, 36)
_EXACT = Context(prec=2 * _DIGITS)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
# A time to the second with its Z; of texts so long, pyarrow takes no others that end with Z.
_SHORTEST = len("2024-01-01T12:00:00Z")
_ISO = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]00:?00)?", re.ASCII)


def decimals(
    values: Sequence[Number | None] | pa.Array,
    scale: int,
    name: str,
    column: str,
    rounded: bool = False,
) -> pa.Array:
    """Return numbers, or a column of text, as a `decimal128(38, scale)` column; None is null.

    DataError names the row of what is no number or has more digits than `scale`; with `rounded`,
    such a number is rounded half-even instead (for floats with noise, as candles have them).
    """
    written = _texts(values)
    kind, longest = pa.decimal128(_DIGITS, scale), int(lengths(written).max(initial=0))
    try:
        if longest < _DIGITS:
            return written.cast(kind)
    except pa.ArrowInvalid:
        pass  # rounded or said below, with the row
    try:
        if rounded and longest < _DIGITS:
            exact = written.cast(_WIDE)
            return pc.round(exact, scale, "half_to_even").cast(kind)
    except pa.ArrowInvalid:
        pass
    values = values.to_pylist() if isinstance(values, pa.Array) else values
    step = Decimal(1).scaleb(-scale)
    found = [_decimal(value, step, (name, column, row)) for row, value in enumerate(values, 1)]
    if not rounded:
        for row, (value, made) in enumerate(zip(values, found, strict=True), 1):
            if made is not None and made != Decimal(str(value)):
                what = f"{column} {value} has more than {scale} digits after the point"
                raise DataError(f"{name}: row {row}: {what}; update the plugin")
    return pa.array(found, pa.decimal128(_DIGITS, scale))


def texts(tokens: Sequence[msgspec.Raw]) -> list[str]:
    """Return JSON's tokens of numbers as they were written."""
    joined = b"\n".join(tokens).decode("ascii", "replace").split("\n")
    if len(joined) == len(tokens):
        return joined
    return [bytes(each).decode("ascii", "replace") for each in tokens]  # a list over some lines


def literals(tokens: Sequence[msgspec.Raw]) -> pa.Array:
    """Return JSON's tokens of numbers as a column of text, as they were written."""
    joined = b"\n".join(tokens)
    letters = np.frombuffer(joined, np.uint8)
    ends = np.flatnonzero(letters == _NEW_LINE)
    # Neither a token over some lines nor a text that no letter of ASCII tells is a number.
    if len(ends) != len(tokens) - 1 or letters.max(initial=0) > _ASCII:
        return pa.array(texts(tokens), pa.string())
    bounds = np.empty(len(tokens) + 1, np.int32)
    bounds[0], bounds[-1] = 0, len(joined) - len(ends)
    bounds[1:-1] = ends - np.arange(len(ends))
    data = joined.replace(b"\n", b"")
    return pa.StringArray.from_buffers(len(tokens), pa.py_buffer(bounds), pa.py_buffer(data))


def lengths(column: pa.Array) -> npt.NDArray[np.int32]:
    """Return how many bytes each text has; a null has none."""
    # A kernel for this, and one for its greatest, would cost more than a small batch.
    bounds = np.frombuffer(column.buffers()[1] or b"\0\0\0\0", np.int32)
    return np.diff(bounds[column.offset : column.offset + len(column) + 1])


def _texts(values: Sequence[Number | None] | pa.Array) -> pa.Array:
    """Return numbers as they are spelt: text as it is, which is most of what exchanges send."""
    if isinstance(values, pa.Array):
        return values
    try:
        return pa.array(values, pa.string())
    except pa.ArrowTypeError:  # there is a number
        return pa.array([None if value is None else str(value) for value in values], pa.string())


def _decimal(value: Number | None, step: Decimal, at: tuple[str, str, int]) -> Decimal | None:
    if value is None:
        return None
    try:
        good = _NUMBER.fullmatch(str(value)) is not None
        made = Decimal(str(value)).quantize(step, ROUND_HALF_EVEN, _EXACT) if good else None
    except InvalidOperation:
        made = None
    if made is None or len(made.as_tuple().digits) > _DIGITS:
        name, column, row = at
        what = f"{column} cannot be {str(value)[:80]!r}: a number is expected"
        raise DataError(f"{name}: row {row}: {what}")
    return made


def epoch(values: Sequence[int], unit: int, name: str) -> Times:
    """Return whole numbers of `unit` nanoseconds each as nanoseconds since 1970.

    DataError names the row whose time does not lie between 2009 and 2100: it is in another unit.
    """
    if set(map(type, values)) - {int}:  # told at once; then which one it is
        for row, value in enumerate(values, 1):
            if not isinstance(value, int):
                raise DataError(f"{name}: row {row}: the timestamp cannot be {str(value)[:80]!r}")
    try:
        numbers = np.fromiter(values, np.int64, len(values))
    except OverflowError as error:
        raise DataError(f"{name}: a timestamp is too great to be one") from error
    good = (numbers >= FIRST_TIME // unit) & (numbers < LAST_TIME // unit)
    if not good.all():
        row = int(np.argmin(good))
        what = f"timestamp {numbers[row]} is not a time in units of {unit} ns"
        raise DataError(f"{name}: row {row + 1}: {what}")
    return numbers * unit


def iso(texts: Sequence[str], name: str) -> Times:
    """Return ISO 8601 times in UTC, with up to nine decimals of a second, as nanoseconds.

    MessageError names the row of a text that is none. A time without a zone is taken for UTC.
    """
    if (plain := _plain(texts)) is not None:
        return plain
    seconds: list[str] = []
    parts: list[int] = []
    for row, text in enumerate(texts, 1):
        found = _ISO.fullmatch(text) if isinstance(text, str) else None
        if found is None or not _FIRST_YEAR <= int(text[:4]) <= _LAST_YEAR:
            raise MessageError(f"{name}: row {row}: {str(text)[:80]!r} is not a time in UTC")
        day, clock, fraction, _ = found.groups()
        seconds.append(f"{day}T{clock}")
        parts.append(int((fraction or "0").ljust(9, "0")))
    try:
        whole = np.array(seconds, "datetime64[ns]").view(np.int64)
    except ValueError as error:
        raise MessageError(f"{name}: {error}") from error
    return np.asarray(whole + np.array(parts, np.int64), np.int64)


def _plain(texts: Sequence[str]) -> Times | None:
    """Return times that all are as exchanges mostly write them; None if one is not."""
    try:
        column = pa.array(texts, pa.string())
        if not len(column) or column.null_count or lengths(column).min() < _SHORTEST:
            return None
        bounds, data = (column.buffers()[place] for place in (1, 2))
        ends = np.frombuffer(bounds, np.int32)[1 : len(column) + 1] - 1
        if (np.frombuffer(data, np.uint8)[ends] != _ZULU).any():
            return None
        times = column.cast(pa.timestamp("ns", "UTC")).view(pa.int64()).to_numpy()
    except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeEncodeError):
        return None
    return np.array(times, np.int64)


def utc(nanoseconds: int) -> datetime:
    """Return a time as a datetime in UTC; what is below a microsecond is cut."""
    seconds, rest = divmod(nanoseconds, 10**9)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000)


def ticks(bought: Sequence[bool | None]) -> npt.NDArray[np.int8]:
    """Return tick rules: +1 where the taker bought, −1 where the taker sold, 0 for None."""
    try:
        return np.frombuffer(bytes(bought), np.int8) * np.int8(2) - np.int8(1)  # type: ignore[arg-type]
    except TypeError:  # there is a None
        return np.array([0 if each is None else 1 if each else -1 for each in bought], np.int8)
