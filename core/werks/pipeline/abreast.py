"""What stands beside live bars: values asked for by REST once a bar has ended."""

from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from datetime import timedelta
from typing import Any, cast

import attrs
import pyarrow as pa

from ..components import Stream
from ..errors import WerksError, foreign
from ..history import Pages, Span
from ..http import Http
from ..live.aside import Aside
from ..schema import empty, nanoseconds
from ..transforms.join import EVER, KNOWN, Values
from .task import DAY

# Before REST is asked again: 1, 2, 4, … seconds, at most so many.
_LONGEST = 60.0


@attrs.define(eq=False)
class _Asked:
    """The values of one stream from one source: the ends of bars that wait, each since when.

    `asks` is the answer to come and the time up to which it will tell.
    """

    stream: Stream
    door: Any
    wait: float
    values: Values
    since: deque[tuple[int, float]] = attrs.field(factory=deque)
    asks: tuple[Future[list[pa.RecordBatch]], int] | None = None
    tries: int = 0
    again: float = 0.0

    @property
    def settled(self) -> int:
        """How long after its time a value may still come, in ns."""
        found: timedelta = getattr(self.door, "settled", timedelta(0))
        return found // timedelta(microseconds=1) * 1000

    def take(self, rows: list[pa.RecordBatch], until: int) -> bool:
        """Take what was told up to a time; return whether that is sure.

        Where values lie `every` so far apart, it is known which one must have come by then, and
        that no other comes before the next one.
        """
        every: timedelta = getattr(self.door, "every", timedelta(0))
        step, values = every // timedelta(microseconds=1) * 1000, self.values
        before = values.sure
        values.add(rows, until)
        if not step:
            return True
        newest, expected = _last(values.rows), until // step * step
        values.sure = max(before, (newest or 0) // step * step + step - 1)
        values.until = max(values.until, values.sure)
        return newest is not None and newest >= expected

    def look(self, clock: float) -> None:
        """Take note of ends that are wanted, are known by now, or have waited for too long."""
        values, waits = self.values, self.since
        if values.wanted > max(values.sure, waits[-1][0] if waits else -1):
            waits.append((values.wanted, clock))
        while waits and waits[0][0] <= values.sure:
            waits.popleft()
        while waits and clock - waits[0][1] > self.wait + self.settled / 1e9:
            values.given_up = waits.popleft()[0]


class Abreast:
    """The values beside the bars of one source's streams; only its own thread waits for REST.

    `doors` are those of the sources that stand beside, by name, each with the seconds that a bar
    waits for it. Without `http` nobody is asked, as in a replay.
    """

    def __init__(
        self, doors: Mapping[str, tuple[Any, float]], http: Http | None, now: Callable[[], int]
    ) -> None:
        self._doors, self._http, self._now = doors, http, now
        self._aside = Aside("werks-beside") if doors and http is not None else None
        self._asked: dict[tuple[str, str], _Asked] = {}

    def close(self) -> None:
        """Ask no more."""
        if self._aside is not None and self._http is not None:
            self._aside.submit(self._http.__exit__)
            self._aside.end()

    def of(self, stream: Stream) -> dict[str, Values]:
        """Return the values beside a stream's bars, by source; they grow as bars want them."""
        found = {}
        for name, (door, wait) in self._doors.items():
            key = name, stream.symbol
            if key not in self._asked:
                values = Values(empty(door.schema), -1)
                if self._http is None:
                    values.given_up = EVER
                self._asked[key] = _Asked(stream, door, wait, values)
            found[name] = self._asked[key].values
        return found

    def step(self, clock: float) -> dict[Stream, str]:
        """Take answers and ask what is wanted; return by stream why it was not had, if so."""
        told = {}
        for each in self._asked.values():
            if each.asks is not None and each.asks[0].done():
                told[each.stream] = self._hear(each, clock)
            each.look(clock)
            wanted = each.since[0][0] if each.since else EVER
            if each.asks is None and clock >= each.again:
                self._ask(each, wanted)
        return told

    def _ask(self, each: _Asked, wanted: int) -> None:
        until = self._now() - each.settled
        if self._aside is None or wanted > until:
            return
        last = _last(each.values.rows)
        begin = wanted // DAY * DAY - KNOWN if last is None else last + 1
        span = Span(each.stream.symbol, begin, until + 1)
        pages = Pages(each.door, cast(Http, self._http), span, f"{each.stream} beside its bars")
        each.asks = self._aside.submit(list, pages), until

    def _hear(self, each: _Asked, clock: float) -> str:
        """Take an answer; return why there is none."""
        assert each.asks is not None  # noqa: S101  (it is what is heard)
        (answer, until), each.asks = each.asks, None
        error = answer.exception()
        if error is None:
            if each.take(answer.result(), until):
                each.tries, each.again = 0, 0.0
                return ""
        elif not isinstance(error, WerksError):  # foreign code
            error = foreign(f"{each.stream} beside its bars", cast(Exception, error))
        each.tries += 1
        each.again = clock + min(2.0 ** (each.tries - 1), _LONGEST)
        return str(error or "")


def _last(rows: pa.RecordBatch) -> int | None:
    return int(nanoseconds(rows["timestamp"])[-1]) if len(rows) else None
