"""The sink `csv`: text that everything reads."""

from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, ClassVar, Literal

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from werks.components import Receipt, Window, Writer, option
from werks.hookspecs import hookimpl

from . import text
from .files import FileWriter, Folder, Format


@attrs.frozen
class Csv:
    """Writes CSV files with a header, one a day, symbol and node.

    They lie at `<path>/<node>/<exchange>/<symbol>/<YYYY-MM-DD>.csv`; what is still open at the end,
    such as an unfinished bar, is in `open.csv` beside them. Amounts are exact, without exponents
    and trailing zeros; what is unknown is empty.
    """

    replaces: ClassVar[bool] = True

    path: Path = option(help="The folder that the files go to; it is made if it is not there.")
    timestamps: Literal["iso", "ns"] = option(
        "iso",
        help="How times are written: `iso`, 2019-10-01T00:00:20.901823000Z, or `ns` since 1970.",
        validator=attrs.validators.in_(("iso", "ns")),
    )

    def open(self, schemas: Mapping[str, pa.Schema]) -> Writer:
        """Return a writer for these nodes."""
        return FileWriter(self._folder, schemas, Format(self._start, None))

    def holds(self, window: Window, node: str, receipt: Receipt) -> bool:
        """Tell whether a window's file is still there with its size."""
        return self._folder.holds(window, node, receipt)

    @property
    def _folder(self) -> Folder:
        return Folder(self.path, "csv")

    def _start(self, file: BinaryIO, schema: pa.Schema) -> "_Rows":
        return _Rows(file, schema, self.timestamps)


class _Rows:
    """Puts batches into a CSV file."""

    def __init__(self, file: BinaryIO, schema: pa.Schema, timestamps: str) -> None:
        self._file, self._as_numbers = file, timestamps == "ns"
        file.write((",".join(schema.names) + "\n").encode())

    def write(self, batch: pa.RecordBatch) -> None:
        columns = [self._column(column) for column in batch.columns]
        plain = pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
        # Arrow quotes all text or none, so all of it is quoted only where something needs it.
        style = "needed" if any(map(_has_empty, batch.columns)) else "none"
        try:
            self._file.write(_encoded(plain, style))
        except pa.ArrowInvalid:  # a comma, a quote or a line's end within some text
            self._file.write(_encoded(plain, "needed"))

    def close(self) -> None:
        pass

    def _column(self, column: pa.Array) -> pa.Array:
        if pa.types.is_decimal(column.type):
            return text.amounts(column)
        if pa.types.is_timestamp(column.type):
            return column.view(pa.int64()) if self._as_numbers else text.times(column)
        if pa.types.is_dictionary(column.type):
            return column.cast(column.type.value_type)
        return column


def _encoded(batch: pa.RecordBatch, style: str) -> pa.Buffer:
    from pyarrow import csv

    options = csv.WriteOptions(include_header=False, batch_size=8192, quoting_style=style)
    stream = pa.BufferOutputStream()
    csv.write_csv(batch, stream, options)
    return stream.getvalue()


def _has_empty(column: pa.Array) -> bool:
    """Tell whether some text is empty; it is quoted, as a field without anything is null."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary
    if not pa.types.is_string(column.type):
        return False
    return pc.min(pc.binary_length(column)).as_py() == 0  # type: ignore[no-any-return]


@hookimpl
def werks_sinks() -> dict[str, type]:
    """Offer the sink."""
    return {"csv": Csv}
