"""How far a stream has come, and which rows it knows already."""

from collections.abc import Sequence

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..components import Continuity
from ..order import numbers
from ..schema import nanoseconds

# Doors may print the time of one trade differently, in floats or in whole milliseconds; where ids
# tell the order, a time that goes back so little is no disorder.
_GRAIN = 1_000_000
# Ids that are not numbers are remembered this far back, as a snapshot repeats some of them.
_RECENT = 4096


@attrs.frozen
class Hole:
    """Rows that are missing and cannot be had now: why, where, how many if ids tell, since when."""

    cause: str
    evidence: str
    missing: int | None
    since: int | None = None


@attrs.frozen
class Place:
    """The last row's time in ns, its number, the ids of that time."""

    time: int
    number: int | None = None
    ids: frozenset[str] = frozenset()


class Known:
    """The rows of a stream that have gone on: everything up to `last`, and nothing behind it."""

    def __init__(self, name: str, continuity: Continuity, last: Place) -> None:
        self.last = last
        self.counts = continuity == "contiguous"
        self._numeric = continuity in ("contiguous", "increasing")
        self._name = name
        self._recent: dict[str, None] = {}

    def numbers(self, rows: pa.RecordBatch) -> npt.NDArray[np.int64]:
        """Return ids as integers."""
        return numbers(rows["trade_id"], self._name)

    def least(self, batches: Sequence[pa.RecordBatch]) -> int:
        """Return the least number among rows."""
        return min(int(self.numbers(batch).min()) for batch in batches)

    def advance(self, rows: pa.RecordBatch) -> None:
        """Take note of rows that have gone on."""
        time, ids = nanoseconds(rows["timestamp"]), rows["trade_id"]
        last, number = int(time.max()), self.last.number
        names = frozenset(ids.filter(pa.array(time == last)).to_pylist())
        if last <= self.last.time:
            names = self.last.ids | (names if last == self.last.time else frozenset())
            last = self.last.time
        if self._numeric:
            most = int(self.numbers(rows).max())
            number = most if number is None else max(most, number)
        self.last = Place(last, number, names)
        if not self.counts:
            self._recent.update(dict.fromkeys(ids.slice(max(0, len(ids) - _RECENT)).to_pylist()))
            while len(self._recent) > _RECENT:
                del self._recent[next(iter(self._recent))]

    def late(self, rows: pa.RecordBatch) -> npt.NDArray[np.bool_]:
        """Return which rows lie before the last one."""
        grain = _GRAIN if self.counts else 0
        return np.asarray(nanoseconds(rows["timestamp"]) < self.last.time - grain)

    def forget_number(self) -> None:
        """Let the next row's number be any: those between are given up."""
        self.last = attrs.evolve(self.last, number=None)

    def without(self, batch: pa.RecordBatch, doubtful: bool) -> pa.RecordBatch:
        """Return the rows that have not gone on yet.

        While it is doubtful what comes, rows from before the last time are repeats of a snapshot.
        """
        if self.counts and self.last.number is not None:
            keep = self.numbers(batch) > self.last.number
        else:
            keep = self._is_new(batch, doubtful)
        return batch if keep.all() else batch.filter(pa.array(keep))

    def _is_new(self, batch: pa.RecordBatch, doubtful: bool) -> npt.NDArray[np.bool_]:
        time = nanoseconds(batch["timestamp"])
        keep = np.asarray(time > self.last.time)
        near = np.flatnonzero(~keep)
        if len(near):
            names = batch["trade_id"].take(pa.array(near)).to_pylist()
            for row, name in zip(near.tolist(), names, strict=True):
                may_be = int(time[row]) == self.last.time or not doubtful
                keep[row] = may_be and name not in self._recent and name not in self.last.ids
        return keep

    def counted(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """Return the rows before the first id that is left out, if ids count."""
        if not self.counts or self.last.number is None:
            return rows
        good = self.numbers(rows) == self.last.number + 1 + np.arange(len(rows))
        return rows if good.all() else rows.slice(0, int(np.argmin(good)))

    def parted(self, rows: pa.RecordBatch, last: int) -> tuple[pa.RecordBatch, pa.RecordBatch]:
        """Return the new rows whose ids go on behind `last` without a hole, and the others."""
        if self.last.number is not None:
            rows = self.without(rows, True)
        ids = self.numbers(rows)
        order = np.argsort(ids, kind="stable")
        good = ids[order] == last + 1 + np.arange(len(ids))
        if good.all():
            return rows, rows.slice(0, 0)
        taken = np.zeros(len(rows), bool)
        taken[order[: int(np.argmin(good))]] = True
        return rows.filter(pa.array(taken)), rows.filter(pa.array(~taken))

    def ordered(self, batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
        """Return rows by time, then by number or else as they came, each id once."""
        rows = pa.concat_batches(batches)
        if self._numeric and self._is_ordered(rows):  # as nearly all are
            return rows
        places = rows["trade_id"].dictionary_encode().indices.to_numpy()
        _, firsts = np.unique(places, return_index=True)
        if len(firsts) < len(rows):
            rows = rows.take(pa.array(np.sort(firsts)))
        time = nanoseconds(rows["timestamp"])
        ids = self.numbers(rows) if self._numeric else np.arange(len(time))
        order = np.lexsort((ids, time))
        return rows if (np.diff(order) == 1).all() else rows.take(pa.array(order))

    def _is_ordered(self, rows: pa.RecordBatch) -> bool:
        later = np.diff(nanoseconds(rows["timestamp"])) >= 0
        return bool(later.all() and (np.diff(self.numbers(rows)) > 0).all())


def between(*times: int) -> str:
    """Return two times (ns) as text."""
    return "between " + " and ".join(str(np.datetime64(time // 10**6, "ms")) for time in times)
