"""The rows of a task by its door: a file of the archive, a span by REST, a whole list."""

from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..amounts import ints, limbs
from ..archive import ByteStream, fetched
from ..components import File
from ..errors import DataError, MessageError
from ..history import Pages, Span
from ..http import Http
from ..schema import nanoseconds, same, times, word
from .task import Done, Task, midnight

# How much earlier REST is asked, so that the last trade of the window before may be seen.
_LEAD = 60 * 10**9
Batches = Iterator[pa.RecordBatch]
# What every trade has.
_TRADE = ("timestamp", "trade_id", "tick_rule", "price", "size", "notional")
_FLAGS = pa.array(["block", "liquidation", "off_book", "rpi"], pa.string())
_FETCH, _MEND = "fetch the file again", "mend the plugin"


class Rows(Protocol):
    """The rows of a task, one symbol a batch; `batches` may be opened anew to read them again."""

    def batches(self) -> AbstractContextManager[Batches]:
        """Open the rows."""
        ...

    def known(self, done: Done) -> Done:
        """Return what was done, with what only the door knows of it."""
        ...


@contextmanager
def opened(task: Task, http: Http) -> Iterator[Rows]:
    """Give the rows of a task."""
    if task.via == "rest":
        yield _Rest(task, http)
    elif task.via == "snapshot":
        yield _List(task, http)
    else:
        content = getattr(task.door, "content", None)
        own = content if not task.file.url.startswith(("http:", "https:")) else None
        with fetched(task.file, http, task.cache, own) as path:
            yield _Archive(task, path)


class _Archive:
    def __init__(self, task: Task, path: Path) -> None:
        self._task, self._path = task, path

    @contextmanager
    def batches(self) -> Iterator[Batches]:
        task = self._task
        with (
            ByteStream(self._path, task.file.url, task.read_ahead) as stream,
            closing(self._checked(stream)) as checked,
        ):
            yield checked

    def _checked(self, stream: ByteStream) -> Generator[pa.RecordBatch, None, None]:
        wanted = [each.stream.symbol for each in self._task.streams]
        for batch in self._task.door.read(self._task.file, stream, wanted):
            if len(batch):
                check(batch, self._task.file)
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
            for batch in self._pages:
                check(batch, self._task.file)
                yield batch
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


def check(batch: pa.RecordBatch, file: File) -> None:
    """Raise DataError, naming the row, unless rows lie in the file's days and are whole."""
    _check_given(batch, file)
    time = nanoseconds(batch["timestamp"])
    begin, end = midnight(file.start), midnight(file.stop)
    _refuse(
        (time < begin) | (time >= end),
        batch,
        file,
        "lies outside of the file's days: a file of another day, or a time in another unit",
    )
    if "trade_id" in batch.schema.names:
        _check_trades(batch, file)


def _check_given(batch: pa.RecordBatch, file: File) -> None:
    for name in _TRADE if "trade_id" in batch.schema.names else _TRADE[:1]:
        if name in batch.schema.names and batch[name].null_count:
            bad = int(np.argmax(batch[name].is_null().to_numpy(zero_copy_only=False)))
            why = f"has no {name}: the plugin is to give one"
            raise DataError(f"{file.url}: row {bad + 1} of a batch {why}")


def _check_trades(batch: pa.RecordBatch, file: File) -> None:
    _refuse(same(batch["trade_id"], ""), batch, file, "has no id")
    ordinary = np.ones(len(batch), bool)
    if "flag" in batch.schema.names and batch["flag"].null_count < len(batch):
        ordinary = batch["flag"].is_null().to_numpy(zero_copy_only=False)
    for name in ("price", "size"):
        # A component may give the wire's own words, in which a price is text.
        if name not in batch.schema.names or not pa.types.is_decimal(batch.schema.field(name).type):
            continue
        values = ints(limbs(batch[name]))
        wrong = np.asarray(values <= 0, bool) & ordinary
        _refuse(wrong, batch, file, f"has a {name} that is not above 0")
    if "tick_rule" in batch.schema.names and batch.schema.field("tick_rule").type == pa.int8():
        rules = batch["tick_rule"].to_numpy()
        _refuse(
            (rules < -1) | (rules > 1), batch, file, "has a tick_rule beyond -1, 0 and 1", _MEND
        )
    if not ordinary.all():
        odd = ~pc.is_in(batch["flag"], _FLAGS).to_numpy(zero_copy_only=False) & ~ordinary
        words = ", ".join(_FLAGS.to_pylist())
        _refuse(odd, batch, file, f"has a flag that is none of {words}", _MEND)


def _refuse(wrong: Any, batch: pa.RecordBatch, file: File, why: str, advice: str = _FETCH) -> None:
    if wrong.any():
        bad = int(np.argmax(wrong))
        stamp = np.datetime64(int(nanoseconds(batch["timestamp"])[bad]), "ns")
        named = "trade_id" in batch.schema.names
        what = f"the trade {batch['trade_id'][bad]}" if named else "the row"
        raise DataError(f"{file.url}: {what} of {stamp} {why}; {advice}")
