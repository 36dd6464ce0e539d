"""Rows of a stream that wait: in memory while they are few, else on disk, read back in order."""

from collections.abc import Iterable

import attrs
import numpy as np
import pyarrow as pa

from ..live.spool import Kept, Spool
from ..schema import nanoseconds
from .place import Known

# How many rows of all streams of a source wait in memory.
_MOST = 50_000
# How many rows are written at once, and read back at once; eight times as many go on at once.
_PIECE = 1 << 13
_PIECES = 8
# So many batches are made one.
_SMALL = 256


class Shelf:
    """Where the rows of several streams wait: `most` in memory, the others on disk by pieces."""

    def __init__(self, spool: Spool | None = None, most: int = _MOST, piece: int = _PIECE) -> None:
        self.spool, self._most, self.piece = spool or Spool(), most, piece
        self._fresh: dict[Held, int] = {}
        self._rows = 0

    @property
    def full(self) -> str:
        """Why no more rows may wait; empty if they may."""
        return self.spool.why if self._rows > self._most else ""

    def is_largest(self, held: "Held") -> bool:
        """Tell whether no other stream has as many rows in memory."""
        return max(self._fresh, key=self._fresh.__getitem__, default=None) is held

    def note(self, held: "Held", rows: int) -> None:
        """Take note of how many rows of a stream are in memory; the largest makes room."""
        self._rows += rows - self._fresh.pop(held, 0)
        if rows:
            self._fresh[held] = rows
        while self._rows > self._most and not self.spool.why:
            largest = max(self._fresh, key=self._fresh.__getitem__)
            self._rows -= self._fresh.pop(largest)
            largest.spill()


@attrs.define(eq=False)
class _Piece:
    """Rows in order, in memory or on disk: their times, their numbers, how early they came."""

    batch: pa.RecordBatch | None
    kept: Kept | None
    times: tuple[int, int]
    numbers: tuple[int, int]
    turn: tuple[int, int]
    rows: int


