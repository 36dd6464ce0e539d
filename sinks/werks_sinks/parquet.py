"""The sink `parquet`: columns in files that nearly every tool reads."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, ClassVar, Literal

import attrs
import pyarrow as pa

from werks.components import Proof, Receipt, Window, Writer, option
from werks.hookspecs import hookimpl

from . import floats
from .files import FileWriter, Folder, Format, read
from .formats import Encoder, fitted

ROWS = 1 << 16  # a row group
_READ = 1 << 14


@attrs.frozen
class Parquet:
    """Writes Parquet files (zstd), one a day, symbol and node; the smallest.

    They lie at `<path>/<node>/<exchange>/<symbol>/<YYYY-MM-DD>.parquet`; what is still open at the
    end, such as an unfinished bar, is in `open.parquet` beside them.
    """

    replaces: ClassVar[bool] = True

    path: Path = option(help="The folder that the files go to; it is made if it is not there.")
    amounts: Literal["decimal", "float64"] = option(
        "decimal",
        help="How amounts are kept: `decimal`, exactly, or `float64`, the nearest float.",
        validator=attrs.validators.in_(("decimal", "float64")),
    )

    def open(self, schemas: Mapping[str, pa.Schema]) -> Writer:
        """Return a writer for these nodes."""
        return FileWriter(self._folder, schemas, self._form)

    def holds(self, window: Window, node: str, receipt: Receipt) -> bool:
        """Tell whether a window's file is still there with its size."""
        return self._folder.holds(window, node, receipt)

    def proofs(self, node: str) -> Iterable[tuple[Window, Proof | None]]:
        """Yield all windows of a node that are there, with the proofs that lie beside them."""
        return self._folder.proofs(node)

    def read(self, window: Window, node: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a window; floats come back as the nearest amounts of its scales."""
        return read(self._folder, self._form, window, node, schema)

    @property
    def _form(self) -> Format:
        return Format(self._start, _load, _stored, lambda _: ROWS)

    @property
    def _folder(self) -> Folder:
        return Folder(self.path, "parquet")

    def encoder(self, file: BinaryIO, schema: pa.Schema) -> Encoder:
        """Return what puts rows into one open file, as `werks export` does."""
        return self._start(file, schema)

    def _start(self, file: BinaryIO, schema: pa.Schema) -> "_Rows":
        return _Rows(file, schema, self.amounts == "float64")


class _Rows:
    """Puts batches into a Parquet file, each as a row group."""

    def __init__(self, file: BinaryIO, schema: pa.Schema, as_floats: bool) -> None:
        from pyarrow import parquet

        self._as_floats = as_floats
        schema = floats.schema(schema) if as_floats else schema
        words = [field.name for field in schema if pa.types.is_dictionary(field.type)]
        # Twice as fast as the defaults and a fifth to a half smaller on trades and ticks: their
        # amounts and ids hardly repeat, so dictionaries only cost; of the statistics only the
        # time's lets a reader skip row groups.
        self._writer = parquet.ParquetWriter(
            file,
            schema,
            compression="zstd",
            compression_level=1,
            use_dictionary=words,
            column_encoding=_encodings(schema),
            write_statistics=["timestamp"],
        )

    def write(self, batch: pa.RecordBatch) -> None:
        self._writer.write_batch(floats.batch(batch) if self._as_floats else batch)

    def close(self) -> None:
        try:
            self._writer.close()
        finally:
            self._writer.is_open = False  # else it tries once more when it is collected


def _encodings(schema: pa.Schema) -> dict[str, str]:
    encodings = {}
    for field in schema:
        if pa.types.is_integer(field.type) or pa.types.is_timestamp(field.type):
            encodings[field.name] = "DELTA_BINARY_PACKED"
        elif pa.types.is_string(field.type):
            encodings[field.name] = "DELTA_BYTE_ARRAY"
    return encodings


def _load(path: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    from pyarrow import parquet

    # Group by group and without reading ahead, or it would keep what it has read until the end.
    with parquet.ParquetFile(path, buffer_size=1 << 16, pre_buffer=False) as file:
        for group in range(file.num_row_groups):
            for batch in file.iter_batches(_READ, [group], schema.names, use_threads=False):
                yield fitted(batch, schema)


def _stored(path: Path) -> pa.Schema:
    from pyarrow import parquet

    return parquet.read_schema(path)


@hookimpl
def werks_sinks() -> dict[str, type]:
    """Offer the sink."""
    return {"parquet": Parquet}
