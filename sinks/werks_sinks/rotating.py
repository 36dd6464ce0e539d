"""Writes rows into files that grow and are published when they are full."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from werks.components import Mark, Proof, Receipt, Window, Writer
from werks.errors import SinkError
from werks.proof import Digest

from .disk import prune, require_folder
from .gather import Parts
from .growing import Growing, Manner
from .journal import Kept
from .spool import Spool

_LOG = logging.getLogger("werks")


class RotatingWriter:
    """Appends the rows of a sink's nodes, oldest window first.

    A window that is committed again with an equal proof is there already; one that begins with the
    rows that are there is gone on with; with other rows it goes into files of its own (`again`).
    `remainder` takes what is still open, which would have to be taken back from a file that grows.
    """

    def __init__(
        self,
        path: Path,
        schemas: Mapping[str, pa.Schema],
        manner: Manner,
        remainder: Writer,
        close_at_end: bool = False,
    ) -> None:
        self._root = require_folder(path, path)
        self._path, self._schemas, self._manner = path, schemas, manner
        self._remainder, self._close_at_end = remainder, close_at_end
        self._parts = Parts(schemas, lambda _window, _node: Spool(path))
        self._folders: dict[tuple[str, str, str], Growing] = {}
        self._is_aborted = False

    def write(self, window: Window, node: str, batch: pa.RecordBatch) -> None:
        """Take rows of a node for a window."""
        if window.day is None:
            self._remainder.write(window, node, batch)
        else:
            self._parts.write(window, node, batch)

    def commit(
        self, window: Window, proofs: Mapping[str, Proof], mark: Mark | None = None
    ) -> Receipt:
        """Append the rows of a whole window, unless they are there."""
        if window.day is None:
            return self._remainder.commit(window, proofs, mark)
        return self._each(window, proofs, lambda node: self._commit(window, node, proofs[node]))

    def append(self, window: Window, nodes: Sequence[str], mark: Mark | None = None) -> Receipt:
        """Append what was written since last time."""
        if window.day is None:
            return self._remainder.append(window, nodes, mark)
        return self._each(window, nodes, lambda node: self._append(window, node, None))

    def finish(
        self, window: Window, proofs: Mapping[str, Proof], mark: Mark | None = None
    ) -> Receipt:
        """Append what was written since last time and keep the proofs of the whole window."""
        if window.day is None:
            return self._remainder.finish(window, proofs, mark)
        return self._each(window, proofs, lambda node: self._append(window, node, proofs[node]))

    def resume(self, window: Window, receipt: Receipt) -> None:
        """Cut a window back to a receipt."""
        if window.day is None:
            self._remainder.resume(window, receipt)
            return
        with self._parts.unbroken():
            for node in self._schemas:
                self._parts.forget(window, node)
                self._resume(window, node, receipt.get(node) or {"rows": 0, "bytes": 0})

    def abort(self) -> None:
        """Throw away what was written and neither committed nor appended."""
        self._is_aborted = True
        self._parts.drop()
        self._remainder.abort()

    def close(self) -> None:
        """Publish what is full; what was not committed is thrown away."""
        self._parts.drop()
        self._remainder.close()
        # After an error the ledger may not know of the last rows: they must not be published yet.
        for growing in () if self._is_aborted else self._folders.values():
            if growing.is_there:
                with growing.at_work():
                    growing.publish(everything=self._close_at_end)
        self._folders = {}
        prune(self._path, self._root)

    def _each(
        self, window: Window, nodes: Sequence[str] | Mapping[str, Proof], do: Callable[[str], Kept]
    ) -> Receipt:
        with self._parts.unbroken():
            receipt = {}
            for node in nodes:
                receipt[node] = receipt_of(do(node))
                self._parts.forget(window, node)
        self._is_aborted = False
        return receipt

    def _commit(self, window: Window, node: str, proof: Proof) -> Kept:
        assert window.day  # noqa: S101
        spool, growing = self._parts.get(window, node), self._folder(window, node)
        with growing.at_work():
            growing.publish()
            known = growing.entries.windows.get(window.day)
            if known and self._is_there(growing, known, proof):
                return known
            skip, again = 0, 0
            if known and known.rows:
                goes_on = self._goes_on(growing, known, proof) and self._begins(node, spool, known)
                skip, again = (known.rows, known.again) if goes_on else (0, known.again + 1)
            pieces, rows = growing.put(_rows(spool, skip), window.day, again)
            kept = Kept(skip + rows, pieces, self._manner.form, again, proof)
            _require_all(growing, window, kept)
            growing.note(window.day, kept, adds=skip > 0)
            if again and not skip:
                _warn(window, node, kept)
            return growing.entries.windows[window.day]

    def _is_there(self, growing: Growing, known: Kept, proof: Proof) -> bool:
        return known.proof == proof and known.form == self._manner.form and growing.has(known)

    def _goes_on(self, growing: Growing, known: Kept, proof: Proof) -> bool:
        """Tell whether a window may just have more rows than it had."""
        more = known.proof is not None and proof.rows > known.rows
        return more and known.form == self._manner.form and growing.has(known)

    def _begins(self, node: str, spool: Spool | None, known: Kept) -> bool:
        """Tell whether rows begin with those that are there."""
        digest, left = Digest(self._schemas[node]), known.rows
        for batch in _rows(spool, 0):
            digest.add(batch.slice(0, left))
            left -= min(left, len(batch))
        return digest.proof() == known.proof

    def _append(self, window: Window, node: str, proof: Proof | None) -> Kept:
        assert window.day  # noqa: S101
        spool, growing = self._parts.get(window, node), self._folder(window, node)
        if spool is None and proof is None and not growing.is_there:
            return Kept(0, (), self._manner.form)
        with growing.at_work():
            growing.publish()
            known = growing.entries.windows.get(window.day, Kept(0, (), self._manner.form))
            if spool is None and proof is None:
                return known
            pieces, rows = growing.put(_rows(spool, 0), window.day, known.again)
            kept = Kept(known.rows + rows, pieces, self._manner.form, known.again, proof)
            _require_all(growing, window, kept)
            growing.note(window.day, kept, adds=True)
            return growing.entries.windows[window.day]

    def _resume(self, window: Window, node: str, part: Receipt) -> None:
        assert window.day  # noqa: S101
        growing = self._folder(window, node)
        if not growing.is_there:
            _require(growing, window, part, 0)
            return
        with growing.at_work():
            known = growing.entries.windows.get(window.day)
            size = known.bytes if known else 0
            _require(growing, window, part, size)
            if known and size > part["bytes"] and not growing.cut(window.day, **_only(part)):
                _LOG.warning(
                    "%s: rows of %s that the ledger does not know of are in published files; those"
                    " that follow go into files of their own, named again",
                    growing.folder,
                    window.name,
                )

    def _folder(self, window: Window, node: str) -> Growing:
        key = (node, window.exchange, window.symbol)
        if key not in self._folders:
            schema = self._schemas[node]
            self._folders[key] = Growing(self._path, window, node, schema, self._manner)
        return self._folders[key]


def receipt_of(kept: Kept) -> Receipt:
    """Return what tells of a window that it is there."""
    proof = kept.proof.hash if kept.proof else ""
    files = kept.names if kept.proof else []  # of a live window, they would be told each second
    found = {"rows": kept.rows, "bytes": kept.bytes, "hash": proof, "files": files}
    return found | {"again": kept.again}


def _only(part: Receipt) -> dict[str, int]:
    return {"rows": part["rows"], "size": part["bytes"]}


def _require(growing: Growing, window: Window, part: Receipt, size: int) -> None:
    if size < part["bytes"]:
        raise SinkError(
            f"{growing.folder}: {window.name} has {size:,} bytes of rows where the ledger knows of"
            f" {part['bytes']:,}: files were removed; put them back, or begin with a new ledger"
        )


def _require_all(growing: Growing, window: Window, kept: Kept) -> None:
    if kept.proof and kept.rows != kept.proof.rows:
        raise SinkError(
            f"{growing.folder}: {window.name}: {kept.rows:,} rows came where {kept.proof.rows:,}"
            " are proven; nothing was written, run again"
        )


def _rows(spool: Spool | None, skip: int) -> Iterator[pa.RecordBatch]:
    """Yield rows but for the first; they can be had again."""
    if spool is None:
        return
    for batch in spool.batches():
        if skip < len(batch):
            yield batch.slice(skip) if skip else batch
        skip = max(0, skip - len(batch))


def _warn(window: Window, node: str, kept: Kept) -> None:
    _LOG.warning(
        "%s: %s %s %s was written again with other rows: they are in %s; what is there stays",
        node,
        window.exchange,
        window.symbol,
        window.name,
        ", ".join(kept.names) or "no file, since there are none",
    )