class Held:
    """The rows of one stream that wait, each id once; none of them has gone on."""

    def __init__(self, known: Known, shelf: Shelf) -> None:
        self._known, self._shelf = known, shelf
        self._fresh: list[pa.RecordBatch] = []
        self._pieces: list[_Piece] = []
        self._turn = self._small = self._in_memory = 0

    def __bool__(self) -> bool:
        return bool(self._fresh or self._pieces)

    def __len__(self) -> int:
        return sum(map(len, self._fresh)) + sum(piece.rows for piece in self._pieces)

    def add(self, batch: pa.RecordBatch) -> None:
        """Take rows as they come."""
        self._fresh.append(batch)
        self._small += 1
        if self._small == _SMALL:
            self._fresh[-_SMALL:] = [pa.concat_batches(self._fresh[-_SMALL:])]
            self._small = 0
        self._in_memory += len(batch)
        self._shelf.note(self, self._in_memory)

    def clear(self) -> None:
        """Give up all rows."""
        for piece in self._pieces:
            if piece.kept is not None:
                self._shelf.spool.drop(piece.kept)
        self._fresh, self._pieces, self._small = [], [], 0
        self._note()

    def put_back(self, batch: pa.RecordBatch) -> None:
        """Take rows again that `next` has given."""
        if not len(batch):
            return
        if self._pieces:
            self._pieces += self._cut(batch, -1)
        else:
            self._fresh.insert(0, batch)
        self._note()

    def next(self) -> pa.RecordBatch:
        """Return the first rows in their order, all there are of each time; there must be one."""
        if not self._pieces:
            rows = self._known.ordered(self._fresh)
            self._fresh, self._small = [], 0
        else:
            self._settle()
            rows = self._merged()
        self._note()
        return rows

    def first(self) -> pa.RecordBatch:
        """Return the first row; there must be one."""
        rows = self.next()
        self.put_back(rows)
        return rows.slice(0, 1)

    def earliest(self) -> int:
        """Return the earliest time among the rows, in ns; there must be one."""
        fresh = (int(nanoseconds(each["timestamp"]).min()) for each in self._fresh)
        return min([*fresh, *(piece.times[0] for piece in self._pieces)])

    def newest(self) -> int:
        """Return the latest time among the rows, in ns; 0 if there is none."""
        fresh = (int(nanoseconds(each["timestamp"]).max()) for each in self._fresh)
        return max([*fresh, *(piece.times[1] for piece in self._pieces)], default=0)

    def least(self) -> int:
        """Return the least number among the rows; there must be one."""
        fresh = [self._known.least(self._fresh)] if self._fresh else []
        return min([*fresh, *(piece.numbers[0] for piece in self._pieces)])

    def forget(self) -> None:
        """Leave out the rows that have gone on meanwhile, by another way."""
        self._fresh, self._small = list(self._new(self._fresh)), 0
        pieces, self._pieces = self._pieces, []
        for piece in pieces:
            if self._is_new(piece):
                self._pieces.append(piece)
                continue
            for rows in self._new([self._load(piece)]):
                self._pieces += self._cut(rows, *piece.turn)
        self._note()

    def spill(self) -> None:
        """Put all rows on disk, as far as there is room."""
        self._settle()
        for piece in self._pieces:
            if piece.batch is not None:
                piece.kept = self._shelf.spool.put(piece.batch)
                piece.batch = piece.batch if piece.kept is None else None
        self._count()

    def _count(self) -> None:
        pieces = sum(piece.rows for piece in self._pieces if piece.batch is not None)
        self._in_memory = pieces + sum(map(len, self._fresh))

    def _note(self) -> None:
        self._count()
        self._shelf.note(self, self._in_memory)

    def _new(self, batches: Iterable[pa.RecordBatch]) -> Iterable[pa.RecordBatch]:
        left = (self._known.without(batch, True) for batch in batches)
        return (batch for batch in left if len(batch))

    def _is_new(self, piece: _Piece) -> bool:
        """Tell whether all rows of a piece are new for sure."""
        last = self._known.last
        if self._known.counts and last.number is not None:
            return piece.numbers[0] > last.number
        return piece.times[0] > last.time

    def _settle(self) -> None:
        """Put what came since the last time in order, in pieces."""
        if self._fresh:
            rows, self._fresh = self._known.ordered(self._fresh), []
            self._turn, self._small = self._turn + 1, 0
            self._pieces += self._cut(rows, self._turn)

    def _cut(self, rows: pa.RecordBatch, turn: int, at: int = 0) -> Iterable[_Piece]:
        size = self._shelf.piece
        for begin in range(0, len(rows), size):
            part = rows.slice(begin, size)
            time, ids = nanoseconds(part["timestamp"]), np.zeros(1, np.int64)
            if self._known.counts:
                ids = self._known.numbers(part)
            times, numbers = (int(time[0]), int(time[-1])), (int(ids.min()), int(ids.max()))
            yield _Piece(part, None, times, numbers, (turn, at + begin), len(part))

    def _load(self, piece: _Piece) -> pa.RecordBatch:
        """Return the rows of a piece, which is on disk no longer."""
        if piece.kept is not None:
            piece.batch, kept = self._shelf.spool.get(piece.kept), piece.kept
            piece.kept = None
            self._shelf.spool.drop(kept)
        return piece.batch

    def _merged(self) -> pa.RecordBatch:
        """Return the first rows of pieces that may overlap; the others stay."""
        pieces = sorted(self._pieces, key=lambda each: each.times[0])
        most, count, rows = _PIECES * self._shelf.piece, 0, 0
        for piece in pieces:
            if rows >= most and piece.times[0] > pieces[0].times[0]:
                break
            count, rows = count + 1, rows + piece.rows
        taken, self._pieces = pieces[:count], pieces[count:]
        parts = []
        for piece in sorted(taken, key=lambda each: each.turn):
            batch, (turn, at) = self._load(piece), piece.turn
            if count < len(pieces):
                edge = pieces[count].times[0]
                end = int(np.searchsorted(nanoseconds(batch["timestamp"]), edge))
                self._pieces += self._cut(batch.slice(end), turn, at + end)
                batch = batch.slice(0, end)
            parts.append(batch)
        return self._known.ordered(parts)
