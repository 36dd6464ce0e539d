"""What a plugin's classes must offer: protocols to satisfy, nothing to inherit.

A component is a frozen attrs class. Its fields are the options that a user may set in the pipeline
file, declared with `option`; its docstring is its help. Creating one does no I/O.
"""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any, ClassVar, Protocol

import attrs
import pyarrow as pa

from .plain import Continuity, File, Receipt, Seam, State, Stream, Window
from .sources import Archive, Candles, History, Snapshot, Source
from .web import Http, RateLimit, Refusal, Request

__all__ = [
    "Archive",
    "Candles",
    "Continuity",
    "ExecutorChoice",
    "File",
    "History",
    "Http",
    "RateLimit",
    "Receipt",
    "Refusal",
    "Request",
    "Seam",
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
    """A sink at work: takes the rows of all its nodes; nothing is visible before `commit`."""

    def write(self, window: Window, node: str, batch: pa.RecordBatch) -> None:
        """Take rows of a node for a window (or for the open remainder, `window.day` None)."""
        ...

    def commit(self, window: Window, nodes: Sequence[str]) -> Receipt:
        """Put what was written for the window in place of what was there; return the receipt.

        `nodes` are all that were written or might have been: one without rows is emptied. The open
        remainder (`window.day` None) is committed by itself. The receipt has an entry a node.
        """
        ...

    def abort(self) -> None:
        """Throw away what was written and not committed."""
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...


class Sink(Protocol):
    """A place for rows. `replaces` is whether a window that is written again replaces the first."""

    replaces: ClassVar[bool]

    def open(self, schemas: Mapping[str, pa.Schema]) -> Writer:
        """Return a writer for these nodes; SinkError if the place cannot be written to."""
        ...

    def holds(self, window: Window, node: str, receipt: Receipt) -> bool:
        """Tell whether what the receipt says of a node is still there."""
        ...


class ExecutorChoice(Protocol):
    """A way to run tasks; `executor` is asked for a `concurrent.futures.Executor` once a run."""

    def executor(self, workers: int) -> Executor:
        """Return an executor that runs up to `workers` tasks side by side."""
        ...
