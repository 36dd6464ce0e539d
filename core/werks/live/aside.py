"""Work beside the run, in a thread that nobody waits for at the end."""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

_Job = tuple[Future[Any], Callable[..., Any], tuple[Any, ...]]


class Aside:
    """Does one thing after the other; errors come through the futures.

    A pool of the standard library would keep the process alive until its threads have ended, which
    a question to an exchange that does not answer puts off by minutes.
    """

    def __init__(self, name: str) -> None:
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._over = False
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def submit(self, what: Callable[..., Any], *given: Any) -> Future[Any]:
        """Do something in turn."""
        future: Future[Any] = Future()
        self._jobs.put((future, what, given))
        return future

    def end(self) -> None:
        """Take nothing more; what has been asked for is done."""
        self._jobs.put(None)

    def close(self) -> None:
        """Begin nothing more; what goes on is left alone."""
        self._over = True
        self.end()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None and not self._over:
            future, what, given = job
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(what(*given))
                except BaseException as error:  # whoever asked for it is told
                    future.set_exception(error)
