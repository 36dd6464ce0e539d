"""What the ledger is to know of a window that was done, made from plain data wherever it was."""

from collections.abc import Mapping
from typing import Any

import attrs

from ..components import Receipt, State
from ..ledger import Commit, WindowRecord, put
from .task import DAY, Done, Task, midnight

Began = Mapping[str, str]


@attrs.frozen
class Entry:
    """A window's record, its commits by (node, sink), and what its nodes carry if it is over."""

    record: WindowRecord
    commits: Mapping[tuple[str, str], Commit]
    marks: Mapping[str, tuple[str, State]]
    minutes: bytes | None


def entry(task: Task, done: Done, began: Began) -> Entry:
    """Return what the ledger is to know; `began` is what was carried in, as digests by node."""
    finished = done.task.until >= midnight(done.task.day) + DAY
    marks = {
        node: (task.prints.fingerprints[node], state)
        for node, state in done.states.items()
        if finished
    }
    return Entry(_record(task, done, finished), _commits(task, done, began), marks, done.minutes)


def mark(connection: Any, task: Task, made: Entry) -> None:
    """Write an entry by the connection of a sink that lies in the ledger's database."""
    put(connection, task.pipeline, made.record, (made.commits, made.marks, made.minutes))


def _commits(task: Task, done: Done, began: Began) -> dict[tuple[str, str], Commit]:
    return {
        (node, sink): Commit(
            task.prints.of(node, sink),
            began[node],
            done.task.until,
            _of_node(node, done.receipts[sink]),
            done.proofs[node],
        )
        for node, sinks in done.task.targets.items()
        for sink in sinks
    }


def _of_node(node: str, receipt: Receipt) -> Receipt:
    return {node: receipt.get(node)}


def _record(task: Task, done: Done, finished: bool) -> WindowRecord:
    ids = done.ids
    return WindowRecord(
        stream=done.stream,
        day=done.task.day,
        door=task.via,
        url=task.file.url if task.via == "archive" else getattr(task.door, "rest_url", ""),
        until=done.task.until,
        finished=finished,
        rows=done.rows,
        repeats=done.repeats,
        holes=done.holes,
        size=done.size,
        notional=done.notional,
        first_id=done.first_id,
        last_id=done.last_id,
        least_id=ids.least if ids else None,
        most_id=ids.most if ids else None,
        cursor=done.cursor,
        reason=task.reason,
    )
