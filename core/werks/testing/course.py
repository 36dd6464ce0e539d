"""A simulated exchange in the course of its time: what has happened until now, at all its doors."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import count, islice
from typing import Protocol
from uuid import UUID

import attrs
import numpy as np
import pyarrow as pa

from ..schema import batch, nanoseconds, times, word
from .loopback import Answer

_DAY = timedelta(days=1)
_LONG = 86_400 * 10**9
_TAKEN = ("price", "size", "notional")


class Door(Protocol):
    """What is known of any door to an exchange: its name and the shape of its rows."""

    @property
    def exchange(self) -> str:
        """The name of the exchange and its market."""
        ...

    @property
    def schema(self) -> pa.Schema:
        """The schema of its rows."""
        ...


def _no_files(course: "Course", day: date) -> Iterable[tuple[str, bytes]]:
    return ()


def _no_answers(course: "Course") -> Mapping[str, Answer]:
    return {}


@attrs.define
class Course:
    """One tape for all doors: live rows, files of days that are over, and REST, up to `now`.

    `rows` holds all rows of each symbol, those to come too, by rising times; times are in ns since
    1970. Two functions spell them as the exchange does: `files` yields the (path, body) of a day's
    files, out of `day`; `rest` returns what answers at each path, out of `past`.
    """

    rows: Mapping[str, pa.RecordBatch]
    now: int
    files: Callable[["Course", date], Iterable[tuple[str, bytes]]] = _no_files
    rest: Callable[["Course"], Mapping[str, Answer]] = _no_answers
    _published: set[date] = attrs.field(factory=set, init=False)

    def advance(self, until: int) -> Iterator[pa.RecordBatch]:
        """Go on to a time and yield the rows since `now`, for `LoopbackSocket.play`.

        A batch of each symbol that has any.
        """
        since, self.now = self.now, max(self.now, until)
        for symbol in self.rows:
            rows = self.between(symbol, since, self.now)
            if len(rows):
                yield rows

    def between(self, symbol: str, start: int, stop: int) -> pa.RecordBatch:
        """Return the rows of a symbol from a time to before another, whatever `now` is."""
        rows = self.rows[symbol]
        begin, end = np.searchsorted(nanoseconds(rows["timestamp"]), [start, stop]).tolist()
        return rows.slice(begin, end - begin)

    def trades(self, symbol: str, start: int, stop: int) -> pa.Table:
        """Return the same as a table: what should come out in the end."""
        return pa.Table.from_batches([self.between(symbol, start, stop)])

    def past(self, symbol: str, since: int = 0) -> pa.RecordBatch:
        """Return the rows of a symbol from a time to before `now`, for REST."""
        return self.between(symbol, since, max(since, self.now))

    def day(self, symbol: str, day: date) -> pa.RecordBatch:
        """Return the rows of a symbol of a day (UTC), for a file."""
        midnight = (day - date(1970, 1, 1)).days * _LONG
        return self.between(symbol, midnight, midnight + _LONG)

    def published(self, start: date) -> Iterator[tuple[str, bytes]]:
        """Yield (path, body) for `Loopback.put`: the files of days that are over, none twice."""
        today = datetime.fromtimestamp(self.now // 10**9, UTC).date()
        for number in range((today - start).days):
            day = start + number * _DAY
            if day not in self._published:
                self._published.add(day)
                yield from self.files(self, day)

    def answers(self) -> Mapping[str, Answer]:
        """Return what REST answers at each path, for `Loopback.answer`."""
        return self.rest(self)


def respelt(
    rows: pa.RecordBatch, door: Door, symbol: str, ids: Iterable[object], grain: int = 1
) -> pa.RecordBatch:
    """Return made-up trades as those of a door: its name and scales, a symbol, the ids that follow.

    Of `rows`, timestamp, tick_rule, price, size and notional are taken. Times are cut to `grain`
    ns; a scale of the door that is too small for an amount is an error.
    """
    schema, size = door.schema, len(rows)
    return batch(
        schema,
        exchange=word(door.exchange, size),
        symbol=word(symbol, size),
        timestamp=times(nanoseconds(rows["timestamp"]) // grain * grain),
        trade_id=[str(each) for each in islice(ids, size)],
        tick_rule=rows["tick_rule"],
        **{name: rows[name].cast(schema.field(name).type) for name in _TAKEN},
    )


def uuids(symbol: str) -> Iterator[UUID]:
    """Yield ids for an exchange whose ids are no numbers, always the same; no symbol has another's.

    Eight letters of the symbol count.
    """
    base = sum(ord(letter) << 8 * place for place, letter in enumerate(symbol[:8])) << 64
    return (UUID(int=base + number) for number in count())
