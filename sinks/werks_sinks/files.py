"""One file a window and node, whatever its format."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Protocol

import attrs
import pyarrow as pa

from werks import schema as rows
from werks.components import Receipt, Window
from werks.errors import SinkError

from .disk import Aside, naming, prune, remove, require_folder
from .gather import Gathered, Parts
from .names import safe


class Encoder(Protocol):
    """Puts batches into an open file in some format."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows."""
        ...

    def close(self) -> None:
        """Write what belongs at the end; the file itself stays open."""
        ...


@attrs.frozen
class Format:
    """What sets one kind of file apart; `stored` reads the schema of a file that is there."""

    start: Callable[[BinaryIO, pa.Schema], Encoder]
    stored: Callable[[Path], pa.Schema] | None


@attrs.frozen
class Folder:
    """Where the files of a sink lie: `<path>/<node>/<exchange>/<symbol>/<window>.<extension>`."""

    path: Path
    extension: str

    def target(self, window: Window, node: str) -> Path:
        """Return the file of a node for a window."""
        words = (node, window.exchange, window.symbol)
        return self.path.joinpath(*map(safe, words), f"{window.name}.{self.extension}")

    def holds(self, window: Window, node: str, receipt: Receipt) -> bool:
        """Tell whether the file of which a receipt speaks is there with its size."""
        part = receipt.get(node)
        if part is None:
            return False
        target = self.target(window, node)
        with naming(target):
            try:
                size = target.stat().st_size
            except (FileNotFoundError, NotADirectoryError):
                return bool(part["rows"] == 0)
        return bool(part["rows"] > 0 and part["bytes"] == size)


class FilePart:
    """The rows of one node and window, on their way into a file."""

    def __init__(self, target: Path, root: Path, start: Callable[[BinaryIO], Encoder]) -> None:
        self.waiting = Gathered()
        self.rows = 0
        self._target, self._root, self._start = target, root, start
        self._aside: Aside | None = None
        self._encoder: Encoder | None = None

    def put(self, batch: pa.RecordBatch) -> None:
        """Write rows to the file aside."""
        with naming(self._target):
            if self._aside is None:
                self._aside = Aside(self._target, self._root)
            if self._encoder is None:
                self._encoder = self._start(self._aside.file)
            self._encoder.write(batch)

    def finish(self) -> int:
        """Write what still waits, make it all durable and return the file's bytes."""
        for batch in self.waiting.rest():
            self.put(batch)
        assert self._aside  # noqa: S101  (a part has rows)
        assert self._encoder  # noqa: S101
        with naming(self._target):
            self._encoder.close()
            self._encoder = None
            return self._aside.settle()

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


class FileWriter:
    """Writes the rows of a sink's nodes, one file a window and node."""

    def __init__(self, folder: Folder, schemas: Mapping[str, pa.Schema], form: Format) -> None:
        self._root = require_folder(folder.path, folder.path)
        self._folder, self._schemas, self._form = folder, schemas, form
        self._parts = Parts(schemas, self._part)

    def write(self, window: Window, node: str, batch: pa.RecordBatch) -> None:
        """Take rows of a node for a window."""
        self._parts.write(window, node, batch)

    def commit(self, window: Window, nodes: Sequence[str]) -> Receipt:
        """Put the files of these nodes in place; a node without rows has none."""
        with self._parts.unbroken():
            for node in nodes:
                self._require_version(self._folder.target(window, node), node)
            parts = {node: self._parts.get(window, node) for node in nodes}
            receipt = {node: self._receipt(window, node, part) for node, part in parts.items()}
            for node, part in parts.items():
                if part:
                    part.take_place()
                else:
                    remove(self._folder.target(window, node), self._folder.path)
                self._parts.forget(window, node)
        return receipt

    def abort(self) -> None:
        """Throw away what was written and not committed."""
        self._parts.drop()

    def close(self) -> None:
        """Let go of all files; what was not committed is thrown away."""
        self.abort()
        prune(self._folder.path, self._root)

    def _part(self, window: Window, node: str) -> FilePart:
        schema = self._schemas[node]
        target = self._folder.target(window, node)
        return FilePart(target, self._folder.path, lambda file: self._form.start(file, schema))

    def _receipt(self, window: Window, node: str, part: FilePart | None) -> Receipt:
        path = self._folder.target(window, node).relative_to(self._folder.path).as_posix()
        if part is None:
            return {"rows": 0, "bytes": 0, "path": path}
        return {"rows": part.rows, "bytes": part.finish(), "path": path}

    def _require_version(self, target: Path, node: str) -> None:
        """Raise SinkError if the file to be replaced has rows of another version."""
        if self._form.stored is None:
            return
        ours = rows.version(self._schemas[node])
        found = _version(target, self._form.stored)
        if found not in (ours, None):
            raise SinkError(
                f"{target} holds rows of version {found}, this werks writes version {ours}; "
                f"move {self._folder.path / safe(node)} away or set another path"
            )


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
