"""The writer of the sink `s3`: a format's writer into the folder of what waits, then sending."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import date
from typing import Protocol

import pyarrow as pa

from werks.components import Mark, Proof, Receipt, Window, Writer
from werks.errors import SinkError

from . import receipts
from .asking import UnreachableError
from .disk import make_folder, naming, prune
from .pending import Entry
from .places import size_of
from .sending import Sending


class Local(Writer, Protocol):
    """The writer of a format, which can finish days that were left as segments, too."""

    def compact(self, before: date) -> Iterator[tuple[Window, str, int]]:
        """Finish the days before a day that were left as segments."""
        ...


class ShippingWriter:
    """Writes files into a folder and sends them to a bucket once they are whole.

    An outage fails nothing: the files wait, and are sent with a later commit, at the end of the
    run or at the beginning of the next. `nodes` are all that the sink is opened for.
    """

    def __init__(self, local: Local, sending: Sending, nodes: Sequence[str]) -> None:
        self._local, self.sending, self._nodes = local, sending, nodes
        # Windows of which all rows are known to be on this disk, or nowhere.
        self._here: set[tuple[Window, str]] = set()
        sending.check()
        self._catch_up()

    def write(self, window: Window, node: str, batch: pa.RecordBatch) -> None:
        """Take rows of a node for a window."""
        self._local.write(window, node, batch)

    def commit(
        self, window: Window, proofs: Mapping[str, Proof], mark: Mark | None = None
    ) -> Receipt:
        """Put files in place and send them; what cannot be sent now waits."""
        with self._held(window, proofs) as entries:
            receipt = self._sent(window, proofs, entries, self._local.commit(window, proofs))
        self._go_on(receipt)
        return receipt

    def append(self, window: Window, nodes: Sequence[str], mark: Mark | None = None) -> Receipt:
        """Append what was written to the nodes' segments, which stay on this disk."""
        if all((window, node) in self._here for node in nodes):
            return self._local.append(window, nodes)
        with self._held(window, nodes) as entries:
            self._fetch(window, entries)
            return self._local.append(window, nodes)

    def resume(self, window: Window, receipt: Receipt) -> None:
        """Cut the rows of all nodes back to a receipt; those that it does not name, to none."""
        with self._held(window, self._nodes) as entries:
            known = {node: e for node, e in entries.items() if receipt.get(node, {}).get("rows")}
            self._fetch(window, known, must=True)
            self._local.resume(window, receipt)
            for node in entries.keys() - known.keys():
                self._take_away(entries[node])
                self._here.add((window, node))

    def finish(
        self, window: Window, proofs: Mapping[str, Proof], mark: Mark | None = None
    ) -> Receipt:
        """Make final files of segments and what was written since, and send them."""
        with self._held(window, proofs) as entries:
            self._fetch(window, entries)
            receipt = self._sent(window, proofs, entries, self._local.finish(window, proofs))
        self._go_on(receipt)
        return receipt

    def compact(self, before: date) -> Iterator[tuple[Window, str, int]]:
        """Finish the days before a day that were left as segments; yield each with its rows."""
        yield from self._local.compact(before)
        self._catch_up()

    def abort(self) -> None:
        """Throw away what was written and neither committed nor appended."""
        self._local.abort()

    def close(self) -> None:
        """Send what still waits and is due; let go of all files."""
        try:
            self._local.abort()
            if self._waits:
                self.sending.hurry()
                self._catch_up()
                self.sending.say_what_waits()
        finally:
            self._local.close()

    def _held(self, window: Window, nodes: Iterable[str]) -> "_Held":
        return _Held(self.sending, window, nodes)

    def _sent(
        self,
        window: Window,
        proofs: Mapping[str, Proof],
        entries: Mapping[str, Entry],
        receipt: Receipt,
    ) -> Receipt:
        """Return the receipt of files that were just put in place, and sent if it is time to."""
        for node, entry in entries.items():
            self._here.discard((window, node))
            if window.day is None and not proofs[node].rows:
                self._ask_to_take_away(window, node, entry, proofs[node])
        etags = self.sending.send(list(entries.values())) if self.sending.when is None else {}
        return {node: self._part(receipt[node], e, etags.get(e)) for node, e in entries.items()}

    def _part(self, part: Receipt, entry: Entry, etag: str | None) -> Receipt:
        waits = etag is None
        if waits and part["rows"]:
            etag = self.sending.bucket.mark(entry.data)
        sizes = {"rows": part["rows"], "bytes": part["bytes"]}
        return {**sizes, "key": entry.key, "etag": etag or None, "pending": waits}

    def _ask_to_take_away(self, window: Window, node: str, entry: Entry, proof: Proof) -> None:
        """Leave a proof of no rows: of an emptied remainder the format's writer leaves nothing."""
        receipts.prepare(entry.receipt, entry.root, (window, node), proof).take_place()

    def _go_on(self, receipt: Receipt) -> None:
        """Send what else waits if it is time to; SinkError if more waits than may."""
        late = [part for part in receipt.values() if part["pending"]]
        if late:
            self._waits = True
            self.sending.require_room(sum(part["bytes"] for part in late))
        if self._waits and self.sending.is_time(self._looked):
            self._catch_up()

    def _catch_up(self) -> None:
        self._looked = self.sending.clock()
        self._waits = bool(self.sending.catch_up().waiting)

    def _fetch(self, window: Window, entries: Mapping[str, Entry], must: bool = False) -> None:
        """Bring rows of a window back that are only in the bucket, to be gone on with.

        Where the bucket cannot be asked, none are taken to be there unless they must be: if they
        are, the proof that ends the window tells.
        """
        for node, entry in entries.items():
            if (window, node) in self._here:
                continue
            live = self.sending.pending.folder.segments(window, node)
            try:
                is_here = size_of(entry.data) is not None or size_of(live) is not None
                if not is_here and (must or not self.sending.is_away()):
                    self._bring(entry)
            except UnreachableError as error:
                self.sending.fails(error)
                if must:
                    url = self.sending.bucket.url(entry.key)
                    raise SinkError(f"{url} is needed and {error}; run again later") from None
            self._here.add((window, node))

    def _bring(self, entry: Entry) -> None:
        bucket = self.sending.bucket
        for key, path in ((entry.receipt_key, entry.receipt), (entry.key, entry.data)):
            aside = path.with_name(f".{path.name}.fetched.tmp")
            with naming(path):
                make_folder(path.parent)
                try:
                    if bucket.fetch(key, aside):
                        aside.replace(path)
                finally:
                    aside.unlink(missing_ok=True)
                    prune(path.parent, entry.root)

    def _take_away(self, entry: Entry) -> None:
        """Remove an object that the ledger does not know of; a later commit replaces it anyway."""
        if self.sending.is_away():
            return
        try:
            self.sending.bucket.delete(entry.key)
            self.sending.bucket.delete(entry.receipt_key)
        except UnreachableError as error:
            self.sending.fails(error)


class _Held:
    """Keeps others from the entries of a window."""

    def __init__(self, sending: Sending, window: Window, nodes: Iterable[str]) -> None:
        self._pending, self._stack = sending.pending, ExitStack()
        self._entries = {node: self._pending.entry(window, node) for node in nodes}

    def __enter__(self) -> Mapping[str, Entry]:
        # In one order in all processes, lest two wait for one another.
        for entry in sorted(self._entries.values()):
            self._stack.enter_context(self._pending.held(entry))
        return self._entries

    def __exit__(self, *_: object) -> None:
        self._stack.close()
