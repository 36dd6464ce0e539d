"""Blocks of plain lines of comma-separated text as typed columns, two to three times as fast.

A line is plain if nothing in it needs a closer look: no quotes, no carriage returns, as many fields
as the table has columns, text of ASCII, numbers of digits with at most one point. All commas and
line ends of a block are found at once, and each column is gathered from between them. A block with
a line that is not plain is not read here at all: `rows` hands it to the CSV reader of pyarrow,
which takes all that a table may hold and knows what it may not.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from .. import amounts
from ..schema import WORD
from .digits import ROOM, Ints, numbers

_COMMA, _END = ord(","), ord("\n")
_LONGEST_LINE = 1 << 16  # far below what the CSV reader of pyarrow takes
_LARGEST = 1 << 24  # bytes of a block: what is in it is counted in 32 bits
_PIECE = 1 << 20  # bytes that are looked through at once: they stay in the processor's cache
_SHORT, _FEW = 8, 6  # bytes of a short word, and how many words are few
# By the length of a word: all ones in what is not the word's own of its last eight bytes.
_FILLED = np.array([(1 << 8 * (8 - n)) - 1 for n in range(9)], np.uint64)
_LAST_OF_ASCII, _HIGHS = 0x7F, np.uint64(0x8080808080808080)
_MOST_DIGITS = 18  # the power of ten that 63 bits hold


@attrs.frozen
class Field:
    """The bytes between two separators, in every line of a block."""

    text: bytes
    begins: Ints
    ends: Ints

    @property
    def lengths(self) -> Ints:
        """The bytes of each."""
        return self.ends - self.begins


def plain(
    text: bytes, names: Sequence[str], wanted: Mapping[str, pa.DataType]
) -> pa.RecordBatch | None:
    """Return whole lines, between `ROOM` bytes on either side, as a batch; None if not plain."""
    fields = _fields(text, len(names))
    if fields is None:
        return None
    arrays = []
    for column, kind in wanted.items():
        at = names.index(column)
        array = _array(Field(text, fields[at] + 1, fields[at + 1]), kind)
        if array is None:
            return None
        arrays.append(array)
    return pa.RecordBatch.from_arrays(arrays, list(wanted))


def _fields(text: bytes, columns: int) -> Ints | None:
    """Return where the fields' separators are, shape (columns + 1, lines); None if not plain."""
    if columns == 1 or len(text) > _LARGEST or b'"' in text or b"\r" in text:
        return None
    letters = np.frombuffer(text, np.uint8)
    found, lines = _found(letters)
    if not lines or len(found) != lines * columns:
        return None
    fields = np.empty((columns + 1, lines), np.int64)
    fields[1:] = found.reshape(lines, columns).T
    fields[0, 0], fields[0, 1:] = ROOM - 1, fields[-1, :-1]
    if not (letters[fields[-1]] == _END).all() or (fields[-1] - fields[0]).max() > _LONGEST_LINE:
        return None
    return fields


def _found(letters: npt.NDArray[np.uint8]) -> tuple[Ints, int]:
    """Return where commas and line ends are, and how many line ends."""
    found, lines = [], 0
    for start in range(0, len(letters), _PIECE):
        piece = letters[start : start + _PIECE]
        ends = piece == _END
        lines += int(np.count_nonzero(ends))
        found.append(np.flatnonzero(np.bitwise_or(ends, piece == _COMMA, out=ends)) + start)
    return np.concatenate(found), lines


def _array(field: Field, kind: pa.DataType) -> pa.Array | None:
    if pa.types.is_decimal128(kind):
        if kind.precision != amounts.PRECISION or not 0 <= kind.scale <= _MOST_DIGITS:
            return None
        found = numbers(field.text, field.begins, field.ends, kind.scale)
        return amounts.column(found.limbs(), kind.scale) if found else None
    if kind == pa.int64():
        found = numbers(field.text, field.begins, field.ends, 0)
        return pa.array(found.values, kind) if found else None
    if kind == WORD:
        return _words(field)
    return _text(field) if kind == pa.string() else None


def _text(field: Field) -> pa.Array | None:
    lengths = field.lengths
    longest = int(lengths.max())
    if int(lengths.min()) < longest or not longest:
        texts = _uneven(field)
    else:
        letters = _windows(field, longest).view(np.uint8)
        texts = _strings(np.arange(0, len(letters) + 1, longest).astype(np.int32), letters)
    letters = np.frombuffer(texts.buffers()[2] or b"", np.uint8)
    return texts if not len(letters) or int(letters.max()) <= _LAST_OF_ASCII else None


def _uneven(field: Field) -> pa.Array:
    """Return a column of texts: every other one of those between all begins and ends."""
    rows = len(field.ends)
    offsets = np.empty((rows, 2), np.int32)
    offsets[:, 0], offsets[:, 1] = field.begins, field.ends
    every = _strings(offsets.reshape(-1), field.text)
    return every.take(pa.array(np.arange(0, 2 * rows, 2), pa.int64()))


def _strings(offsets: npt.NDArray[np.int32], letters: Any) -> pa.Array:
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(letters)]
    return pa.Array.from_buffers(pa.string(), len(offsets) - 1, buffers, 0)


def _words(field: Field) -> pa.Array | None:
    """Return a column of few words; those of up to 8 bytes are compared as integers."""
    lengths = field.lengths
    longest = int(lengths.max())
    if longest > _SHORT:
        texts = _text(field)
        return None if texts is None else texts.dictionary_encode()
    # What is not the word's own is filled with what no ASCII is, so that its length counts too.
    filled = _FILLED[longest] if int(lengths.min()) == longest else _FILLED.take(lengths)
    keys = _windows(field, _SHORT).view("<u8") | filled
    if ((keys ^ filled) & _HIGHS).any():
        return None
    codes, others, words = np.zeros(len(keys), np.int32), keys != keys[0], [_word(field, 0)]
    while others.any():
        if len(words) == _FEW:
            texts = _text(field)
            return None if texts is None else texts.dictionary_encode()
        at = int(np.argmax(others))
        words.append(_word(field, at))
        codes += others
        others &= keys != keys[at]
    return pa.DictionaryArray.from_arrays(codes, pa.array(words, pa.string()), safe=False)


def _word(field: Field, row: int) -> str:
    return field.text[field.begins[row] : field.ends[row]].decode()


def _windows(field: Field, size: int) -> npt.NDArray[Any]:
    """Return the last `size` bytes of each."""
    count = len(field.text) - size + 1
    windows: Any = np.ndarray((count,), f"V{size}", field.text, 0, (1,))
    found: npt.NDArray[Any] = windows[field.ends - size]
    return found
