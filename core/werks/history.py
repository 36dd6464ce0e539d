"""The past by REST as one stream: pages in, rows in order and without overlaps out."""

from collections.abc import Iterator
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from .checked import Checked, MisfitError, symbol_of
from .components import Http
from .errors import DataError, MessageError
from .order import numbers
from .schema import nanoseconds

# So many pages without a new row are an exchange that goes round in a circle.
_IDLE = 3
# Rows that are handed on at once: a page by itself is too small a batch for the transforms.
_ROWS = 1 << 15
Times = npt.NDArray[np.int64]


@attrs.frozen
class Span:
    """What is asked of a history: from a time, or after a cursor, to before a time, in ns.

    Without a cursor it is asked from `lead` earlier on, to see what comes before the first row.
    """

    symbol: str
    start: int
    stop: int
    cursor: str | None = None
    lead: int = 0


class Pages:
    """The rows of a span, oldest first, each once, in batches; iterated once.

    Pages may overlap, repeat one another and hold the rows of one time in any order. Rows that
    share the last time seen wait until a later one shows that all of them are there. After the
    iteration `resume` is a cursor behind which all rows from the span's end on come, `before` is
    the id of the last row that came from before the span, and `repeats` counts what came twice.
    """

    def __init__(self, door: Any, http: Http, span: Span, name: str) -> None:
        self._door, self._http, self._span, self._name = door, http, span, name
        self._numeric = door.continuity in ("contiguous", "increasing")
        self._checked = Checked(door.schema)
        self._held: pa.RecordBatch | None = None
        self._last = -1
        # Of the page before, and at the last time of those before it; none of them is later.
        self._known: tuple[Times, pa.Array] = (np.zeros(0, np.int64), pa.array([], pa.string()))
        self.resume = span.cursor
        self.before: str | None = None
        self.repeats = 0

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        ready: list[pa.RecordBatch] = []
        for rows in self._released():
            ready.append(rows)
            if sum(map(len, ready)) >= _ROWS:
                yield pa.concat_batches(ready)
                ready = []
        if ready:
            yield pa.concat_batches(ready)

    def _released(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows of each page that no later page can stand before."""
        span, idle = self._span, 0
        after: int | str = span.start - span.lead if span.cursor is None else span.cursor
        for given in self._door.read(self._http, span.symbol, after, span.stop):
            page, cursor = self._page(given)
            time = nanoseconds(page["timestamp"])
            over = bool(len(page)) and int(time.max()) >= span.stop
            within = self._true(self._within(page, time))
            fresh = self._fresh(within)
            idle = idle + 1 if len(within) and not len(fresh) and not over else 0
            if idle > _IDLE:
                what = f"{idle} pages without a new row, the last one before {cursor!r:.80}"
                raise MessageError(f"{self._name}: {what}: the exchange repeats itself")
            if len(fresh):
                yield from self._settled(fresh)
            if over:
                break
            self.resume = cursor
        if self._held is not None:
            yield self._held
            self._held = None

    def _page(self, given: Any) -> tuple[pa.RecordBatch, str | None]:
        """Return a page and its cursor; MisfitError unless it is what the door states."""
        if not isinstance(given, tuple) or len(given) != 2:
            what = f"a page and a cursor are expected, not {type(given).__name__}"
            raise MisfitError(f"{self._name}: {what}: mend the plugin")
        page, cursor = given
        self._checked.require(page, self._name)
        if page["timestamp"].null_count:
            self._true(page)
        if len(page):
            symbol_of(page, self._name, (self._span.symbol,))
        return page, cursor

    def _true(self, page: pa.RecordBatch) -> pa.RecordBatch:
        """Return a page; DataError if rows of it cannot be true."""
        for fault in self._checked.faults(page) if len(page) else ():
            raise DataError(f"{self._name}: {fault.said(page)}")
        return page

    def _within(self, page: pa.RecordBatch, time: npt.NDArray[np.int64]) -> pa.RecordBatch:
        early, late = time < self._span.start, time >= self._span.stop
        if early.any() and "trade_id" in page.schema.names:
            rows = np.flatnonzero(early)
            last = rows[time[rows] == time[rows].max()]
            self.before = page["trade_id"][int(last[-1])].as_py()
        return page.filter(pa.array(~(early | late))) if early.any() or late.any() else page

    def _fresh(self, page: pa.RecordBatch) -> pa.RecordBatch:
        """Return the rows that have not come before; DataError if one should have come earlier."""
        time, ids = nanoseconds(page["timestamp"]), _ids(page)
        fresh = np.ones(len(page), bool)
        rows = np.flatnonzero(_tied(time) | (time <= self._last))  # no other can be known
        if len(rows):
            seen = self._seen(int(time[rows].min()))
            for row, key in zip(rows.tolist(), _keys(time, ids, rows), strict=True):
                fresh[row] = key not in seen
                seen.add(key)
        late = fresh & (time < self._last)
        if late.any():
            row = int(np.argmax(late))
            stamp = np.datetime64(int(time[row]), "ns")
            what = f"the row of {stamp} (id {ids[row]}) comes after later ones"
            raise DataError(f"{self._name}: {what}: the pages are not in order")
        self.repeats += int(np.count_nonzero(~fresh))
        self._remember(time, ids)
        return page.filter(pa.array(fresh)) if not fresh.all() else page

    def _seen(self, since: int) -> set[tuple[int, str | None]]:
        """Return (time, id) of the known rows that do not lie before a time."""
        time, ids = self._known
        return set(_keys(time, ids, np.flatnonzero(time >= since)))

    def _remember(self, time: Times, ids: pa.Array) -> None:
        before, known = self._known
        last = before == self._last
        if last.any():
            time = np.concatenate((time, before[last]))
            ids = pa.concat_arrays([ids, known.filter(pa.array(last))])
        self._known = time, ids

    def _settled(self, fresh: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        """Yield rows before the last time that was seen; hold those at it."""
        rows = fresh if self._held is None else pa.concat_batches([self._held, fresh])
        time = nanoseconds(rows["timestamp"])
        by_id = self._numeric and "trade_id" in rows.schema.names
        ids = numbers(rows["trade_id"], self._name) if by_id else np.zeros(len(time), np.int64)
        order = np.lexsort((ids, time))
        if not np.array_equal(order, np.arange(len(order))):
            rows, time = rows.take(pa.array(order)), time[order]
        self._last = int(time[-1])
        closed = int(np.searchsorted(time, self._last))
        self._held = rows.slice(closed)
        if closed:
            yield rows.slice(0, closed)


def _ids(page: pa.RecordBatch) -> pa.Array:
    """Return what tells rows of one time apart; nulls where nothing does."""
    for name in ("trade_id", "field"):
        if name in page.schema.names:
            return page[name].cast(pa.string())
    return pa.nulls(len(page), pa.string())


def _keys(time: Times, ids: pa.Array, rows: npt.NDArray[np.intp]) -> Iterator[tuple[int, Any]]:
    return zip(time[rows].tolist(), ids.take(pa.array(rows)).to_pylist(), strict=True)


def _tied(time: Times) -> npt.NDArray[np.bool_]:
    """Return which rows may have the time of another one: all, if they are not in order."""
    step = np.diff(time)
    if (step < 0).any():
        return np.ones(len(time), bool)
    same = np.append(step == 0, False)
    same[1:] |= same[:-1].copy()
    return same
