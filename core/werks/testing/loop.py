"""The thread of a `LoopbackSocket`: it waits for sockets, for the time and for what it is told."""

import heapq
import itertools
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial

# So many calls at most before something is sent, so that nobody waits for long.
_AT_ONCE = 64

Call = Callable[[], object]


class Loop:
    """Runs calls in one thread, in the order in which they came, or when their time has come.

    So nothing that belongs to the server needs a lock.
    """

    def __init__(self, after: Call) -> None:
        """`after` is called when everything that was due has been done."""
        self.selector = selectors.DefaultSelector()
        self.errors: list[Exception] = []
        self._after = after
        self._calls: deque[Call] = deque()
        self._lock = threading.Lock()
        self._due: list[tuple[float, int, Call]] = []
        self._count = itertools.count()
        self._reader, self._waker = socket.socketpair()
        self._reader.setblocking(False)
        self.selector.register(self._reader, selectors.EVENT_READ, self._woken)
        self._turned = threading.Condition()
        self._running = True
        self._thread = threading.Thread(target=self._run, name="werks-socket", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def call(self, call: Call) -> None:
        """Have something done soon; returns at once."""
        with self._lock:
            self._calls.append(call)
            if len(self._calls) == 1:
                self._waker.send(b"\0")

    def later(self, seconds: float, call: Call) -> None:
        """Have something done after some seconds."""
        due = (time.monotonic() + seconds, next(self._count), call)
        self.call(lambda: heapq.heappush(self._due, due))

    def wait(self, until: Callable[[], bool], seconds: float) -> None:
        """Wait until something is so, looked at whenever the thread has done something.

        TimeoutError after so many seconds; an error of the thread is raised here.
        """
        self.call(lambda: None)
        with self._turned:
            done = self._turned.wait_for(lambda: bool(self.errors) or until(), seconds)
        self.check()
        if not done:
            raise TimeoutError(f"what was waited for is not so after {seconds:g} s")

    def check(self) -> None:
        """Raise the first error of the thread."""
        if self.errors:
            raise self.errors.pop(0)

    def stop(self) -> None:
        """End the thread after what it was told before."""
        self.call(lambda: setattr(self, "_running", False))
        self._thread.join()
        self.selector.close()
        self._reader.close()
        self._waker.close()

    def _woken(self, _: int) -> None:
        self._reader.recv(4096)

    def _run(self) -> None:
        while self._running:
            ready = self.selector.select(self._pause())
            # What was asked for before a client spoke is done before the client is answered.
            for _ in range(min(len(self._calls), _AT_ONCE)):
                self._safely(self._calls[0])
                self._calls.popleft()  # only now, so that `call` knows whether to wake
            for key, events in ready:
                self._safely(partial(key.data, events))
            while self._due and self._due[0][0] <= time.monotonic():
                self._safely(heapq.heappop(self._due)[2])
            self._safely(self._after)
            with self._turned:
                self._turned.notify_all()

    def _pause(self) -> float | None:
        if self._calls:
            return 0.0
        return max(0.0, self._due[0][0] - time.monotonic()) if self._due else None

    def _safely(self, call: Call) -> None:
        try:
            call()
        except Exception as error:  # a plugin's words are called in here
            self.errors.append(error)
