"""The plain data of a task: what is to be done with a file, and what was done."""

import traceback
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import attrs
import pyarrow as pa

from ..components import File, Receipt, State, Stream
from ..config import Node
from ..errors import WerksError

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
    """The windows of one stream in a file, with what its nodes carry into the first of them."""

    stream: Stream
    days: tuple[DayTask, ...]
    states: Mapping[str, State]
    cut: bool


@attrs.frozen
class Task:
    """A file with all its streams, and the nodes that its rows go through."""

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


@attrs.frozen
class Done:
    """A window that every sink has committed, with the figures of what was read.

    `holes` counts the trade ids that are left out; None where ids cannot tell.
    """

    stream: Stream
    task: DayTask
    rows: int
    repeats: int
    holes: int | None
    size: str
    notional: str
    first_id: str | None
    last_id: str | None
    written: Mapping[str, int]
    receipts: Mapping[str, Receipt]
    states: Mapping[str, State]


def midnight(day: date) -> int:
    """Return the first nanosecond of a UTC day."""
    return (day - date(1970, 1, 1)).days * DAY


def foreign(what: str, failure: Exception) -> WerksError:
    """Return an error of a plugin as one line that says where in its code it came up."""
    *_, last = traceback.extract_tb(failure.__traceback__)
    said = str(failure).splitlines()[0] if str(failure) else ""
    where = f"{Path(last.filename).name}:{last.lineno}"
    return WerksError(f"{what}: {type(failure).__name__} in {where}: {said}")
