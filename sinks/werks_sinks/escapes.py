"""Text that PostgreSQL cannot keep, as text that it can: it knows no character of code 0.

U+E000, which no standard gives a meaning, begins an escape: with a 0 behind it stands for the
character of code 0, with a 1 for itself. All other text stays as it is.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_ESCAPE = "\ue000"
_FIRST = _ESCAPE.encode()[0]
_PAIRS = ((_ESCAPE, f"{_ESCAPE}1"), ("\0", f"{_ESCAPE}0"))


def escaped(text: str) -> str:
    """Return a text as it is kept."""
    for given, kept in _PAIRS:
        text = text.replace(given, kept)
    return text


def original(text: str) -> str:
    """Return a text that is kept as it was given."""
    for given, kept in reversed(_PAIRS):
        text = text.replace(kept, given)
    return text


def escape(column: pa.Array) -> pa.Array:
    """Return a column of text as it is kept."""
    _, ends, data = column.buffers()
    if data is None or not len(column):
        return column
    offsets = np.frombuffer(ends, np.int32)
    begin, end = offsets[column.offset], offsets[column.offset + len(column)]
    raw = np.frombuffer(data, np.uint8)[begin:end]
    # The first byte of U+E000 begins other characters too, but none that are usual here.
    if raw.all() and not (raw == _FIRST).any():
        return column
    return _replaced(column, *_PAIRS)


def restore(column: pa.Array) -> pa.Array:
    """Return a column of text that is kept as it was given."""
    if not pc.any(pc.match_substring(column, _ESCAPE)).as_py():
        return column
    return _replaced(column, *((kept, given) for given, kept in reversed(_PAIRS)))


def _replaced(column: pa.Array, *pairs: tuple[str, str]) -> pa.Array:
    for old, new in pairs:
        column = pc.replace_substring(column, old, new)
    return column
