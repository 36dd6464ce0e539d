"""What the sink `s3` has: files that wait on this disk, and objects in the bucket."""

import json
import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import pyarrow as pa

from werks.components import Proof, Receipt, Window
from werks.errors import SinkError
from werks.scratch import scratch

from .asking import UnreachableError
from .bucket import Bucket, Found
from .names import safe
from .pending import Entry, Pending
from .places import RECEIPTS, Folder, size_of

_LOG = logging.getLogger("werks")
_AT_ONCE = 16
_AWAY_FOR = 30.0


@attrs.define(eq=False)
class Remote:
    """Files that wait, objects, and files that were kept; `sink` makes the format's for a folder.

    What waits is newer than the object of its key.
    """

    bucket: Bucket
    pending: Pending
    kept: Path | None
    sink: Callable[[Path], Any]
    _away_until: float = 0.0

    def holds(self, window: Window, node: str, receipt: Receipt) -> bool:
        """Tell whether what a receipt says of a node is still there."""
        part, entry = receipt.get(node), self.pending.entry(window, node)
        if part is None or part.get("key", entry.key) != entry.key:
            return False
        try:
            if "key" not in part:  # of segments
                return self._here.holds(window, node, receipt) or self._has(entry, part["rows"])
            if entry.waits:
                return (part["rows"] > 0, part["bytes"]) == (bool(entry.rows), entry.bytes)
            if time.monotonic() < self._away_until:
                return True
            found = self.bucket.names(entry.folder).get(entry.name)
            if part["rows"]:
                return found is not None and self._is(entry, part, found)
            return found is None and not self._grows(window, node)
        except UnreachableError as error:
            self._say(error)
            return True

    def proofs(self, node: str) -> Iterator[tuple[Window, Proof | None]]:
        """Yield all windows of a node that are there, each with the proof that is kept beside it.

        SinkError if the store cannot be asked.
        """
        with scratch() as place, self._naming(safe(node), place):
            self._mirror(node, place)
            found = dict(self._at(place).proofs(node))
        for window, proof in (found | dict(self._here.proofs(node))).items():
            if window.day or proof is None or proof.rows:  # else a remainder to be taken away
                yield window, proof

    def read(self, window: Window, node: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a window; nothing where there are none."""
        entry = self.pending.entry(window, node)
        if entry.waits or self._grows(window, node):
            yield from self._here.read(window, node, schema)
            return
        with scratch() as place, self._naming("", place):
            twin = self._twin(entry) or Entry(place, entry.key)
            if twin.root != self.kept:
                twin.data.parent.mkdir(parents=True)
                self.bucket.fetch(entry.key, twin.data)
            yield from self.sink(twin.root).read(window, node, schema)

    @property
    def _here(self) -> Any:
        return self.sink(self.pending.root)

    def _at(self, place: Path) -> Folder:
        return attrs.evolve(self.pending.folder, path=place)

    def _grows(self, window: Window, node: str) -> bool:
        return size_of(self.pending.folder.segments(window, node)) is not None

    def _is(self, entry: Entry, part: Receipt, found: Found) -> bool:
        """Tell whether an object is what was committed.

        A file that waited was committed with our own mark, and where the server has other ETags
        the one of its object is in its receipt.
        """
        if found.bytes != part["bytes"]:
            return False
        if found.etag == part["etag"]:
            return True
        noted = self._receipt(entry).get("object", {})
        return (noted.get("etag"), noted.get("mark")) == (found.etag, part["etag"])

    def _has(self, entry: Entry, rows: int) -> bool:
        """Tell whether segments have become a final file of at least so many rows."""
        there: int = entry.rows or 0
        if not entry.waits:
            there = self._receipt(entry).get("rows", 0)
        return there >= rows

    def _receipt(self, entry: Entry) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.bucket.read(entry.receipt_key) or b"{}")
        return found

    def _twin(self, entry: Entry) -> Entry | None:
        """Return the file that was kept when its object was verified, if it still is the same."""
        twin = Entry(self.kept, entry.key) if self.kept else None
        found = self.bucket.names(entry.folder).get(entry.name) if twin and twin.bytes else None
        if twin is None or found is None or found.bytes != twin.bytes:
            return None
        return twin if found.etag == self.bucket.mark(twin.data) else None

    def _mirror(self, node: str, place: Path) -> None:
        """Make a folder with the receipts of a node, and an empty file for each object."""
        keys = [key for key in self.bucket.keys(safe(node)) if ".." not in key.split("/")]
        proven = [key for key in keys if key.split("/")[3:-1] == [RECEIPTS]]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            contents = dict(zip(proven, pool.map(self.bucket.read, proven), strict=True))
        for key in keys:
            path = place / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(contents.get(key) or b"")

    @contextmanager
    def _naming(self, key: str, place: Path) -> Iterator[None]:
        """Name objects, not the files that they were fetched to; an outage is an error here."""
        try:
            yield
        except UnreachableError as error:
            raise SinkError(f"{self.bucket.url(key)} {error}; run again later") from None
        except SinkError as error:
            if str(place) not in str(error):
                raise
            raise SinkError(str(error).replace(str(place), self.bucket.url())) from error

    def _say(self, error: UnreachableError) -> None:
        """Say that the store is away, and do not ask it again for each of many windows."""
        if not self._away_until:
            text = "%s %s; what was sent and verified is taken to be there still"
            _LOG.warning(text, self.bucket.url(), error)
        self._away_until = time.monotonic() + _AWAY_FOR
