"""What sets one kind of file apart from another."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

import attrs
import pyarrow as pa

from werks import schema as rows
from werks.errors import SinkError

from . import floats, gather


class Encoder(Protocol):
    """Puts batches into an open file in some format."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows."""
        ...

    def close(self) -> None:
        """Write what belongs at the end; the file itself stays open."""
        ...


def _usual(_: pa.Schema) -> int:
    return gather.ROWS


@attrs.frozen
class Format:
    """What sets one kind of file apart.

    `load` yields the rows of a file that is there, in their order and with exactly the schema that
    it is given; it opens the file when its first row is asked for, raises FileNotFoundError if
    there is none, and may raise OSError, KeyError, ValueError and all errors of Arrow where the
    file is damaged. `stored` reads the schema of a file, where the format has a place for one.
    `rows` tells how many rows of a schema make a write.
    """

    start: Callable[[BinaryIO, pa.Schema], Encoder]
    load: Callable[[Path, pa.Schema], Iterator[pa.RecordBatch]]
    stored: Callable[[Path], pa.Schema] | None = None
    rows: Callable[[pa.Schema], int] = _usual


def fitted(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return rows by a schema: columns by name, floats as amounts of its scales.

    KeyError or ValueError if they have no such columns, or are damaged.
    """
    batch.validate(full=True)  # offsets or words that are not there would crash whoever uses them
    if batch.schema.equals(schema):
        return batch.replace_schema_metadata(schema.metadata)
    columns = [_fitted(batch.column(field.name), field) for field in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _fitted(column: pa.Array, field: pa.Field) -> pa.Array:
    found, ours = column.type, field.type
    if found.equals(ours):
        return column
    if pa.types.is_decimal128(ours):
        # With a scale beyond its precision, as damage may make it, Arrow's cast would crash.
        is_amount = pa.types.is_decimal128(found) and 0 <= found.scale <= found.precision
        can_be = is_amount or pa.types.is_float64(found)
    else:
        can_be = _is_text(found) and _is_text(ours)
    if not can_be:
        raise ValueError(f"{field.name} is {found}, {ours} is expected")
    return floats.amounts(column, ours) if pa.types.is_float64(found) else column.cast(ours)


def _is_text(of: pa.DataType) -> bool:
    return bool(pa.types.is_string(of.value_type if pa.types.is_dictionary(of) else of))


def require_version(path: Path, stored: pa.Schema, schema: pa.Schema) -> None:
    """Raise SinkError if rows were stored by another version."""
    found, ours = rows.version(stored), rows.version(schema)
    if found != ours:
        raise SinkError(
            f"{path} holds rows of version {found}, this werks reads version {ours}; "
            "read it with the werks that wrote it, or have it written anew"
        )
