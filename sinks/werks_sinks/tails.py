"""The end of the newest of files that grow: rows are written to it until it is full."""

import os
from collections.abc import Callable
from io import FileIO
from pathlib import Path

import numpy as np
import pyarrow as pa

from werks.schema import nanoseconds

from .disk import naming, sync
from .journal import Piece
from .lines import Spelling, ends
from .rotation import Ints, Rotation


class Tails:
    """Writes rows to the end of a file, and to the next ones as they become full.

    `pieces` tells what was written. All of it is durable when this is left without an error.
    """

    def __init__(
        self, place: Path, spelling: Spelling, rotation: Rotation, name: Callable[[int], str]
    ) -> None:
        self.pieces: list[Piece] = []
        self._place, self._spelling, self._rotation, self._name = place, spelling, rotation, name
        self._file: FileIO | None = None
        self._begin = self._size = 0
        self._period: int | None = None
        self._path, self._head = place, 0

    def __enter__(self) -> "Tails":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._settle()
        elif self._file:
            self._file.close()

    def go_on(self, name: str, size: int, began: int) -> None:
        """Open a file that is there, has so many bytes and begins with a row of that time."""
        self._path = self._place / name
        with naming(self._path):
            self._file = FileIO(self._path, "r+")
            self._file.truncate(size)
            self._file.seek(size)
        self._begin = self._size = size
        self._period = int(self._periods([began])[0])

    def put(self, batch: pa.RecordBatch) -> None:
        """Write rows, to as many files as they need."""
        lines, times = self._spelling.lines(batch), nanoseconds(batch["timestamp"])
        stops, periods, data = ends(lines), self._periods(times), memoryview(lines)
        row = start = 0
        self._head = len(self._spelling.head(batch.schema))
        while row < len(batch):
            until = row + self._room(stops[row:], periods[row:], start)
            if until == row:
                self._next(batch.schema, int(times[row]), int(periods[row]))
                continue
            stop = int(stops[until - 1])
            self._write(data[start:stop])
            row, start = until, stop

    def _periods(self, times: Ints | list[int]) -> Ints:
        """Return the latest period up to each row: a file is never gone back to."""
        found = self._rotation.periods(np.asarray(times, np.int64))
        if self._period is not None:
            found = np.maximum(found, self._period)
        latest: Ints = np.maximum.accumulate(found)
        return latest

    def _room(self, stops: Ints, periods: Ints, start: int) -> int:
        """Return how many of the rows belong into the file; a new one takes at least a row."""
        if self._file is None or self._period is None:
            return 0
        rows = int(np.searchsorted(periods, self._period, "right"))
        if self._rotation.limit is not None:
            left = start + self._rotation.limit - self._size
            rows = min(rows, int(np.searchsorted(stops, left, "right")))
        return rows or int(self._size <= self._head)

    def _next(self, schema: pa.Schema, time: int, period: int) -> None:
        self._settle()
        self._path = self._place / self._name(time)
        with naming(self._path):
            self._file = FileIO(self._path, "w")
            sync(self._place)
        self._size, self._period = 0, period
        self._write(memoryview(self._spelling.head(schema)))
        self._begin = self._size

    def _write(self, data: memoryview) -> None:
        assert self._file  # noqa: S101  (`_next` or `go_on` has opened it)
        with naming(self._path):
            done = 0
            while done < len(data):  # a disk that is almost full takes a part, then says so
                done += self._file.write(data[done:])
        self._size += len(data)

    def _settle(self) -> None:
        if self._file is None:
            return
        with naming(self._path):
            os.fsync(self._file.fileno())
            self._file.close()
        if self._size > self._begin:
            self.pieces.append((self._path.name, self._begin, self._size))
        self._file = None
