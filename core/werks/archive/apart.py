"""Batches made in a process of its own, which is forked from this one.

Parsing is many short steps, and each of them needs the interpreter's lock. In a thread it waits
for the transforms at every step, and they for it: see docs/decisions/0015.
"""

import contextlib
import gc
import itertools
import os
import pickle
import signal
import struct
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator
from io import FileIO
from typing import Any, BinaryIO, NoReturn

import attrs
import pyarrow as pa

from ..errors import WerksError, foreign
from ..processes import cores, fork, may_fork
from .slots import Slots, ready

Batches = Iterator[pa.RecordBatch]
Make = Callable[[Any], Batches]
_SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]
# What an answer begins with: a slot, or less for what follows in the pipe; and how many bytes.
_HEAD = struct.Struct("<iq")
_BATCH, _END = -1, -2


@attrs.frozen
class _Child:
    pid: int
    requests: BinaryIO
    answers: FileIO
    slots: Slots


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
    def made(self, request: Any) -> Iterator[Batches]:
        """Give the batches of a request, which is plain data; what `make` raises is raised here."""
        batches = self._batches(request)
        try:
            yield batches
        finally:
            batches.close()

    def _batches(self, request: Any) -> Generator[pa.RecordBatch, None, None]:
        child, whole = self._child, False
        if child is None:
            raise RuntimeError("nobody has asked whether the process is ready")
        self._busy = True
        failure = None
        try:
            pickle.dump(request, child.requests)
            child.requests.flush()
            for taken in itertools.count():
                if not ready(child.answers):
                    child.slots.wait(taken)
                slot, size = _HEAD.unpack(_read(child.answers, _HEAD.size))
                if slot == _END:
                    break
                if slot == _BATCH:
                    yield pa.ipc.open_stream(_read(child.answers, size)).read_next_batch()
                else:
                    yield child.slots.get(slot, size)
            # Of the process that was forked here.
            failure = pickle.loads(_read(child.answers, size))  # noqa: S301
            whole = True
        except (OSError, EOFError) as error:
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
            child.slots.close()
            with contextlib.suppress(BrokenPipeError):  # a request that it did not live to see
                child.requests.close()
            with contextlib.suppress(ChildProcessError):  # this program waits for all of its own
                os.waitpid(child.pid, 0)


def _read(answers: FileIO, size: int) -> bytearray:
    data = bytearray(size)
    view, have = memoryview(data), 0
    while have < size:
        read = answers.readinto(view[have:])
        if not read:
            raise EOFError
        have += read
    return data


def _forked(make: Make) -> _Child:
    asked, requests = os.pipe()
    answers, given = os.pipe()
    slots = Slots()
    # Until the process has its own way with signals, none may raise there what this one expects.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        pid = fork()
        if pid == 0:
            _live(make, slots, (asked, given), (requests, answers), before)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    os.close(asked)
    os.close(given)
    slots.take()
    return _Child(pid, os.fdopen(requests, "wb"), FileIO(answers, "r"), slots)


def _live(
    make: Make, slots: Slots, mine: tuple[int, int], others: tuple[int, int], mask: Iterable[int]
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
        slots.make()
        asked, given = mine
        with os.fdopen(asked, "rb") as requests, os.fdopen(given, "wb") as answers:
            while True:
                request = pickle.load(requests)  # noqa: S301  (of the parent)
                _answer(make(request), slots, answers)
    except (EOFError, BrokenPipeError):
        status = 0
    except BaseException:  # it is told, and the parent sees that the process has ended
        traceback.print_exc()
    finally:
        os._exit(status)


def _answer(batches: Batches, slots: Slots, answers: BinaryIO) -> None:
    """Send batches, and behind them the error that ended them, None if none did."""
    failure = None
    for sent in itertools.count():
        try:
            batch = next(batches, None)
        except Exception as error:  # it is raised where the batches are wanted
            failure = error
            break
        if batch is None:
            break
        if put := slots.put(batch, sent):
            answers.write(_HEAD.pack(*put))
        else:
            _send(_BATCH, _serialised(batch), answers)
        answers.flush()
    _send(_END, _pickled(failure), answers)
    answers.flush()


def _send(kind: int, data: bytes | pa.Buffer, answers: BinaryIO) -> None:
    answers.write(_HEAD.pack(kind, len(data)))
    answers.write(data)


def _serialised(batch: pa.RecordBatch) -> pa.Buffer:
    out = pa.BufferOutputStream()
    with pa.ipc.new_stream(out, batch.schema) as stream:
        stream.write_batch(batch)
    return out.getvalue()


def _pickled(failure: Exception | None) -> bytes:
    try:
        data = pickle.dumps(failure)
        pickle.loads(data)  # noqa: S301  (which not every error bears)
    except Exception as error:  # it is no plain data
        return pickle.dumps(foreign("a file", failure or error))
    return data
