"""The lines of a table as batches of typed columns: by a process apart, a thread, or in turn."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import pyarrow as pa
import pyarrow.csv as pacsv

from .ahead import Ahead
from .digits import ROOM
from .lines import plain
from .unpack import ByteStream

# What pyarrow reads at once.
_BYTES = 1 << 19
# What a batch has at least (the last one may have fewer): smaller ones cost the transforms more,
# larger ones take more memory.
_ROWS = 7 << 13
# How many rows are parsed at once: few enough to stay in the processor's caches.
_BLOCK = 1 << 14
# How many bytes of plain lines tell what a block has, and the most that is read at once.
_SOME, _MOST = 1 << 19, 1 << 23
# How many batches are parsed ahead of what is made of them.
_DEPTH = 1
Types = Mapping[str, pa.DataType]


@attrs.frozen
class Wanted:
    """Which columns are wanted of which file; `header` tells that its first line is no row."""

    path: Path
    name: str
    names: Sequence[str]
    header: bool
    types: Types


def whole(wanted: Wanted) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a file in batches, read ahead."""
    with (
        ByteStream(wanted.path, wanted.name) as stream,
        reading(stream, wanted.names, wanted.header, wanted.types) as batches,
    ):
        yield from batches


@contextlib.contextmanager
def reading(
    stream: Any, names: Sequence[str], header: bool, types: Types
) -> Iterator[Iterator[pa.RecordBatch]]:
    """Give the rows of a ByteStream in batches, which are read ahead where its bytes are."""
    if stream.apart is not None:
        wanted = Wanted(stream.path, stream.name, names, header, types)
        with stream.apart.made(wanted) as batches:
            yield batches
        return
    batches = _read(stream, names, header, types)
    if not stream.ahead:
        yield batches
        return
    ahead = Ahead(batches, _DEPTH)
    try:
        yield ahead
    finally:
        ahead.stop()


def _read(
    stream: Any, names: Sequence[str], header: bool, types: Types
) -> Iterator[pa.RecordBatch]:
    """Yield the rows in batches of at least `_ROWS`, the last one excepted."""
    pending: list[pa.RecordBatch] = []
    rows = 0
    for batch in _batches(stream, names, header, types):
        pending.append(batch)
        rows += batch.num_rows
        if rows >= _ROWS:
            yield _joined(pending)
            pending, rows = [], 0
    if rows:
        yield _joined(pending)


def _batches(
    stream: Any, names: Sequence[str], header: bool, types: Types
) -> Iterator[pa.RecordBatch]:
    if header:
        stream.skip_line()
    begun, size = header, _size(stream)
    while len(text := stream.lines(size, ROOM)) > 2 * ROOM:
        batch = plain(text, names, types)
        if batch is None:
            # An empty line before, which is skipped: what follows is not the beginning of a file.
            stream.unread(b"\n" * begun + text[ROOM:-ROOM])
            yield from _other(stream, names, int(begun), types)
            return
        begun, text = True, b""  # which is not needed while the batch is worked on
        yield batch


def _size(stream: Any) -> int:
    """Return how many bytes at once make a block, but for a few rows more, by the first lines."""
    lines: bytes = stream.lines(_SOME, 0)
    stream.unread(lines)
    return min(_MOST, (_BLOCK + _BLOCK // 16) * len(lines) // max(1, lines.count(b"\n")))


def _other(stream: Any, names: Sequence[str], skip: int, types: Types) -> Iterator[pa.RecordBatch]:
    """Yield what is left of a stream, read by pyarrow."""
    options = pacsv.ReadOptions(
        block_size=_BYTES,
        column_names=list(names),
        skip_rows=skip,
        use_threads=stream.ahead,
    )
    columns = pacsv.ConvertOptions(
        column_types=dict(types), include_columns=list(types), null_values=[""]
    )
    try:
        reader = pacsv.open_csv(stream, options, pacsv.ParseOptions(), columns)
    except pa.ArrowInvalid as error:
        if "Empty CSV file" in str(error):  # nothing but empty lines
            return
        raise
    yield from reader


def _joined(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    return batches[0] if len(batches) == 1 else pa.concat_batches(batches)
