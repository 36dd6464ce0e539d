"""CSV files of our sink as rows of their schema."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ..archive import ByteStream, blocks
from ..errors import MessageError
from ..schema import TIME, Scales, kind, same, schema
from .kinds import KINDS

# A file of text does not state its scales: these hold the amounts of every market that is known.
_SCALES = Scales(price=12, size=12)
_NULL_TIMES = ("received",)


def text_schema(path: Path) -> pa.Schema | None:
    """Return the schema that a CSV file's header is of; None if it is none of ours."""
    with path.open("rb") as file:
        names = file.readline(4096).decode("utf-8", "replace").strip().replace('"', "").split(",")
    known = (schema(each, _SCALES) for each in KINDS)
    return next((each for each in known if each.names == names), None)


def text_batches(path: Path, of: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a CSV file; MessageError names the row that cannot be read."""
    lacking = KINDS[kind(of)].nullable
    stored = {field.name: _stored(field.type) for field in of}
    # A number may not be empty where it is read as one; text may.
    wanted = {k: v for k, v in stored.items() if k not in lacking or pa.types.is_string(v)}
    with ByteStream(path, path.name) as opened:
        stream: Any = opened
        for row, block in blocks(stream, path.name, wanted):
            columns = [_column(block, field, f"{path.name}: row {row}") for field in of]
            yield pa.RecordBatch.from_arrays(columns, schema=of)


def _stored(of: pa.DataType) -> pa.DataType:
    """Return what a column is read as: amounts and counts as such, all else as text."""
    if pa.types.is_decimal(of):
        return of
    return pa.int64() if pa.types.is_integer(of) else pa.string()


def _column(block: pa.RecordBatch, field: pa.Field, where: str) -> pa.Array:
    if field.name not in block.schema.names or field.name in _NULL_TIMES:
        return pa.nulls(len(block), field.type)
    given = block[field.name]
    if pa.types.is_timestamp(field.type):
        return _times(given, f"{where} or below: {field.name}")
    if pa.types.is_dictionary(field.type):
        return given.dictionary_encode()
    if pa.types.is_boolean(field.type):
        return pa.array(same(given, "true"))
    if pa.types.is_string(field.type):
        return pc.if_else(pc.equal(given, _empty()), pa.scalar(None, pa.string()), given)
    return given.cast(field.type)


def _times(given: pa.Array, where: str) -> pa.Array:
    try:
        if given[0].as_py().isdigit():
            return given.cast(pa.int64()).view(TIME)
        return given.cast(TIME)
    except pa.ArrowInvalid as error:
        raise MessageError(f"{where} is no time: {error}") from error


def _empty() -> pa.Scalar:
    return pa.scalar("", pa.string())
