"""A file of our sinks: `<node>/<exchange>/<symbol>/<day>.<ext>`, with our schema in it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from ..errors import DataError, WerksError
from ..schema import VERSION, Scales, kind, schema, version
from .asked import Asked
from .candles import minutes_of, settle
from .found import OURS
from .ids import are_whole
from .kinds import KINDS, OTHER, TRADES
from .published import midnight, tested
from .reading import IN_ORDER, read
from .tally import Expected, Tally
from .text import text_batches, text_schema
from .verdict import OWN, Verdict

_ROWS = 1 << 16
_OPEN = "open"


def own_file(path: Path, asked: Asked) -> Verdict | None:
    """Return the verdict of a file that one of our sinks has written; None if it is none."""
    verdict = Verdict(path, OWN)
    try:
        of = _schema(path)
        if of is None:
            return None
        _name_days(verdict)
        tested(verdict, asked)
        verdict.kind = _require_ours(of)
        _judge(verdict, _File(path, of), asked)
    except WerksError as error:
        verdict.problems.append(str(error))
    except (pa.ArrowException, OSError, ValueError) as error:
        verdict.problems.append(f"cannot be read, it is cut off or corrupt: {_line(error)}")
    return verdict


def _schema(path: Path) -> pa.Schema | None:
    if path.suffix == ".csv":
        return text_schema(path)
    if path.suffix == ".feather":
        with pa.OSFile(str(path)) as source:
            return pa.ipc.open_file(source).schema
    if path.suffix in OURS:
        from pyarrow import parquet

        return parquet.read_schema(path)
    return None


def _require_ours(of: pa.Schema) -> str:
    """Return the kind of rows; DataError unless the schema is one of this version."""
    what = kind(of)
    if not what:
        raise DataError("its metadata does not say what its rows are: no sink of werks wrote it")
    if version(of) != VERSION:
        raise DataError(f"is of version {version(of)}, this werks reads version {VERSION}")
    try:
        names = schema(what, Scales(0, 0)).names
    except KeyError:
        raise DataError(f"holds rows of an unknown kind: {what}") from None
    if of.names[: len(names)] != names:
        lacking = [name for name in names if name not in of.names]
        raise DataError(f"is no table of {what}: {', '.join(lacking) or 'its columns'} are not so")
    return what


def _require_values(batch: pa.RecordBatch, what: str) -> None:
    needed = [name for name in batch.schema.names if name not in KINDS.get(what, OTHER).nullable]
    for name in needed if what in KINDS else ["timestamp"]:
        if batch[name].null_count:
            raise DataError(f"rows without {name}: {batch[name].null_count:,}")


@attrs.frozen
class _File:
    path: Path
    schema: pa.Schema

    @contextmanager
    def batches(self) -> Iterator[Iterator[tuple[str, pa.RecordBatch]]]:
        """Open the rows, each batch proven to be whole in memory."""
        yield (("", batch) for batch in self._checked())

    def _checked(self) -> Iterator[pa.RecordBatch]:
        for batch in self._read():
            batch.validate(full=True)  # bytes that were altered must not lead out of the buffers
            _require_values(batch, kind(self.schema))
            if len(batch):
                yield batch

    def _read(self) -> Iterator[pa.RecordBatch]:
        if self.path.suffix == ".csv":
            yield from text_batches(self.path, self.schema)
        elif self.path.suffix == ".feather":
            with pa.OSFile(str(self.path)) as source:
                reader = pa.ipc.open_file(source)
                for number in range(reader.num_record_batches):
                    yield reader.get_batch(number)
        else:
            from pyarrow import parquet

            with parquet.ParquetFile(self.path) as stored:
                yield from stored.iter_batches(_ROWS)

    def first(self) -> pa.RecordBatch | None:
        """Return the first rows; None where there are none."""
        with self.batches() as batches:
            return next((batch for _, batch in batches), None)


def _judge(verdict: Verdict, file: _File, asked: Asked) -> None:
    first = file.first()
    if first is None:
        verdict.problems.append("holds no rows, where a sink writes no file")
        return
    verdict.exchange, verdict.symbol = (first[name][0].as_py() for name in ("exchange", "symbol"))
    _judge_place(verdict)
    expected = _expected(verdict, first, asked)
    minutes = minutes_of(file.schema, verdict.kind) if asked.http and _exact(file.schema) else None
    strangers = _Strangers(verdict)
    found = read(
        strangers.watched(file.batches),
        lambda _: Tally(expected, minutes),
        verdict.path.name,
        expected.numeric and verdict.kind in TRADES,
    )
    tally, order = found[""]
    verdict.take(tally, order)
    if order != IN_ORDER:
        verdict.problems.append(f"rows are not in order: {order}")
    if not _exact(file.schema):
        verdict.notes.append("amounts are floats: there are no exact totals")
    if verdict.path.stem == _OPEN and verdict.kind == "BAR" and tally.whole_bars:
        verdict.problems.append(f"complete bars where all are open: {tally.whole_bars:,}")
    settle(verdict, tally, asked)


def _expected(verdict: Verdict, first: pa.RecordBatch, asked: Asked) -> Expected:
    said = asked.continuity(verdict.exchange)
    columns = KINDS.get(verdict.kind, OTHER).ids
    numeric = said in ("contiguous", "increasing") and columns is not None
    numeric = numeric and all(are_whole(first[name]) for name in columns or ())
    return Expected(
        name=verdict.path.name,
        kind=verdict.kind,
        begin=midnight(verdict.start) if verdict.start else None,
        end=midnight(verdict.stop) if verdict.stop else None,
        numeric=numeric,
        contiguous=numeric and said == "contiguous",
    )


class _Strangers:
    """Notes rows of another exchange or symbol than the first row's."""

    def __init__(self, verdict: Verdict) -> None:
        self._verdict = verdict

    def watched(self, opened: Any) -> Any:
        @contextmanager
        def watching() -> Iterator[Any]:
            with opened() as batches:
                yield self._watch(batches)

        return watching

    def _watch(self, batches: Any) -> Iterator[Any]:
        for name, batch in batches:
            for column in ("exchange", "symbol"):
                mine = getattr(self._verdict, column)
                given = pc.unique(batch[column].cast(pa.string())).to_pylist()
                if given != [mine]:
                    other = next(each for each in given if each != mine)
                    raise DataError(f"holds rows of {other}, the first row is of {mine}")
            yield name, batch


def _judge_place(verdict: Verdict) -> None:
    """Note a file that lies in the folder of another symbol."""
    folder = verdict.path.resolve().parent
    symbol, exchange = folder.name, folder.parent.name
    placed = unquote(exchange) == verdict.exchange and "%~" not in symbol
    if placed and unquote(symbol) != verdict.symbol:
        verdict.problems.append(f"holds {verdict.symbol}, and lies in the folder of {symbol}")


def _name_days(verdict: Verdict) -> None:
    name = verdict.path.stem
    try:
        verdict.start = date.fromisoformat(name)
        verdict.stop = verdict.start + timedelta(days=1)
    except ValueError:
        if name != _OPEN:
            verdict.notes.append("its name is no day: whose rows they are cannot be checked")


def _exact(of: pa.Schema) -> bool:
    """Tell whether amounts are decimals."""
    return not any(pa.types.is_floating(field.type) for field in of)


def _line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
