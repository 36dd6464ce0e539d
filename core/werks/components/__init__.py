"""What a plugin's classes must offer: protocols to satisfy, nothing to inherit.

A component is a frozen attrs class. Its fields are the options that a user may set in the pipeline
file, declared with `option`; its docstring is its help. Creating one does no I/O.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any, Protocol

import attrs
import pyarrow as pa

from .live import Acked, Conversation, Event, Feed, Missed, Refused, Restart, Send
from .plain import Continuity, File, Proof, Receipt, Seam, State, Stream, Window
from .sources import Archive, Candles, History, Snapshot, Source
from .web import Http, RateLimit, Refusal, Request

__all__ = [
    "Acked",
    "Archive",
    "Candles",
    "Continuity",
    "Conversation",
    "Event",
    "ExecutorChoice",
    "Feed",
    "File",
    "History",
    "Http",
    "Mark",
    "Missed",
    "Proof",
    "RateLimit",
    "Receipt",
    "Refusal",
    "Refused",
    "Request",
    "Restart",
    "Seam",
    "Send",
    "Sink",
    "Snapshot",
    "Source",
    "State",
    "Step",
    "Stream",
    "Transform",
    "Window",
    "Writer",
    "option",
]

# Writes the ledger's mark, by the connection of the sink's own transaction (SQLAlchemy's) and the
# receipt of what is being committed.
Mark = Callable[[Any, Receipt], None]


def option(
    default: Any = attrs.NOTHING,
    *,
    help: str,  # noqa: A002  (the word that every command-line tool uses)
    identity: bool = True,
    secret: bool = False,
    validator: Any = None,
) -> Any:
    """Declare an option of a component.

    `help` is one sentence for `werks describe`. An option with `identity=False` (a URL, a number of
    workers) does not change the rows, so changing it redoes nothing. A secret is never printed.
    """
    metadata = {"help": help, "identity": identity and not secret, "secret": secret}
    return attrs.field(
        default=default, metadata=metadata, repr=not secret, validator=validator, kw_only=True
    )


class Step(Protocol):
    """A transform at work on one stream: rows in, rows out; no clock, no I/O."""

    def push(self, batch: pa.RecordBatch, node: str) -> Iterable[pa.RecordBatch]:
        """Take rows of an input node, oldest first, and yield the rows that they complete."""
        ...

    def advance(self, time: int) -> Iterable[pa.RecordBatch]:
        """Take note that all rows before `time` (ns since 1970, UTC) have been pushed."""
        ...

    def cut(self) -> Iterable[pa.RecordBatch]:
        """Take note that rows are missing here: close what must not run across the gap."""
        ...

    def flush(self) -> Iterable[pa.RecordBatch]:
        """Yield the rows that are still open, as they stand; `state` must be taken before."""
        ...

    def state(self) -> State:
        """Return all that is carried, as plain data that JSON can hold."""
        ...


class Transform(Protocol):
    """Rows in, rows out. `seam` is `day` where nothing is carried over midnight, else `never`."""

    @property
    def seam(self) -> Seam:
        """Whether the node, as it is configured, carries state over midnight."""
        ...

    def output(self, schemas: Mapping[str, pa.Schema]) -> pa.Schema:
        """Return the schema of the rows out; ConfigError if an input cannot be taken."""
        ...

    def start(self, schemas: Mapping[str, pa.Schema], state: State | None) -> Step:
        """Return a step for one stream, fresh or going on from a state."""
        ...


class Writer(Protocol):
    """A sink at work: takes the rows of all its nodes; nothing is visible before a commit.

    History commits whole windows. A live source appends segments to its window and finishes it
    when the day is over; `resume` takes back what the ledger does not know of.
    """

    def write(self, window: Window, node: str, batch: pa.RecordBatch) -> None:
        """Take rows of a node for a window (or for the open remainder, `window.day` None)."""
        ...

    def commit(
        self, window: Window, proofs: Mapping[str, Proof], mark: Mark | None = None
    ) -> Receipt:
        """Put what was written for the window in place of what was there; return the receipt.

        `proofs` are of all nodes that were written or might have been, by name: one without rows
        is emptied. They are kept beside the rows. The open remainder (`window.day` None) is
        committed by itself. The receipt has an entry a node. A sink whose rows share a database
        with the ledger calls `mark` in its own transaction.
        """
        ...

    def append(self, window: Window, nodes: Sequence[str], mark: Mark | None = None) -> Receipt:
        """Make what was written since last time durable, behind the rows that are there: a segment.

        The receipt has an entry a node that tells how far its rows reach; `resume` takes it.
        """
        ...

    def resume(self, window: Window, receipt: Receipt) -> None:
        """Cut the rows that were appended to a window back to a receipt; an empty one: to none."""
        ...

    def finish(
        self, window: Window, proofs: Mapping[str, Proof], mark: Mark | None = None
    ) -> Receipt:
        """Append what was written since last time and close the window as `commit` would have."""
        ...

    def abort(self) -> None:
        """Throw away what was written and neither committed nor appended."""
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...


class Together(Writer, Protocol):
    """A writer that makes segments of many windows at the price of one, such as a transaction."""

    def append_all(self, windows: Mapping[Window, Sequence[str]]) -> Mapping[Window, Receipt]:
        """Append to the nodes of several windows, to all of them or to none; return the receipts.

        What cannot be told of is done by `append`, window by window.
        """
        ...


class Sink(Protocol):
    """A place for rows. `replaces` is whether a window that is written again replaces the first."""

    @property
    def replaces(self) -> bool:
        """Whether windows may come in any order, from several processes, and again."""
        ...

    def open(self, schemas: Mapping[str, pa.Schema]) -> Writer:
        """Return a writer for these nodes; SinkError if the place cannot be written to."""
        ...

    def holds(self, window: Window, node: str, receipt: Receipt) -> bool:
        """Tell whether what the receipt says of a node is still there."""
        ...

    def proofs(self, node: str) -> Iterable[tuple[Window, Proof | None]]:
        """Yield all windows of a node that are there, each with the proof that is kept beside it.

        None stands for rows without one, such as those of a window that is still appended to.
        """
        ...

    def read(self, window: Window, node: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a window in their order, by the schema that they were written with."""
        ...

    # Optional, used where it is there:
    #   shares(state) -> bool   whether the rows lie in the database of this ledger
    #   send_due() -> None      send what earlier runs could not; called once the past is read


class ExecutorChoice(Protocol):
    """A way to run tasks; `executor` is asked for a `concurrent.futures.Executor` once a run."""

    def executor(self, workers: int) -> Executor:
        """Return an executor that runs up to `workers` tasks side by side."""
        ...
