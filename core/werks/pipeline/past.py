"""REST asked in a thread of its own, so that no other stream waits for it."""

from concurrent.futures import Future
from datetime import timedelta
from typing import Any, Protocol

import attrs
import pyarrow as pa

from ..components import Stream
from ..history import Pages, Span
from ..http import Http
from ..live.aside import Aside

# So many rows come back at once; what is more is asked for again, from there on.
_ROWS = 100_000


@attrs.frozen
class Answer:
    """What REST gave: rows in order.

    `whole` is whether it came up to the time asked for, `reaches` whether it goes back so far.
    """

    batches: tuple[pa.RecordBatch, ...]
    whole: bool
    reaches: bool = True


class Past(Protocol):
    """Asks REST for what lies behind a place; a part at a time if it is much."""

    def ask(self, stream: Stream, after: int, until: int) -> Future[Answer]:
        """Return rows from a time on, in order; errors come through the future."""
        ...


class Asking:
    """Asks one source's REST door, one question after the other."""

    def __init__(self, door: Any, http: Http) -> None:
        self._door, self._http = door, http
        self._aside = Aside("werks-past")

    def ask(self, stream: Stream, after: int, until: int) -> Future[Answer]:
        """Return the rows of a stream from a time on, as far as REST has them, in order."""
        return self._aside.submit(self._read, stream, after, until)

    def submit(self, what: Any, *given: Any) -> Future[Any]:
        """Do something else that asks REST, in turn."""
        return self._aside.submit(what, *given)

    def close(self) -> None:
        """Give up what is not begun; nobody waits for an answer any more."""
        self._aside.close()

    def _read(self, stream: Stream, after: int, until: int) -> Answer:
        found: list[pa.RecordBatch] = []
        reach = self._door.reach
        reaches = reach is None or until - after <= reach // timedelta(microseconds=1) * 1000
        span = Span(stream.symbol, after, until)
        for batch in Pages(self._door, self._http, span, f"{stream} by REST"):
            found.append(batch)
            if sum(map(len, found)) >= _ROWS:
                return Answer(tuple(found), False, reaches)
        return Answer(tuple(found), True, reaches)
