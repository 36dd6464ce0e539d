"""The proof of rows: their number, ids, sums and a hash, folded batch by batch.

The hash is SHA-256 over one SHA-256 a column. A column's hash runs over a byte a row that tells
whether there is a value; over the values that are there, integers, decimals and times in little
endian, text by its lengths (32 bits); and over the bytes of text. Words go by their runs: length
of the word and of the run (64 bits). So neither the cut into batches nor how words are encoded
makes a difference, and every bit of a row does.
"""

import hashlib
from typing import Any

import numpy as np
import pyarrow as pa

from .amounts import decimal, from_ints, limbs, total
from .components import Proof

_SUMMED = ("size", "volume", "notional", "total_size", "total_notional", "ticks", "trades")


class Digest:
    """Folds the rows of one node and window to their proof."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._columns = [_Column(field) for field in schema]
        self._sums = dict.fromkeys((name for name in _SUMMED if name in schema.names), 0)
        self._rows = 0
        self._first: str | None = None
        self._last: str | None = None

    def add(self, batch: pa.RecordBatch) -> None:
        """Take rows, in order."""
        if not len(batch):
            return
        if not self._rows:
            self._first = _id(batch, 0, "trade_id", "first_trade_id")
        self._last = _id(batch, len(batch) - 1, "last_trade_id", "trade_id")
        self._rows += len(batch)
        for hashed, column in zip(self._columns, batch.columns, strict=True):
            hashed.add(column)
        for name in self._sums:
            self._sums[name] += _total(batch[name])

    def proof(self) -> Proof:
        """Return the proof of all rows so far."""
        whole = hashlib.sha256()
        for hashed in self._columns:
            whole.update(hashed.digest())
        sums = {name: self._text(name, value) for name, value in self._sums.items()}
        return Proof(self._rows, self._first, self._last, sums, f"sha256:{whole.hexdigest()}")

    def _text(self, name: str, value: int) -> str:
        of = self._schema.field(name).type
        return format(decimal(value, of.scale), "f") if pa.types.is_decimal(of) else str(value)


class _Column:
    """The hash of a column: whether there are values, the values, and the text behind them."""

    def __init__(self, field: pa.Field) -> None:
        self._name = field.name.encode()
        self._valid, self._values, self._data = (hashlib.sha256() for _ in range(3))
        self._is_word = pa.types.is_dictionary(field.type)
        self._run: tuple[str, int] = ("", 0)

    def add(self, column: pa.Array) -> None:
        rows = len(column)
        if column.null_count:
            self._valid.update(_bytes(column.is_valid().cast(pa.uint8()).to_numpy()))
            column = column.drop_null()
        else:
            self._valid.update(b"\1" * rows)
        if self._is_word:
            self._add_words(column)
        elif pa.types.is_string(column.type):
            self._add_text(column)
        elif len(column):
            self._values.update(_fixed(column))

    def digest(self) -> bytes:
        self._end_run()
        parts = (self._valid, self._values, self._data)
        return hashlib.sha256(self._name + b"".join(part.digest() for part in parts)).digest()

    def _add_text(self, column: pa.Array) -> None:
        _, ends, data = column.buffers()
        offsets = np.frombuffer(ends, np.int32)[column.offset : column.offset + len(column) + 1]
        self._values.update(_bytes(np.diff(offsets)))
        if data is not None and len(offsets):
            self._data.update(memoryview(data)[offsets[0] : offsets[-1]])

    def _add_words(self, column: pa.Array) -> None:
        """Hash words by their runs: those of a window hardly change."""
        if not len(column):
            return
        if len(column.dictionary) == 1:
            self._add_run(column.dictionary[0].as_py(), len(column))
            return
        places = column.indices.to_numpy()
        starts = np.concatenate([[0], np.flatnonzero(np.diff(places)) + 1])
        lengths = np.diff(np.append(starts, len(places)))
        words = column.dictionary.to_pylist()
        for place, length in zip(places[starts].tolist(), lengths.tolist(), strict=True):
            self._add_run(words[place], length)

    def _add_run(self, word: str, length: int) -> None:
        if self._run[1] and word == self._run[0]:
            self._run = (word, self._run[1] + length)
        else:
            self._end_run()
            self._run = (word, length)

    def _end_run(self) -> None:
        word, length = self._run
        if length:
            self._values.update(_bytes(np.array([len(word.encode()), length], "<u8")))
            self._data.update(word.encode())
        self._run = ("", 0)


def _fixed(column: pa.Array) -> memoryview:
    """Return the values of a column without nulls as they stand in memory."""
    if pa.types.is_decimal(column.type):
        return _bytes(limbs(column))
    if pa.types.is_timestamp(column.type):
        column = column.view(pa.int64())
    elif pa.types.is_boolean(column.type):
        column = column.cast(pa.uint8())
    return _bytes(column.to_numpy())


def _bytes(values: Any) -> memoryview:
    whole: Any = np.ascontiguousarray(values)
    return memoryview(whole).cast("B")


def _total(column: pa.Array) -> int:
    if column.null_count:
        column = column.drop_null()
    if pa.types.is_decimal(column.type):
        return total(limbs(column)) if len(column) else 0
    return total(from_ints(column.to_numpy().astype(np.int64))) if len(column) else 0


def _id(batch: pa.RecordBatch, row: int, *names: str) -> str | None:
    """Return the id in a row, by the first of these columns that is there."""
    for name in names:
        if name in batch.schema.names:
            value: str | None = batch[name][row].as_py()
            return value
    return None
