"""One task: what one door gives, read once, through all transforms, into all sinks.

It goes window by window.

A task is plain data and so is its outcome, so it can run in this process or in another.
"""

import pickle
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import attrs
import pyarrow as pa

from ..archive import Apart
from ..checked import symbol_of
from ..components import Stream
from ..errors import FOREIGN, WerksError, foreign
from ..http import Http
from ..order import Ascending, Spool, Unordered
from ..plugins import Plugins
from ..scratch import scratch
from .rows import Rows, opened
from .task import Done, StreamTask, Task
from .windows import Windows

Progress = Callable[[Stream, int], None]


@attrs.frozen
class Outcome:
    """What came of a task; an error stands for all windows that are not among those done."""

    done: tuple[Done, ...]
    error: WerksError | None
    seconds: float


def perform(
    task: Task, http: Http, progress: Progress | None = None, apart: Apart | None = None
) -> Outcome:
    """Run a task; its errors are part of the outcome. `apart` may read large files for it."""
    began = time.perf_counter()
    done: list[Done] = []
    error: WerksError | None = None
    try:
        with opened(task, http, apart) as rows:
            _Reading(task, rows, progress or _quiet, done).run()
    except WerksError as failure:
        error = failure
    except FOREIGN as failure:  # foreign code: a plugin or a sink
        error = foreign(task.file.url, failure)
    return Outcome(tuple(done), error, time.perf_counter() - began)


def perform_pickled(plugin_files: Sequence[Path], task: bytes) -> Outcome:
    """Run a task in another process, which has not loaded the single-file plugins yet."""
    Plugins(plugin_files)
    # Made by the process that started this one, a moment ago.
    unpickled: Task = pickle.loads(task)  # noqa: S301
    with Http(unpickled.tries, quarantine=unpickled.quarantine) as http:
        return perform(unpickled, http)


def _quiet(stream: Stream, rows: int) -> None:
    """Take no note of progress."""


class _Reading:
    """What is read: straight through if it is in order, by way of temporary files if not."""

    def __init__(self, task: Task, rows: Rows, progress: Progress, done: list[Done]) -> None:
        self._task = task
        self._opened = rows
        self._progress = progress
        self._done = done
        self._name = task.file.url
        self._numeric = task.door.continuity in ("contiguous", "increasing")

    def run(self) -> None:
        try:
            with self._windows() as windows:
                self._straight(windows)
        except Unordered:
            # What was done of a longer file is done again: rows that belong there may come later.
            self._done.clear()
            with scratch() as folder:
                spools = self._spool(folder)
                with self._windows() as windows:
                    self._sorted(windows, spools)

    def _straight(self, windows: Mapping[str, Windows]) -> None:
        watches = {symbol: Ascending(self._name, self._numeric) for symbol in windows}
        for symbol, batch in self._batches():
            watches[symbol].check(batch)
            windows[symbol].take(batch)
        for each in windows.values():
            each.finish()

    def _spool(self, folder: Path) -> dict[str, Spool]:
        spools: dict[str, Spool] = {}
        for symbol, batch in self._batches():
            if symbol not in spools:
                spools[symbol] = Spool(folder / f"{len(spools)}.arrow")
            spools[symbol].add(batch)
        for spool in spools.values():
            spool.close()
        return spools

    def _sorted(self, windows: Mapping[str, Windows], spools: Mapping[str, Spool]) -> None:
        for symbol, each in windows.items():
            if symbol in spools:
                for batch in spools[symbol].read(self._name, self._numeric):
                    each.take(batch)
            each.finish()

    def _batches(self) -> Iterator[tuple[str, pa.RecordBatch]]:
        """Yield (symbol, rows) of the streams that are asked for, checked."""
        with self._opened.batches() as batches:
            wanted = [each.stream.symbol for each in self._task.streams]
            for batch in batches:
                yield symbol_of(batch, self._name, wanted), batch

    @contextmanager
    def _windows(self) -> Iterator[dict[str, Windows]]:
        """Open the sinks; what is not committed is thrown away."""
        with ExitStack() as stack:
            writers = {}
            for name, sink in self._task.sinks.items():
                nodes = {node for each in self._task.streams for node in _nodes(each, name)}
                schemas = {node: self._task.schemas[node] for node in sorted(nodes)}
                writers[name] = sink.open(schemas)
                stack.callback(writers[name].close)
            try:
                yield {
                    each.stream.symbol: Windows(
                        self._task, each, writers, (self._heard, self._opened.known)
                    )
                    for each in self._task.streams
                }
            except BaseException:
                for writer in writers.values():
                    writer.abort()
                raise

    def _heard(self, what: Done | tuple[Stream, int]) -> None:
        if isinstance(what, Done):
            self._done.append(what)
        else:
            self._progress(*what)


def _nodes(task: StreamTask, sink: str) -> set[str]:
    return {node for day in task.days for node, sinks in day.targets.items() if sink in sinks}
