"""Batches made in a process of its own, which is forked from this one.

Parsing is many short steps, and each of them needs the interpreter's lock. In a thread it waits
for the transforms at every step, and they for it: a fifth of the time of a run.
"""

import contextlib
import gc
import os
import pickle
import signal
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any, BinaryIO, NoReturn

import attrs
import pyarrow as pa

from ..errors import WerksError, foreign
from ..processes import fork, may_fork

Batches = Iterator[pa.RecordBatch]
Make = Callable[[Any], Batches]
# What a pipe is to hold where it can be told: the more, the less often either side sleeps.
_PIPE = 1 << 20
_SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


@attrs.frozen
class _Child:
    pid: int
    requests: BinaryIO
    answers: BinaryIO


class Apart:
    """A process beside this one that makes batches by `make`, once it is asked to be ready."""

    def __init__(self, make: Make) -> None:
        self._make = make
        self._child: _Child | None = None
        self._busy = False

    def ready(self) -> bool:
        """Tell whether the process can be asked for something; it is forked if it is not there."""
        if self._child is None and cores() > 1 and may_fork():
            self._child = _forked(self._make)
        return self._child is not None and not self._busy

    @contextlib.contextmanager
    def made(self, request: Any, schema: pa.Schema) -> Iterator[Batches]:
        """Give the batches of a request, which is plain data; what `make` raises is raised here."""
        batches = self._batches(request, schema)
        try:
            yield batches
        finally:
            batches.close()

    def _batches(self, request: Any, schema: pa.Schema) -> Generator[pa.RecordBatch, None, None]:
        child, whole = self._child, False
        if child is None:
            raise RuntimeError("nobody has asked whether the process is ready")
        self._busy = True
        try:
            pickle.dump((request, schema), child.requests)
            child.requests.flush()
            with pa.ipc.open_stream(pa.PythonFile(child.answers, "r")) as batches:
                yield from batches
            failure = pickle.load(child.answers)  # noqa: S301  (of the process that this one is)
            whole = True
        except (OSError, EOFError, pa.ArrowInvalid) as error:
            raise WerksError(
                "the process that reads files has ended; run again, with read_ahead = false if it"
                " does so again"
            ) from error
        finally:
            self._busy = False
            if not whole:  # it would go on to send what nobody takes
                self.close()
        if failure is not None:
            raise failure

    def close(self) -> None:
        """End the process: it does so when it has nobody to speak to."""
        child, self._child = self._child, None
        if child is not None:
            child.answers.close()
            with contextlib.suppress(BrokenPipeError):  # a request that it did not live to see
                child.requests.close()
            with contextlib.suppress(ChildProcessError):  # this program waits for all of its own
                os.waitpid(child.pid, 0)


def cores() -> int:
    """Return on how many cores this process may run."""
    known = hasattr(os, "sched_getaffinity")
    return len(os.sched_getaffinity(0)) if known else os.cpu_count() or 1


def _forked(make: Make) -> _Child:
    asked, requests = os.pipe()
    answers, given = os.pipe()
    _widen(given)
    # Until the process has its own way with signals, none may raise there what this one expects.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        pid = fork()
        if pid == 0:
            _live(make, (asked, given), (requests, answers), before)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    os.close(asked)
    os.close(given)
    return _Child(pid, os.fdopen(requests, "wb"), os.fdopen(answers, "rb"))


def _widen(pipe: int) -> None:
    try:
        import fcntl  # which not every system has
    except ImportError:
        return
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with contextlib.suppress(OSError):  # more than this user may have: it works, but slower
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE)


def _live(
    make: Make, mine: tuple[int, int], others: tuple[int, int], mask: Iterable[int]
) -> NoReturn:
    """Be the process: answer one request after the other until there is nobody to ask."""
    status = 1
    try:
        gc.disable()  # what the parent left open is not to be closed here
        for number in _SIGNALS:  # what they mean to the parent, it tells by closing its ends
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for end in others:
            os.close(end)
        asked, given = mine
        with os.fdopen(asked, "rb") as requests, os.fdopen(given, "wb") as answers:
            while True:
                request, schema = pickle.load(requests)  # noqa: S301  (of the parent)
                _answer(make(request), schema, answers)
    except (EOFError, BrokenPipeError):
        status = 0
    except BaseException:  # it is told, and the parent sees that the process has ended
        traceback.print_exc()
    finally:
        os._exit(status)


def _answer(batches: Batches, schema: pa.Schema, answers: BinaryIO) -> None:
    """Send batches, and behind them the error that ended them, None if none did."""
    failure = None
    sent = pa.ipc.new_stream(pa.PythonFile(answers, "w"), schema)
    while True:
        try:
            batch = next(batches, None)
        except Exception as error:  # it is raised where the batches are wanted
            failure = error
            break
        if batch is None:
            break
        sent.write_batch(batch)
    sent.close()
    answers.write(_pickled(failure))
    answers.flush()


def _pickled(failure: Exception | None) -> bytes:
    try:
        data = pickle.dumps(failure)
        pickle.loads(data)  # noqa: S301  (which not every error bears)
    except Exception as error:  # it is no plain data
        return pickle.dumps(foreign("a file", failure or error))
    return data
