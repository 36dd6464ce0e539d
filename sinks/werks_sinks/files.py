"""One file a window and node, whatever its format."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path

import pyarrow as pa

from werks import schema as rows
from werks.components import Mark, Proof, Receipt, Window
from werks.errors import SinkError
from werks.proof import Digest

from . import receipts
from .disk import Aside, locked, naming, prune, remove, require_folder
from .formats import Encoder, Format
from .gather import Gathered, Parts
from .live import Live
from .names import safe
from .places import Folder
from .reading import load, read

__all__ = ["Encoder", "FilePart", "FileWriter", "Folder", "Format", "read"]


class FilePart:
    """The rows of one node and window, on their way into a file."""

    def __init__(self, target: Path, root: Path, schema: pa.Schema, form: Format) -> None:
        self.waiting = Gathered(form.rows(schema))
        self.rows = 0
        self._target, self._root, self._schema, self._form = target, root, schema, form
        self._aside: Aside | None = None
        self._encoder: Encoder | None = None

    def put(self, batch: pa.RecordBatch) -> None:
        """Write rows to the file aside."""
        with naming(self._target):
            if self._aside is None:
                self._aside = Aside(self._target, self._root)
            if self._encoder is None:
                self._encoder = self._form.start(self._aside.file, self._schema)
            self._encoder.write(batch)

    def take(self, batches: Iterable[pa.RecordBatch]) -> None:
        """Take rows, and write them to the file aside as there are enough of them."""
        for batch in batches:
            self.rows += len(batch)
            for enough in self.waiting.add(batch):
                self.put(enough)

    def drained(self) -> Iterator[pa.RecordBatch]:
        """Yield all rows, those that were written aside read back; nothing is left."""
        if self._aside:
            self._settled()
            yield from load(self._form, self._aside.path, self._schema)
            self._aside.drop()
            self._aside = None
        yield from self.waiting.rest()

    def finish(self) -> int:
        """Write what still waits, make it all durable and return the file's bytes."""
        for batch in self.waiting.rest():
            self.put(batch)
        return self._settled()

    def take_place(self) -> None:
        """Make the finished file visible."""
        if self._aside:
            self._aside.take_place()
            self._aside = None

    def drop(self) -> None:
        """Throw the file away."""
        if self._encoder:
            with suppress(OSError, pa.ArrowException):  # its last bytes are thrown away too
                self._encoder.close()
        if self._aside:
            self._aside.drop()
        self._encoder = self._aside = None

    def _settled(self) -> int:
        assert self._aside  # noqa: S101  (a part has rows)
        assert self._encoder  # noqa: S101
        with naming(self._target):
            self._encoder.close()
            self._encoder = None
            return self._aside.settle()


