"""The windows that are appended to, and the way between segments and final files."""

import fcntl
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from werks.components import Receipt, Window
from werks.errors import SinkError

from . import segments
from .disk import Aside, naming, remove
from .formats import Format, require_version
from .places import Folder, size_of
from .reading import damage_named, load
from .segments import Segment, Words, in_use

MOST_OPEN = 256
Key = tuple[Window, str]


class Live:
    """The segments of all nodes and windows; at most `MOST_OPEN` files are open at a time."""

    def __init__(self, folder: Folder, schemas: Mapping[str, pa.Schema], form: Format) -> None:
        self._folder, self._schemas, self._form = folder, schemas, form
        self._known: OrderedDict[Key, Segment] = OrderedDict()
        self._open: OrderedDict[Key, Segment] = OrderedDict()

    def append(
        self, window: Window, rows: Mapping[str, Callable[[], Iterable[pa.RecordBatch]]]
    ) -> Receipt:
        """Append the rows of some nodes, all or none, and return how far each reaches."""
        of = {node: self.segment(window, node) for node in rows}
        before = {node: (segment.rows, segment.bytes) for node, segment in of.items()}
        try:
            for node, segment in of.items():
                for batch in rows[node]():
                    self._touch((window, node), segment)
                    segment.write(batch)
            for segment in of.values():
                segment.settle()
        except BaseException:
            self._take_back(window, before)
            raise
        return {
            node: {
                "rows": segment.rows,
                "bytes": segment.bytes,
                "path": segment.name,
            }
            for node, segment in of.items()
        }

    def segment(self, window: Window, node: str) -> Segment:
        """Return where a node's rows are appended to: behind all that is there of the window."""
        known = self._known.get((window, node))
        if known is None:
            if size_of(self._folder.target(window, node)) is not None:
                known = self._rebuilt(window, node, self._final(window, node), None)
            else:
                known = self._found(window, node, None) or self._new(window, node)
            self._known[window, node] = known
        return known

    def rows(self, window: Window, node: str) -> Iterator[pa.RecordBatch]:
        """Yield all rows of a node's segments; SinkError if some are not there any more."""
        segment, read = self.segment(window, node), 0
        # Gone, it may come back with its disk.
        with naming(segment.path), damage_named(segment.path):
            for batch, end in segments.whole(segment.path, self._schemas[node]):
                if end <= segment.bytes:
                    read += len(batch)
                    yield batch
        if read != segment.rows:
            raise SinkError(
                f"{segment.path} is damaged: {read} of {segment.rows} rows can be read; "
                "remove it and have the day written anew"
            )

    def resume(self, window: Window, node: str, part: Receipt) -> None:
        """Cut a node's rows back to its part of a receipt."""
        self.forget(window, node)
        path, most = self._folder.segments(window, node), part["rows"]
        if not most:
            if not self.is_free(window, node):
                raise in_use(path)
            remove(path, self._folder.path)
            self._drop_final(window, node)
            return
        segment = self._found(window, node, part)
        if segment:
            self._touch((window, node), segment)
            self._drop_final(window, node)
        elif size_of(self._folder.target(window, node)) is not None:
            segment = self._rebuilt(window, node, self._final(window, node), most)
        else:
            raise SinkError(
                f"{path} has not all of the {most} rows that were appended to it; "
                f"{segments.PUT_BACK}"
            )
        self._known[window, node] = segment

    def is_free(self, window: Window, node: str) -> bool:
        """Tell whether no run has a node's segments open."""
        path = self._folder.segments(window, node)
        with naming(path), suppress(FileNotFoundError), path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True

    def remove(self, window: Window, node: str) -> None:
        """Remove the segments of a node, once its final file is there."""
        self.forget(window, node)
        remove(self._folder.segments(window, node), self._folder.path)

    def forget(self, window: Window, node: str) -> None:
        """Let go of a file, whatever is in it."""
        self._open.pop((window, node), None)
        segment = self._known.pop((window, node), None)
        if segment:
            segment.release()

    def close(self) -> None:
        """Let go of all files."""
        for window, node in list(self._known):
            self.forget(window, node)

    def _take_back(self, window: Window, before: Mapping[str, tuple[int, int]]) -> None:
        """Cut files back to what they were; one that was not there is removed, if it is ours."""
        for node, (rows, length) in before.items():
            segment = self._known[window, node]
            segment.cut(rows, length)
            if not length and segment.is_open:
                with suppress(SinkError):  # what cannot be removed now has no rows
                    self.remove(window, node)

    def _touch(self, key: Key, segment: Segment) -> None:
        """Note that a file is in use, and let go of the one that was not for longest."""
        segment.claim()
        self._open[key] = segment
        self._open.move_to_end(key)
        if len(self._open) > MOST_OPEN:
            _, oldest = self._open.popitem(last=False)
            oldest.settle()
            oldest.release()

    def _new(self, window: Window, node: str, rows: int = 0, length: int = 0) -> Segment:
        path = self._folder.segments(window, node)
        head = segments.head(self._schemas[node], window, node)
        return Segment(path, self._folder.relative(path), head, rows, length)

    def _found(self, window: Window, node: str, part: Receipt | None) -> Segment | None:
        """Return the segments that are there, up to a receipt; None if they are not so many."""
        path, schema = self._folder.segments(window, node), self._schemas[node]
        most: int | None = part["rows"] if part else None
        with damage_named(path), suppress(FileNotFoundError, NotADirectoryError):
            about = segments.about(path)
            if about is None:
                return None
            require_version(path, about.schema, schema)
            by_bytes = part and part.get("path") == self._folder.relative(path)
            if part and by_bytes and not about.is_rebuilt and about.schema.equals(schema):
                is_there = path.stat().st_size >= part["bytes"]
                return self._new(window, node, part["rows"], part["bytes"]) if is_there else None
            rows, length = self._reach(path, schema, most)
            if most is not None and rows < most:
                return None
            if most in (None, rows) and about.schema.equals(schema):
                return self._new(window, node, rows, length)
            old = (batch for batch, _ in segments.whole(path, schema))
            return self._rebuilt(window, node, old, most)
        return None

    def _reach(self, path: Path, schema: pa.Schema, most: int | None) -> tuple[int, int]:
        """Return how many rows are whole, up to so many, and the byte at which they end."""
        rows, length = 0, 0
        for batch, end in segments.whole(path, schema):
            rows, length = rows + len(batch), end
            if most is not None and rows >= most:
                break
        return rows, length

    def _final(self, window: Window, node: str) -> Iterator[pa.RecordBatch]:
        return load(self._form, self._folder.target(window, node), self._schemas[node])

    def _rebuilt(
        self, window: Window, node: str, given: Iterator[pa.RecordBatch], most: int | None
    ) -> Segment:
        """Return segments made anew out of the first of some rows, such as those of a final file.

        Until then it is the final file that counts, so it goes last.
        """
        path = self._folder.segments(window, node)
        head = segments.head(self._schemas[node], window, node, is_rebuilt=True)
        with naming(path):
            aside = Aside(path, self._folder.path)
            try:
                rows, length = _written(aside.file, head, _first(given, most))
                _require(path, rows, most)
                aside.settle()
                aside.take_place()
            except BaseException:
                aside.drop()
                raise
        self._drop_final(window, node)
        return self._new(window, node, rows, length)

    def _drop_final(self, window: Window, node: str) -> None:
        remove(self._folder.receipt(window, node), self._folder.path)
        remove(self._folder.target(window, node), self._folder.path)


def _first(batches: Iterator[pa.RecordBatch], most: int | None) -> Iterator[pa.RecordBatch]:
    """Yield the first rows of all."""
    for batch in batches:
        if most is None:
            yield batch
            continue
        yield batch.slice(0, most)
        most -= min(most, len(batch))
        if not most:
            return


def _written(file: BinaryIO, head: bytes, given: Iterable[pa.RecordBatch]) -> tuple[int, int]:
    """Write segments, and return their rows and bytes."""
    rows, length, words = 0, file.write(head), Words()
    for batch in given:
        rows, length = rows + len(batch), length + file.write(words.encoded(batch))
    return rows, length


def _require(path: Path, rows: int, most: int | None) -> None:
    if most is not None and rows < most:
        raise SinkError(
            f"{path}: only {rows} of {most} rows are there; "
            "remove what there is of the day and have it written anew"
        )
