"""The rows of a file, stream by stream and in order, whatever the order that they stand in."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pyarrow as pa

from ..order import Ascending, Spool, Unordered, numbers
from ..schema import nanoseconds
from ..scratch import scratch
from .tally import Tally

# Opens the rows of a file anew: (stream, rows) in the file's order.
Opened = Callable[[], AbstractContextManager[Iterator[tuple[str, pa.RecordBatch]]]]
Made = Callable[[str], Tally]
IN_ORDER, NEWEST_FIRST, UNORDERED = "in order", "newest first", "unordered"


def read(opened: Opened, made: Made, name: str, numeric: bool) -> dict[str, tuple[Tally, str]]:
    """Return the figures of each stream in a file, and what order its rows stand in.

    A file that is not in order is read again and sorted through a temporary file.
    """
    try:
        return _straight(opened, made, name, numeric)
    except Unordered:
        with scratch() as folder:
            return _sorted(opened, made, (name, numeric), folder)


def _straight(opened: Opened, made: Made, name: str, numeric: bool) -> dict[str, tuple[Tally, str]]:
    found: dict[str, tuple[Tally, str]] = {}
    watches: dict[str, Ascending] = {}
    with opened() as batches:
        for stream, batch in batches:
            if stream not in found:
                found[stream] = made(stream), IN_ORDER
                watches[stream] = Ascending(name, numeric)
            watches[stream].check(batch)
            found[stream][0].take(batch)
    return found


def _sorted(
    opened: Opened, made: Made, manner: tuple[str, bool], folder: Path
) -> dict[str, tuple[Tally, str]]:
    name, numeric = manner
    steps: dict[str, _Steps] = {}
    spools: dict[str, Spool] = {}
    with opened() as batches:
        for stream, batch in batches:
            if stream not in spools:
                spools[stream] = Spool(folder / f"{len(spools)}.arrow")
                steps[stream] = _Steps(name, numeric)
            steps[stream].count(batch)
            spools[stream].add(batch)
    found = {}
    for stream, spool in spools.items():
        spool.close()
        tally = made(stream)
        for batch in spool.read(name, numeric):
            tally.take(batch)
        found[stream] = tally, steps[stream].order
    return found


class _Steps:
    """Counts the steps from row to row, by time and then by id."""

    def __init__(self, name: str, numeric: bool) -> None:
        self._name, self._numeric = name, numeric
        self._last: tuple[int, int] | None = None
        self._forward = self._back = 0

    @property
    def order(self) -> str:
        """The order that the rows stand in."""
        if not self._back:
            return IN_ORDER
        return UNORDERED if self._forward else NEWEST_FIRST

    def count(self, batch: pa.RecordBatch) -> None:
        """Take note of rows."""
        time = nanoseconds(batch["timestamp"])
        ids = np.zeros(len(time), np.int64)
        if self._numeric:
            ids = numbers(batch["trade_id"], self._name)
        first = self._last or (int(time[0]), int(ids[0]))
        times, places = np.diff(time, prepend=first[0]), np.diff(ids, prepend=first[1])
        self._forward += int(np.count_nonzero((times > 0) | ((times == 0) & (places > 0))))
        self._back += int(np.count_nonzero((times < 0) | ((times == 0) & (places < 0))))
        self._last = int(time[-1]), int(ids[-1])
