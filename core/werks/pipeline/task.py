"""The plain data of a task: what is to be done with a file, and what was done."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import attrs
import pyarrow as pa

from ..components import File, Proof, Receipt, State, Stream
from ..config import Node
from ..order import Ids
from .prints import Prints

DAY = 86_400 * 10**9


@attrs.frozen
class DayTask:
    """A window to be done: until when, which nodes for which sinks, who settles the remainder."""

    day: date
    until: int
    targets: Mapping[str, tuple[str, ...]]
    settles: bool


@attrs.frozen
class StreamTask:
    """The windows of one stream in a file, with what its nodes carry into the first of them.

    `cursor` goes on by REST behind the window before, `last_id` is the greatest id in it. `verify`
    asks for minutes. `beside` holds the rows of other sources that stand beside bars, by source.
    """

    stream: Stream
    days: tuple[DayTask, ...]
    states: Mapping[str, State]
    cut: bool
    cursor: str | None = None
    last_id: int | None = None
    verify: bool = False
    beside: Mapping[str, pa.RecordBatch] = attrs.field(factory=dict)


@attrs.frozen
class Task:
    """What is read at once by one door, and the nodes that its rows go through.

    `now` is when a snapshot was taken, in nanoseconds; `quarantine` keeps unreadable answers.
    `state`, `pipeline`, `prints` and `reason` are for the ledger's mark.
    """

    file: File
    door: Any
    source: str
    nodes: tuple[Node, ...]
    schemas: Mapping[str, pa.Schema]
    sinks: Mapping[str, Any]
    streams: tuple[StreamTask, ...]
    read_ahead: bool = True
    cache: Path | None = None
    tries: int = 5
    via: str = "archive"
    now: int = 0
    quarantine: Path | None = None
    state: str = ""
    pipeline: str = ""
    prints: Prints = Prints({}, {})
    reason: str = ""


@attrs.frozen
class Done:
    """A window that every sink has committed, with the figures of what was read.

    `ids` tells of trade ids without a hole; None where ids cannot tell. `cursor` goes on behind it
    by REST, `before` is the id of the last row that came from before it. `minutes` are packed.
    """

    stream: Stream
    task: DayTask
    rows: int
    repeats: int
    ids: Ids | None
    size: str | None
    notional: str | None
    first_id: str | None
    last_id: str | None
    written: Mapping[str, int]
    receipts: Mapping[str, Receipt]
    proofs: Mapping[str, Proof]
    states: Mapping[str, State]
    minutes: bytes | None = None
    cursor: str | None = None
    before: str | None = None

    @property
    def holes(self) -> int | None:
        """How many trade ids are left out; None where ids cannot tell."""
        return None if self.ids is None else self.ids.holes


def midnight(day: date) -> int:
    """Return the first nanosecond of a UTC day."""
    return (day - date(1970, 1, 1)).days * DAY