class FileWriter:
    """Writes the rows of a sink's nodes, one file a window and node."""

    def __init__(self, folder: Folder, schemas: Mapping[str, pa.Schema], form: Format) -> None:
        self._root = require_folder(folder.path, folder.path)
        self._folder, self._schemas, self._form = folder, schemas, form
        self._parts = Parts(schemas, self._part)
        self._live = Live(folder, schemas, form)

    def write(self, window: Window, node: str, batch: pa.RecordBatch) -> None:
        """Take rows of a node for a window."""
        self._parts.write(window, node, batch)

    def commit(
        self, window: Window, proofs: Mapping[str, Proof], mark: Mark | None = None
    ) -> Receipt:
        """Put the files of these nodes in place, then their proofs; a node without rows has none.

        A kill in between leaves new rows beside an old proof, which the next run mends, as the
        ledger does not know of the commit yet.
        """
        with self._parts.unbroken():
            parts = {node: self._parts.get(window, node) for node in proofs}
            return self._settle(window, parts, proofs)

    def append(self, window: Window, nodes: Sequence[str], mark: Mark | None = None) -> Receipt:
        """Append what was written to the nodes' segments, all of them or none."""
        with self._parts.unbroken():
            parts = {node: self._parts.get(window, node) for node in nodes}
            drained = {node: part.drained if part else _nothing for node, part in parts.items()}
            receipt = self._live.append(window, drained)
            for node in nodes:
                self._parts.forget(window, node)
        return receipt

    def resume(self, window: Window, receipt: Receipt) -> None:
        """Cut the segments of all nodes back to a receipt; those that it does not name, to none.

        Of a final file, the first rows become segments again.
        """
        with self._parts.unbroken():
            for node in self._schemas:
                self._parts.forget(window, node)
                self._live.resume(window, node, receipt.get(node, {"rows": 0}))

    def finish(
        self, window: Window, proofs: Mapping[str, Proof], mark: Mark | None = None
    ) -> Receipt:
        """Put the segments and what was written since into final files, and these in place."""
        with self._parts.unbroken():
            parts = {node: self._parts.get(window, node) for node in proofs}
            wholes: dict[str, FilePart | None] = {}
            try:
                for node, part in parts.items():
                    wholes[node] = self._whole(window, node, part)
                return self._settle(window, wholes, proofs)
            except BaseException:
                _drop(wholes.values())
                raise

    def compact(self, before: date) -> Iterator[tuple[Window, str, int]]:
        """Finish the days before a day that were left as segments; yield each with its rows.

        Those that another run still appends to are left alone.
        """
        for node in self._schemas:
            for window in list(self._folder.appended(node)):
                if window.day and window.day < before and self._live.is_free(window, node):
                    digest = Digest(self._schemas[node])
                    for batch in read(self._folder, self._form, window, node, self._schemas[node]):
                        digest.add(batch)
                    proof = digest.proof()
                    self.finish(window, {node: proof})
                    yield window, node, proof.rows

    def abort(self) -> None:
        """Throw away what was written and neither committed nor appended."""
        self._parts.drop()

    def close(self) -> None:
        """Let go of all files; what was neither committed nor appended is thrown away."""
        self.abort()
        self._live.close()
        prune(self._folder.path, self._root)

    def _part(self, window: Window, node: str) -> FilePart:
        target = self._folder.target(window, node)
        return FilePart(target, self._folder.path, self._schemas[node], self._form)

    def _whole(self, window: Window, node: str, part: FilePart | None) -> FilePart | None:
        """Return the rows of the segments and those behind them, on their way into one file."""
        if not self._live.segment(window, node).rows:
            return part
        whole = self._part(window, node)
        try:
            whole.take(self._live.rows(window, node))
            whole.take(part.drained() if part else ())
        except BaseException:
            whole.drop()
            raise
        return whole

    def _settle(
        self,
        window: Window,
        parts: Mapping[str, FilePart | None],
        proofs: Mapping[str, Proof],
    ) -> Receipt:
        """Make files and proofs durable under hidden names, and only then all of them visible."""
        for node in parts:
            self._require_version(window, node)
        asides: dict[str, Aside] = {}
        try:
            receipt = {node: self._receipt(window, node, part) for node, part in parts.items()}
            for node, proof in proofs.items():
                self._require_all(window, node, receipt[node]["rows"], proof)
                if window.day or proof.rows:
                    path = self._folder.receipt(window, node)
                    about = (window, node)
                    asides[node] = receipts.prepare(path, self._folder.path, about, proof)
            for node, part in parts.items():
                self._place(window, node, part, asides.get(node))
                asides.pop(node, None)
                self._parts.forget(window, node)
        except BaseException:
            for aside in asides.values():
                aside.drop()
            raise
        return receipt

    def _place(self, window: Window, node: str, part: FilePart | None, proof: Aside | None) -> None:
        target, path = self._folder.target(window, node), self._folder.path
        with locked(target.parent):  # of two runs the last one wins, its proof as well
            if part:
                part.take_place()
            self._live.remove(window, node)
            if not part:
                remove(target, path)
            if proof:
                proof.take_place()
            else:
                remove(self._folder.receipt(window, node), path)

    def _receipt(self, window: Window, node: str, part: FilePart | None) -> Receipt:
        path = self._folder.relative(self._folder.target(window, node))
        if part is None:
            return {"rows": 0, "bytes": 0, "path": path}
        return {"rows": part.rows, "bytes": part.finish(), "path": path}

    def _require_all(self, window: Window, node: str, found: int, proof: Proof) -> None:
        if found != proof.rows:
            raise SinkError(
                f"{self._folder.target(window, node)}: {found} rows came where {proof.rows} are "
                "proven; nothing was replaced, run again"
            )

    def _require_version(self, window: Window, node: str) -> None:
        """Raise SinkError if the file to be replaced has rows of another version."""
        if self._form.stored is None:
            return
        target = self._folder.target(window, node)
        ours = rows.version(self._schemas[node])
        found = _version(target, self._form.stored)
        if found not in (ours, None):
            raise SinkError(
                f"{target} holds rows of version {found}, this werks writes version {ours}; "
                f"move {self._folder.path / safe(node)} away or set another path"
            )


def _drop(parts: Iterable[FilePart | None]) -> None:
    for part in parts:
        if part:
            part.drop()


def _nothing() -> Iterator[pa.RecordBatch]:
    yield from ()


def _version(target: Path, stored: Callable[[Path], pa.Schema]) -> int | None:
    """Return the version of the rows in a file; None if it is broken or not there."""
    with naming(target):
        try:
            return rows.version(stored(target))
        except (FileNotFoundError, NotADirectoryError, pa.ArrowInvalid):
            return None
        except OSError as error:
            if error.errno:
                raise
            return None  # Arrow's own word for a broken file, not the system's
