"""Lines of comma-separated text read back as the very rows that they were written from."""

from collections.abc import Callable, Iterator
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc

from werks.errors import SinkError
from werks.schema import TIME

from .lines import UNITS, Spelling

_BLOCK = 1 << 22


class Limited:
    """Bytes of an open file from where it stands, no more than so many."""

    closed = False

    def __init__(self, file: Any, size: int) -> None:
        self._file, self._left = file, size

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes."""
        wanted = self._left if size < 0 else min(size, self._left)
        found: bytes = self._file.read(wanted)
        self._left -= len(found)
        return found

    def readable(self) -> bool:
        """Tell that it may be read."""
        return True


def require_whole(spelling: Spelling, schema: pa.Schema, name: str) -> None:
    """Raise SinkError if lines do not hold all columns of the rows."""
    lacking = spelling.lacks(schema)
    if lacking:
        raise SinkError(
            f"{name}: this csv leaves out {', '.join(lacking)}, so its rows cannot be read back"
        )


def parsed(
    file: IO[bytes] | Limited, spelling: Spelling, schema: pa.Schema, with_head: bool = True
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of lines by the schema that they were written with.

    ArrowInvalid or ValueError if they are not what this spelling makes of such rows.
    """
    from pyarrow import csv

    names, head = spelling.names(schema), spelling.head(schema)
    if with_head and file.read(len(head)) != head:
        raise ValueError(f"the first line is not {head.decode().strip()!r}")
    yes, no = spelling.booleans
    options = csv.ConvertOptions(
        column_types={field.name: _read_as(field.type, spelling) for field in schema},
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
        true_values=[yes],
        false_values=[no],
    )
    parse = csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False)
    try:
        reader = csv.open_csv(
            pa.PythonFile(file, "r"),
            csv.ReadOptions(column_names=names, block_size=_BLOCK, use_threads=False),
            parse,
            options,
        )
    except pa.ArrowInvalid as error:
        if "Empty CSV file" in str(error):
            return
        raise
    makers = [_maker(field.type, spelling) for field in schema]
    for batch in reader:
        columns = [make(batch[name]) for make, name in zip(makers, schema.names, strict=True)]
        yield pa.RecordBatch.from_arrays(columns, schema=schema)


def _read_as(of: pa.DataType, spelling: Spelling) -> pa.DataType:
    if pa.types.is_dictionary(of):
        return of.value_type
    if pa.types.is_timestamp(of):  # an ISO time is read by a cast: this reader knows no nine digits
        return pa.string() if spelling.timestamps == "iso" else pa.int64()
    return of


def _maker(of: pa.DataType, spelling: Spelling) -> Callable[[pa.Array], pa.Array]:
    if pa.types.is_dictionary(of):
        return lambda column: column.dictionary_encode().cast(of)
    if not pa.types.is_timestamp(of):
        return lambda column: column
    if spelling.timestamps == "iso":
        return lambda column: column.cast(TIME).cast(of)
    size = pa.scalar(UNITS[spelling.timestamps], pa.int64())
    return lambda column: pc.multiply_checked(column, size).view(TIME).cast(of)
