"""Work done ahead in a thread of its own, as far as a bounded queue goes."""

import queue
import threading
from collections.abc import Iterator
from typing import Generic, TypeVar

import attrs

T = TypeVar("T")


@attrs.frozen
class _End:
    """What comes after the last item: nothing, or the error that stopped the work."""

    error: BaseException | None = None


class Ahead(Generic[T]):
    """An iterator that is run in a thread; its errors are raised where its items are taken."""

    def __init__(self, items: Iterator[T], depth: int) -> None:
        self._queue: queue.Queue[T | _End] = queue.Queue(depth)
        self._stopped = threading.Event()
        self._items = items
        self._end: _End | None = None
        self._thread = threading.Thread(target=self._run, name="werks-ahead", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        end = _End()
        try:
            for item in self._items:
                if not self._put(item):
                    return
        except BaseException as error:  # the thread's last line: who takes the items raises it
            end = _End(error)
        self._put(end)

    def _put(self, item: T | _End) -> bool:
        while not self._stopped.is_set():
            try:
                self._queue.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        item = self._queue.get() if self._end is None else self._end
        if isinstance(item, _End):
            self._end = item
            if item.error is not None:
                raise item.error
            raise StopIteration
        return item

    def stop(self) -> None:
        """Let the work end where it stands, and wait until it has."""
        self._stopped.set()
        self._thread.join()
