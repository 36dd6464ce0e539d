"""Rows of one stream in their order: by timestamp, then by numeric id, else by their place.

Files that are in order pass through. What is found to run newest first, or out of order, is written
to a temporary Arrow file and read back in order, so memory stays bounded whatever the file's size.
"""

import os
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from .errors import DataError, WerksError
from .schema import nanoseconds, word

Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
# How many rows are sorted at once; a batch of trades of this size takes about 30 MB.
_ROWS = 1 << 17
# Groups of one timestamp that are larger are compared by sets instead of pair by pair.
_PAIRS = 16
_KEY = 8
_SECOND = 10**9
# How many stretches of missing ids are remembered.
_JUMPS = 100


class Unordered(Exception):  # noqa: N818  (a message between two rooms, no failure)
    """The rows are not in order: they must be read again and sorted."""


def numbers(ids: pa.Array, name: str) -> Rows:
    """Return trade ids that are whole numbers as integers; DataError if one is not."""
    try:
        return np.asarray(ids.cast(pa.int64()).to_numpy())
    except pa.ArrowInvalid as error:
        raise DataError(f"{name}: a trade id is not a whole number: {error}") from error


class Ascending:
    """Watches a stream's batches: raises Unordered where a row lies before the one above it."""

    def __init__(self, name: str, numeric: bool) -> None:
        self._name = name
        self._numeric = numeric
        self._last: tuple[int, int] | None = None

    def check(self, batch: pa.RecordBatch) -> None:
        """Raise Unordered unless the rows go on in order."""
        time = nanoseconds(batch["timestamp"])
        step = np.diff(time)
        ids = numbers(batch["trade_id"], self._name) if self._numeric else np.zeros(len(time), int)
        good = (step > 0) | ((step == 0) & (np.diff(ids) >= 0))
        first = (int(time[0]), int(ids[0]))
        if not good.all() or (self._last is not None and first < self._last):
            raise Unordered
        self._last = (int(time[-1]), int(ids[-1]))


@attrs.frozen
class Ids:
    """The numeric ids of a window: the least, the greatest, how many between them have not come.

    `jumps` are the first stretches that were left out: (first id, last id).
    """

    least: int
    most: int
    holes: int
    jumps: tuple[tuple[int, int], ...] = ()


class Holes:
    """Counts the ids that are left out among trades whose ids should be without a hole.

    `before` is the greatest id of the window before, None if that is not known.
    """

    def __init__(self, name: str, before: int | None = None) -> None:
        self._name = name
        self._rows = 0
        self._least: int | None = None
        self._most = before
        self._jumps: list[tuple[int, int]] = []

    @property
    def found(self) -> Ids | None:
        """What is known of the ids so far; None without a row."""
        if self._least is None or self._most is None:
            return None
        holes = self._most - self._least + 1 - self._rows
        return Ids(self._least, self._most, holes, tuple(self._jumps) if holes else ())

    def restore(self, found: Ids, rows: int) -> None:
        """Go on from what was found of so many rows."""
        self._least, self._most, self._rows = found.least, found.most, rows
        self._jumps = list(found.jumps)

    def count(self, batch: pa.RecordBatch) -> list[int]:
        """Take note of rows without repeats; return those before which ids are left out.

        DataError if an id comes again with another time: one of the two is no trade of its own.
        """
        ids = numbers(batch["trade_id"], self._name)
        before = int(ids[0]) - 1 if self._most is None else self._most
        steps = np.diff(ids, prepend=before)
        rows: list[int] = np.flatnonzero(steps > 1).tolist()
        # What is left out before the first row of all belongs to no window yet.
        for row in rows[self._least is None and rows[:1] == [0] :][: _JUMPS - len(self._jumps)]:
            self._jumps.append((int(ids[row] - steps[row]) + 1, int(ids[row]) - 1))
        least, most = int(ids.min()), int(ids.max())
        started = self._least is not None
        self._least = least if self._least is None else min(self._least, least)
        self._most = max(self._most, most) if started and self._most is not None else most
        self._rows += len(ids)
        again = ids[np.flatnonzero(steps[1:] == 0)]
        if len(again) or self._most - self._least + 1 < self._rows:
            which = f"the trade id {again[0]} comes" if len(again) else "trade ids come"
            raise DataError(f"{self._name}: {which} again with another time; fetch the file again")
        return rows


