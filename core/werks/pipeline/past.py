"""REST asked in a thread of its own, so that no other stream waits for it."""

from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pyarrow as pa

from ..components import Stream
from ..history import Pages, Span
from ..http import Http
from .lane import Answer

# So many rows come back at once; what is more is asked for again, from there on.
_ROWS = 100_000


class Asking:
    """Asks one source's REST door, one question after the other."""

    def __init__(self, door: Any, http: Http) -> None:
        self._door, self._http = door, http
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="werks-past")

    def ask(self, stream: Stream, after: int, until: int) -> Future[Answer]:
        """Return the rows of a stream from a time on, as far as REST has them, in order."""
        return self._pool.submit(self._read, stream, after, until)

    def submit(self, what: Any, *given: Any) -> Future[Any]:
        """Do something else that asks REST, in turn."""
        return self._pool.submit(what, *given)

    def close(self) -> None:
        """End the thread; what is not begun is given up."""
        self._pool.shutdown(wait=True, cancel_futures=True)

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
