"""The rows of a task by its door: a file of the archive, a span by REST, a whole list."""

from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Protocol

import attrs
import numpy as np
import pyarrow as pa

from ..archive import Apart, ByteStream, fetched
from ..checked import Checked, Fault
from ..components import File
from ..errors import DataError, MessageError
from ..history import Pages, Span
from ..http import Http
from ..schema import nanoseconds, times, word
from .task import Done, Task, midnight

# How much earlier REST is asked, so that the last trade of the window before may be seen.
_LEAD = 60 * 10**9
# Files of fewer bytes are read as soon by a thread as by a process apart.
_SMALL = 1 << 20
Batches = Iterator[pa.RecordBatch]
_FETCH = "fetch the file again"
_OUTSIDE = "lies outside of the file's days: a file of another day, or a time in another unit"


class Rows(Protocol):
    """The rows of a task, one symbol a batch; `batches` may be opened anew to read them again."""

    def batches(self) -> AbstractContextManager[Batches]:
        """Open the rows."""
        ...

    def known(self, done: Done) -> Done:
        """Return what was done, with what only the door knows of it."""
        ...


@contextmanager
def opened(task: Task, http: Http, apart: Apart | None = None) -> Iterator[Rows]:
    """Give the rows of a task; those of large files by a process apart, if there is one."""
    if task.via == "rest":
        yield _Rest(task, http)
    elif task.via == "snapshot":
        yield _List(task, http)
    else:
        content = getattr(task.door, "content", None)
        own = content if not task.file.url.startswith(("http:", "https:")) else None
        with fetched(task.file, http, task.cache, own) as path:
            yield _Archive(task, path, apart if task.read_ahead else None)


class _Archive:
    def __init__(self, task: Task, path: Path, apart: Apart | None) -> None:
        self._task, self._path, self._apart = task, path, apart

    @contextmanager
    def batches(self) -> Iterator[Batches]:
        task, apart = self._task, self._apart
        if apart and (self._path.stat().st_size < _SMALL or not apart.ready()):
            apart = None
        with (
            ByteStream(self._path, task.file.url, task.read_ahead, apart) as stream,
            closing(self._checked(stream)) as checked,
        ):
            yield checked

    def _checked(self, stream: ByteStream) -> Generator[pa.RecordBatch, None, None]:
        wanted = [each.stream.symbol for each in self._task.streams]
        checked, file = Checked(self._task.door.schema), self._task.file
        for batch in self._task.door.read(file, stream, wanted):
            checked.require(batch, file.url)
            if len(batch):
                check(batch, file, checked)
                yield batch

    def known(self, done: Done) -> Done:
        return done


class _Rest:
    """One day of one stream, page by page."""

    def __init__(self, task: Task, http: Http) -> None:
        self._task = task
        (stream,) = task.streams
        (day,) = stream.days
        # Contiguous ids tell by themselves whether two windows are joined.
        named = "trade_id" in task.door.schema.names
        lead = _LEAD if named and task.door.continuity != "contiguous" else 0
        span = Span(stream.stream.symbol, midnight(day.day), day.until, stream.cursor, lead)
        self._http = http
        self._pages = Pages(task.door, http, span, task.file.url)

    @contextmanager
    def batches(self) -> Iterator[Batches]:
        yield self._checked()

    def _checked(self) -> Batches:
        try:
            yield from self._pages  # which are checked there
        except (DataError, MessageError) as error:
            raise self._http.set_aside(error) from error

    def known(self, done: Done) -> Done:
        pages = self._pages
        repeats = done.repeats + pages.repeats
        return attrs.evolve(done, cursor=pages.resume, before=pages.before, repeats=repeats)


class _List:
    """A list as it is now: each symbol's rows by themselves, stamped with the time of reading."""

    def __init__(self, task: Task, http: Http) -> None:
        self._task, self._http = task, http

    @contextmanager
    def batches(self) -> Iterator[Batches]:
        yield self._parted(self._task.door.read(self._http))

    def _parted(self, rows: pa.RecordBatch) -> Batches:
        Checked(self._task.door.schema).require(rows, self._task.file.url)
        names = rows["symbol"].cast(pa.string()).to_pylist()
        wanted = {each.stream.symbol for each in self._task.streams}
        for row, name in enumerate(names):
            if name in wanted:
                one = rows.slice(row, 1)
                given = {"timestamp": times(np.array([self._task.now])), "symbol": word(name, 1)}
                for column, value in given.items():
                    place = one.schema.get_field_index(column)
                    one = one.set_column(place, one.schema.field(place), value)
                yield one

    def known(self, done: Done) -> Done:
        return done


def check(batch: pa.RecordBatch, file: File, checked: Checked) -> None:
    """Raise DataError, naming the row, unless rows lie in the file's days and are whole."""
    # What lies in other days, or has no time, comes first: the rest may follow from that.
    if not batch["timestamp"].null_count:
        time = nanoseconds(batch["timestamp"])
        outside = (time < midnight(file.start)) | (time >= midnight(file.stop))
        if outside.any():
            fault = Fault(outside, _OUTSIDE)
            raise DataError(f"{file.url}: {fault.said(batch, _FETCH)}")
    for fault in checked.faults(batch):
        raise DataError(f"{file.url}: {fault.said(batch, _FETCH)}")