class Repeats:
    """Finds trades whose id was seen at the same timestamp; remembers that timestamp's ids only."""

    def __init__(self) -> None:
        self.found = 0
        self._time = -1
        self._ids: set[str] = set()

    def without(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the rows without those that repeat an earlier one of the same timestamp."""
        time = nanoseconds(batch["timestamp"])
        repeated = _repeated(time, batch["trade_id"])
        if time[0] == self._time:
            head = int(np.searchsorted(time, self._time, "right"))
            ids = batch["trade_id"].slice(0, head).to_pylist()
            repeated[:head] |= [name in self._ids for name in ids]
        if time[-1] != self._time:
            self._time, self._ids = int(time[-1]), set()
        tail = int(np.searchsorted(time, self._time))
        self._ids.update(batch["trade_id"].slice(tail).to_pylist())
        count = int(np.count_nonzero(repeated))
        self.found += count
        return batch.filter(pa.array(~repeated)) if count else batch


def _keys(ids: pa.Array) -> npt.NDArray[np.uint64]:
    """Return the last eight bytes of each id: what differs there differs."""
    offsets = np.frombuffer(ids.buffers()[1], np.int32)[ids.offset : ids.offset + len(ids) + 1]
    lengths = np.diff(offsets)
    used = np.frombuffer(ids.buffers()[2] or b"", np.uint8)[offsets[0] : offsets[-1]]
    length = int(lengths[0])
    if length >= _KEY and (lengths == length).all():
        return np.ndarray(len(ids), "<u8", used, length - _KEY, (length,)).copy()
    padded = np.concatenate((np.zeros(_KEY, np.uint8), used))
    words = np.ndarray(len(padded) - _KEY + 1, "<u8", padded, strides=(1,))
    short = np.maximum(_KEY - lengths, 0).astype(np.uint64)
    keys: npt.NDArray[np.uint64] = words[offsets[1:] - offsets[0]] >> (short * np.uint64(8))
    return keys


def _repeated(time: Rows, ids: pa.Array) -> Mask:
    """Mark the rows that have the id of an earlier row of the same timestamp."""
    repeated = np.zeros(len(time), bool)
    new = time[1:] != time[:-1]
    if new.all():
        return repeated
    starts = np.flatnonzero(np.append(True, new))
    sizes = np.diff(starts, append=len(time))
    keys = _keys(ids)
    for back in range(1, min(int(sizes.max()), _PAIRS)):
        rows = np.flatnonzero(keys[back:] == keys[:-back]) + back
        rows = rows[time[rows] == time[rows - back]]
        if len(rows):
            same = pc.equal(ids.take(pa.array(rows)), ids.take(pa.array(rows - back)))
            repeated[rows[same.to_numpy(zero_copy_only=False)]] = True
    for group in np.flatnonzero(sizes > _PAIRS):
        names = ids.slice(starts[group], sizes[group]).dictionary_encode().indices.to_numpy()
        _, firsts = np.unique(names, return_index=True)
        mask = np.ones(len(names), bool)
        mask[firsts] = False
        repeated[starts[group] : starts[group] + sizes[group]] |= mask
    return repeated


class Spool:
    """A temporary Arrow file of one stream's rows, read back in order a part at a time.

    A file most of whose steps go to an earlier time is taken backwards, so rows of one timestamp
    keep the order in which they happened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._out: Any = None
        self._writer: Any = None
        self._bounds: list[tuple[int, int]] = []
        self._seconds: Counter[int] = Counter()
        self._last: int | None = None
        self._forward = 0  # steps to a later time less those to an earlier one

    def add(self, batch: pa.RecordBatch) -> None:
        """Take rows as they come."""
        # An Arrow file has one dictionary a column, and a stream has one word there.
        for name in ("exchange", "symbol"):
            place, given = batch.schema.get_field_index(name), batch[name][0].as_py()
            field = batch.schema.field(place)
            batch = batch.set_column(place, field, word(given, len(batch)))
        try:
            if self._writer is None:
                self._out = pa.OSFile(str(self._path), "wb")
                self._writer = pa.ipc.new_file(self._out, batch.schema)
            self._writer.write_batch(batch)
        except OSError as error:
            why = os.strerror(error.errno) if error.errno else error
            raise WerksError(
                f"{self._path}: rows that are out of order cannot be sorted there: {why};"
                " make room or set TMPDIR"
            ) from error
        self._count(nanoseconds(batch["timestamp"]))

    def close(self) -> None:
        """End the taking of rows."""
        if self._writer is not None:
            self._writer.close()
            self._out.close()

    def _count(self, time: Rows) -> None:
        last = time[:1] if self._last is None else self._last
        self._forward += int(np.sign(np.diff(time, prepend=last)).sum())
        self._last = int(time[-1])
        self._bounds.append((int(time.min()), int(time.max())))
        seconds, counts = np.unique(time // _SECOND, return_counts=True)
        self._seconds.update(dict(zip(seconds.tolist(), counts.tolist(), strict=True)))

    def read(self, name: str, numeric: bool) -> Iterator[pa.RecordBatch]:
        """Yield all rows in order."""
        if not self._bounds:
            return
        backwards = self._forward < 0
        with pa.OSFile(str(self._path), "rb") as file:
            reader = pa.ipc.open_file(file)
            for begin, end in pairwise(self._edges()):
                parts = [
                    _between(reader.get_batch(number), begin, end, backwards)
                    for number, (least, most) in enumerate(self._bounds)
                    if least < end and begin <= most
                ]
                part = pa.concat_batches(parts[::-1] if backwards else parts)
                time = nanoseconds(part["timestamp"])
                ids = numbers(part["trade_id"], name) if numeric else np.zeros(len(time), int)
                yield part.take(pa.array(np.lexsort((ids, time))))

    def _edges(self) -> list[int]:
        """Return times that part the rows into stretches of `_ROWS`, a second at the least."""
        edges, rows = [min(self._seconds)], 0
        for second in sorted(self._seconds):
            if rows >= _ROWS:
                edges.append(second)
                rows = 0
            rows += self._seconds[second]
        return [edge * _SECOND for edge in (*edges, max(self._seconds) + 1)]


def _between(batch: pa.RecordBatch, begin: int, end: int, backwards: bool) -> pa.RecordBatch:
    time = nanoseconds(batch["timestamp"])
    rows = np.flatnonzero((time >= begin) & (time < end))
    return batch.take(pa.array(rows[::-1] if backwards else rows))
