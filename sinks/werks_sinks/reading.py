"""Rows of a sink read back: from the final file of a window, else from its segments."""

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
from isal import isal_zlib

from werks.components import Window
from werks.errors import SinkError

from . import gather, segments
from .disk import naming
from .formats import Format, require_version
from .places import Folder

_ABSENT = (FileNotFoundError, NotADirectoryError)
# What Arrow, the parsers and the decompressors raise where a file is cut or altered.
_UNPACKING: Any = (EOFError, NotImplementedError, isal_zlib.error, zlib.error, zipfile.BadZipFile)
_DAMAGE = (pa.ArrowException, OSError, LookupError, ValueError, *_UNPACKING)


def read(
    folder: Folder, form: Format, window: Window, node: str, schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a window in their order; nothing where there are none.

    They come from the final file, else from the segments as far as they are whole. SinkError,
    naming the file, if it is damaged or has rows of another version or with other columns.
    """
    final, live = folder.target(window, node), folder.segments(window, node)
    # The final file once more: segments that are gone by now have just become it.
    for path in (final, live, final):
        try:
            if path == live:
                yield from gather.regrouped(appended(path, schema), form.rows(schema))
            else:
                yield from load(form, path, schema)
        except _ABSENT:
            continue
        return


def appended(path: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Yield the rows of segments, as far as they are whole; FileNotFoundError if there is none."""
    with damage_named(path):
        for batch, _ in segments.whole(path, schema):
            yield batch


def load(form: Format, path: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a file of a format; FileNotFoundError if there is none."""
    if form.stored:
        with damage_named(path):
            require_version(path, form.stored(path), schema)
    with damage_named(path):
        yield from form.load(path, schema)


@contextmanager
def damage_named(path: Path) -> Iterator[None]:
    """Turn an error of reading a file into a SinkError that names it; none there is no damage."""
    try:
        yield
    except _ABSENT:
        raise
    except _DAMAGE as error:
        if isinstance(error, OSError) and error.errno:
            with naming(path):
                raise
        what = " ".join(str(error).split())  # Arrow's may have several lines
        raise SinkError(
            f"{path} is damaged: {what}; remove it, then run again to have it written anew"
        ) from error
