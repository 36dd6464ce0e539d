"""A file as its exchange has published it, read by the door of a plugin."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pyarrow as pa

from ..archive import ByteStream
from ..components import File
from ..errors import FOREIGN, DataError, WerksError
from ..schema import kind
from . import checksum
from .asked import Asked, Door
from .candles import minutes_of, settle
from .reading import UNORDERED, read
from .tally import Expected, Tally
from .verdict import Verdict

_DAY = 86_400 * 10**9


def midnight(day: date) -> int:
    """Return the first nanosecond of a UTC day."""
    return (day - date(1970, 1, 1)).days * _DAY


def published_file(path: Path, asked: Asked) -> list[Verdict]:
    """Return the verdicts of an exchange's file, one for each symbol in it."""
    verdict = Verdict(path)
    try:
        tested(verdict, asked)
        door, file = _recognised(path, asked)
        component = door.component
        verdict.source, verdict.exchange = door.type, component.exchange
        verdict.kind = kind(component.schema)
        verdict.start, verdict.stop = file.start, file.stop
        verdict.symbol = file.symbols[0] if len(file.symbols) == 1 else ""
        return _judged(verdict, _Published(path, component, file), asked)
    except WerksError as error:
        verdict.problems.append(str(error))
    except FOREIGN as error:  # a plugin's own code, which must not stop the audit of other files
        verdict.problems.append(f"cannot be read: {type(error).__name__}: {error}")
    return [verdict]


def tested(verdict: Verdict, asked: Asked) -> None:
    """Check a file against its checksum, if there is one."""
    expected = checksum.published(verdict.path, asked.checksum)
    if expected is not None:
        verdict.checksum = "good" if checksum.is_good(verdict.path, expected) else "wrong"
        if verdict.checksum == "wrong":
            verdict.problems.append("the checksum is not the published one: broken, or replaced")


@attrs.frozen
class _Published:
    path: Path
    door: Any
    file: File

    @contextmanager
    def batches(self) -> Iterator[Iterator[tuple[str, pa.RecordBatch]]]:
        """Open the rows, each batch with its symbol."""
        with ByteStream(self.path, self.path.name) as stream:
            yield self._named(stream)

    def _named(self, stream: Any) -> Iterator[tuple[str, pa.RecordBatch]]:
        for batch in self.door.read(self.file, stream, self.file.symbols):
            if len(batch):
                yield batch["symbol"][0].as_py(), batch

    def try_it(self) -> None:
        """Read the first rows; an error if they are not of this door's kind."""
        with ByteStream(self.path, self.path.name, ahead=False) as stream:
            next(self._named(stream), None)


def _recognised(path: Path, asked: Asked) -> tuple[Door, File]:
    """Return the one door that reads a file; DataError if there is none, or several."""
    found = [(door, file) for door in asked.archives if (file := _file(path, door, asked))]
    if len(found) > 1:
        found = _readable(path, found)
    if not found:
        what = f"{asked.source} does not know" if asked.source else "no installed plugin knows"
        raise DataError(f"{what} a file of that name: give it the name that it was published by")
    if len(found) > 1:
        names = " or ".join(str(door) for door, _ in found)
        raise DataError(f"may be of {names}: say which by --type and -o market=…")
    return found[0]


def _file(path: Path, door: Door, asked: Asked) -> File | None:
    recognises = getattr(door.component, "recognises", None)
    try:
        file: File | None = recognises(path.absolute().as_posix()) if recognises else None
    except ValueError:  # the name has a day that there is not
        return None
    if file is None:
        return None
    symbols = file.symbols or asked.symbols
    return attrs.evolve(file, url=path.name, symbols=symbols, checksum="")


def _readable(path: Path, found: list[tuple[Door, File]]) -> list[tuple[Door, File]]:
    """Return those doors that can read the first rows; the error of the last one if none can."""
    good, failure = [], None
    for door, file in found:
        try:
            _Published(path, door.component, file).try_it()
            good.append((door, file))
        except WerksError as error:
            failure = error
    if failure is not None and not good:
        raise failure
    return good


def _judged(verdict: Verdict, opened: _Published, asked: Asked) -> list[Verdict]:
    component = opened.door
    numeric = component.continuity in ("contiguous", "increasing")
    expected = Expected(
        name=opened.path.name,
        kind=verdict.kind,
        begin=midnight(opened.file.start),
        end=midnight(opened.file.stop),
        numeric=numeric,
        contiguous=component.continuity == "contiguous",
    )
    made = partial(_tally, component.schema, expected, asked)
    found = read(opened.batches, made, opened.path.name, numeric)
    verdicts = []
    for symbol, (tally, order) in found.items():
        each = attrs.evolve(
            verdict, symbol=symbol, problems=[*verdict.problems], notes=[*verdict.notes]
        )
        each.take(tally, order)
        if order == UNORDERED:
            each.problems.append("rows are unordered: werks sorts them before they are used")
        settle(each, tally, asked)
        verdicts.append(each)
    if not verdicts:
        verdict.notes.append("holds no rows")
    return verdicts or [verdict]


def _tally(of: pa.Schema, expected: Expected, asked: Asked, _: str) -> Tally:
    return Tally(expected, minutes_of(of, expected.kind) if asked.http else None)
