"""A sink that may fail for a while: its rows wait, on disk if they are many, and come in later."""

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import IO, Any

import attrs
import pyarrow as pa

from ..components import Mark, Proof, Receipt, Window, Writer
from ..errors import FOREIGN, SinkError, WerksError, foreign

_IN_MEMORY = 64 << 20
_LONGEST = 30.0

# The windows that segments are made of, each with its nodes.
Segments = dict[Window, Sequence[str]]


@attrs.define
class _Rows:
    """Rows of a node that are not durable in the sink yet; in a file from `at` on if not here."""

    node: str
    batch: pa.RecordBatch | None
    bytes: int
    at: int = 0


class Patient:
    """A writer that keeps what the sink has not made durable, and gives it once more.

    A failed `append` or `finish` raises SinkError, and works later, with all rows; the caller asks
    again. Beyond `limit` bytes that wait, `full` is true: somebody has to look at it.
    """

    def __init__(self, open_: Callable[[], Writer], limit: int) -> None:
        self._open, self._limit = open_, limit
        self._writer: Writer | None = open_()
        self._waiting: dict[Window, list[_Rows]] = {}
        self._receipts: dict[Window, Receipt] = {}
        self._ready: dict[Window, Receipt] = {}  # of segments that are made and not asked for yet
        self._bytes = 0
        self._file: IO[bytes] | None = None
        self._failed, self._again = 0, 0.0
        self._alone = False
        self.why = ""

    @property
    def full(self) -> bool:
        """Whether more waits than may."""
        return self._bytes > self._limit

    @property
    def waits(self) -> int:
        """How many bytes wait."""
        return self._bytes

    def write(self, window: Window, node: str, batch: pa.RecordBatch) -> None:
        """Take rows, whatever the sink does."""
        if window.day is not None and window not in self._waiting:
            # Of a day that was opened by its first row nothing may be there: a first segment that
            # is durable and was not answered is cut away again.
            self._receipts.setdefault(window, {})
        self._ready.pop(window, None)  # it holds these rows no more than it is asked for
        self._keep(window, node, batch)
        if self._writer is not None:
            try:
                self._writer.write(window, node, batch)
            except SinkError as error:
                self._fail(error)

    def append(self, window: Window, nodes: Sequence[str], mark: Mark | None = None) -> Receipt:
        """Make a segment; SinkError if that must wait."""
        if mark is None and window in self._ready:
            return self._ready.pop(window)
        given = () if mark is None else (mark,)
        receipt: Receipt = self._tried(lambda writer: writer.append(window, nodes, *given))
        self._receipts[window] = receipt
        self._forget(window)
        return receipt

    def append_all(self, windows: Segments) -> WerksError | None:
        """Make segments of windows at once, if the sink can; `append` then has their receipts.

        Where that fails each of them is free to fail by itself. What the writer's own code raises
        is returned, and it is not asked to do so again.
        """
        append = None if self._alone else getattr(self._writer, "append_all", None)
        if append is None or len(windows) < 2:
            return None
        try:
            receipts = self._tried(lambda _: append(windows))
            made = {window: receipts[window] for window in windows}
        except SinkError:
            self._again = 0.0
            return None
        except FOREIGN as error:  # foreign code, which may have left anything
            ours = foreign("append_all", error)
            self._fail(SinkError(str(ours)))
            self._alone, self._again = True, 0.0
            return ours
        for window, receipt in made.items():
            self._forget(window)
            self._receipts[window] = self._ready[window] = receipt
        return None

    def finish(
        self, window: Window, proofs: Mapping[str, Proof], mark: Mark | None = None
    ) -> Receipt:
        """Close a window; SinkError if that must wait."""
        given = () if mark is None else (mark,)
        receipt: Receipt = self._tried(lambda writer: writer.finish(window, proofs, *given))
        self._receipts.pop(window, None)
        self._forget(window)
        return receipt

    def commit(
        self, window: Window, proofs: Mapping[str, Proof], mark: Mark | None = None
    ) -> Receipt:
        """Put rows in place of what was there; SinkError if that must wait."""
        given = () if mark is None else (mark,)
        receipt: Receipt = self._tried(lambda writer: writer.commit(window, proofs, *given))
        self._forget(window)
        return receipt

    def resume(self, window: Window, receipt: Receipt) -> None:
        """Cut a window back to a receipt."""
        self._receipts[window] = receipt
        self._ready.pop(window, None)
        self._tried(lambda writer: writer.resume(window, receipt))

    def forget(self, window: Window) -> None:
        """Give up what waits for a window: no commit will ask for it."""
        self._receipts.pop(window, None)
        self._forget(window)

    def abort(self) -> None:
        """Throw away what is not durable."""
        for window in [*self._waiting, *self._ready]:
            self._forget(window)
        if self._writer is not None:
            self._writer.abort()

    def close(self) -> None:
        """Let go of the sink."""
        if self._file is not None:
            self._file.close()
        if self._writer is not None:
            self._writer.close()

    def _tried(self, what: Callable[[Writer], Any]) -> Any:
        if self._writer is None:
            self._recover()
        assert self._writer is not None  # noqa: S101  (it has recovered)
        try:
            done = what(self._writer)
        except SinkError as error:
            self._fail(error)
            raise
        self._failed, self.why = 0, ""
        return done

    def _fail(self, error: SinkError) -> None:
        """Let go of a broken writer; a new one is tried after 1, 2, 4 … seconds."""
        self.why = str(error)
        writer, self._writer = self._writer, None
        self._again = time.monotonic() + min(2.0**self._failed, _LONGEST)
        self._failed += 1
        if writer is not None:
            with suppress(*FOREIGN):  # it has failed already
                writer.abort()
            with suppress(*FOREIGN):
                writer.close()

    def _recover(self) -> None:
        """Open the sink anew and give it all that is not durable; SinkError if it fails again."""
        if time.monotonic() < self._again:
            raise SinkError(self.why)
        try:
            writer = self._writer = self._open()
            for window, receipt in self._receipts.items():
                writer.resume(window, receipt)
            for window, rows in self._waiting.items():
                for each in rows:
                    writer.write(window, each.node, self._batch(each))
        except SinkError as error:
            self._fail(error)
            raise

    def _keep(self, window: Window, node: str, batch: pa.RecordBatch) -> None:
        rows = _Rows(node, batch, batch.nbytes)
        self._bytes += rows.bytes
        if self._bytes > _IN_MEMORY:
            try:
                rows = _Rows(node, None, rows.bytes, self._spooled(batch))
            except OSError as error:  # no SinkError: these rows are not kept
                self._bytes -= rows.bytes
                why = f"{error.strerror or error}; make room or set TMPDIR"
                raise WerksError(f"rows cannot wait for a sink on disk: {why}") from error
        self._waiting.setdefault(window, []).append(rows)

    def _spooled(self, batch: pa.RecordBatch) -> int:
        """Put rows on disk; return where."""
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="werks-")  # noqa: SIM115
        at = self._file.seek(0, 2)
        with pa.ipc.new_stream(self._file, batch.schema) as stream:
            stream.write_batch(batch)
        return at

    def _batch(self, rows: _Rows) -> pa.RecordBatch:
        if rows.batch is not None:
            return rows.batch
        assert self._file is not None  # noqa: S101  (it is where the rows are)
        self._file.seek(rows.at)
        return pa.ipc.open_stream(self._file).read_next_batch()

    def _forget(self, window: Window) -> None:
        self._ready.pop(window, None)
        self._bytes -= sum(each.bytes for each in self._waiting.pop(window, ()))
        if not self._waiting and self._file is not None:
            self._file.close()
            self._file = None
