"""The sink `feather`: Arrow IPC files."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, ClassVar, Literal

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from werks.components import Proof, Receipt, Window, Writer, option
from werks.hookspecs import hookimpl

from . import floats
from .files import FileWriter, Folder, Format, read
from .formats import Encoder, fitted

# A write's bytes in memory at the most: each costs packing anew, and many files are open at once.
_WRITE = 7 << 20
_WORD = 16  # bytes of an id, say


@attrs.frozen
class Feather:
    """Writes Feather files (Arrow IPC, zstd), one a day, symbol and node; the fastest to read back.

    They lie at `<path>/<node>/<exchange>/<symbol>/<YYYY-MM-DD>.feather`; what is still open at the
    end, such as an unfinished bar, is in `open.feather` beside them.
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
        """Yield the rows of a window; floats come back as amounts of its scales."""
        return read(self._folder, self._form, window, node, schema)

    @property
    def _form(self) -> Format:
        return Format(self._start, _load, _stored, rows_of)

    @property
    def _folder(self) -> Folder:
        return Folder(self.path, "feather")

    def encoder(self, file: BinaryIO, schema: pa.Schema) -> Encoder:
        """Return what puts rows into one open file, as `werks export` does."""
        return self._start(file, schema)

    def _start(self, file: BinaryIO, schema: pa.Schema) -> "_Rows":
        return _Rows(file, schema, self.amounts == "float64")


class _Rows:
    """Puts batches into an Arrow IPC file."""

    def __init__(self, file: BinaryIO, schema: pa.Schema, as_floats: bool) -> None:
        codec = pa.Codec("zstd", compression_level=1)
        options = pa.ipc.IpcWriteOptions(compression=codec, emit_dictionary_deltas=True)
        self._as_floats = as_floats
        schema = floats.schema(schema) if as_floats else schema
        self._writer = pa.ipc.new_file(file, schema, options=options)
        self._words: dict[int, pa.Array] = {}

    def write(self, batch: pa.RecordBatch) -> None:
        if self._as_floats:
            batch = floats.batch(batch)
        columns = [self._settled(place, column) for place, column in enumerate(batch.columns)]
        self._writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=batch.schema))

    def close(self) -> None:
        self._writer.close()

    def _settled(self, place: int, column: pa.Array) -> pa.Array:
        """Return a column whose dictionary goes on from the last one: a file can hold no second."""
        if not pa.types.is_dictionary(column.type):
            return column
        words = column.dictionary
        known = self._words.setdefault(place, words)
        if words.equals(known):
            return column
        new = words.filter(pc.invert(pc.is_in(words, known)))
        known = self._words[place] = pa.concat_arrays([known, new])
        places = pc.index_in(words, known).cast(column.type.index_type)
        return pa.DictionaryArray.from_arrays(places.take(column.indices), known)


def rows_of(schema: pa.Schema) -> int:
    """Return how many rows make a write, a power of two."""
    width = sum(_width(field.type) for field in schema)
    return 1 << (_WRITE // width).bit_length() - 1


def _width(of: pa.DataType) -> int:
    if pa.types.is_dictionary(of):
        of = of.index_type
    try:
        return max(1, int(of.bit_width) // 8)
    except ValueError:  # text
        return _WORD


def _load(path: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    with pa.OSFile(str(path)) as file:
        reader = pa.ipc.open_file(file)
        for number in range(reader.num_record_batches):
            yield fitted(reader.get_batch(number), schema)


def _stored(path: Path) -> pa.Schema:
    with pa.OSFile(str(path)) as file:
        return pa.ipc.open_file(file).schema


@hookimpl
def werks_sinks() -> dict[str, type]:
    """Offer the sink."""
    return {"feather": Feather}
