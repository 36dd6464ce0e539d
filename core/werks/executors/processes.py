"""Tasks side by side, in several processes on this machine."""

import multiprocessing
import os
import signal
from collections.abc import Mapping
from concurrent.futures import Executor, ProcessPoolExecutor
from typing import Any

import attrs

from ..hookspecs import hookimpl
from ..processes import cores, may_fork


@attrs.frozen
class Processes:
    """Runs tasks in several processes on this machine, one for each core unless it is told."""

    def executor(self, workers: int) -> Executor:
        """Return a pool of processes, started already."""
        count = workers or cores()
        context = multiprocessing.get_context("fork" if may_fork() else "spawn")
        pool = _Pool(count, mp_context=context, initializer=_quiet)
        pool.submit(os.getpid).result()
        return pool


class _Pool(ProcessPoolExecutor):
    """A pool that knows how many tasks keep it busy: one more than it has processes."""

    def __init__(self, workers: int, **given: Any) -> None:
        super().__init__(workers, **given)
        self.at_once = workers + 1


def _quiet() -> None:
    """Leave an interrupt to the parent: it lets running tasks end and starts no other."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@hookimpl
def werks_executors() -> Mapping[str, type]:
    """Offer `processes`."""
    return {"processes": Processes}
