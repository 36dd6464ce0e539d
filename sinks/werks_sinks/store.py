"""All rows that a sink keeps in the memory of one process."""

import os
import secrets
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from weakref import WeakValueDictionary

import attrs
import pyarrow as pa

from werks.components import Proof, Receipt, Window
from werks.errors import SinkError

from .held import Held, Key, Taken

_DAY = 86_400 * 10**9


@attrs.frozen
class Kept:
    """What there is of a stream, but for its open remainder; times in nanoseconds."""

    node: str
    exchange: str
    symbol: str
    rows: int
    first: int | None
    last: int | None
    dropped: int


class Store:
    """Rows by stream and window. All threads may call it; pickled, it is a mere name.

    A stream's rows leave once they are older than its newest by more than `keep` (ns).
    """

    def __init__(self, keep: int, limit: int, drops: bool) -> None:
        self._keep, self._limit, self._drops = keep, limit, drops
        self._name, self._process = secrets.token_hex(8), os.getpid()
        self._lock = threading.Lock()
        self._taken = Taken()
        self._schemas: dict[str, pa.Schema] = {}
        self._streams: dict[Key, dict[Window, Held]] = {}
        self._waiting: dict[int, Held] = {}
        self._receipts: dict[tuple[Window, str], Any] = {}
        _STORES[self._name] = self

    def __reduce__(self) -> tuple[Any, ...]:
        return _found, (self._name,)

    def require_here(self) -> None:
        """Raise SinkError in any process but the one that made the store."""
        if self._process != os.getpid():
            raise SinkError(
                "memory: its rows are in the memory of the process that loaded the pipeline, and"
                ' this is another: set executor = "inline", or take a sink that writes to a disk'
            )

    def expect(self, schemas: Mapping[str, pa.Schema]) -> None:
        """Take note of nodes whose rows are to come."""
        self.require_here()
        for node, schema in schemas.items():
            if "timestamp" not in schema.names:
                raise SinkError(f"memory: {node}: its rows have no column timestamp")
        with self._lock:
            self._schemas.update(schemas)

    def schema(self, node: str) -> pa.Schema:
        """Return the schema of a node; SinkError if no run has opened the sink for it."""
        self.require_here()
        with self._lock:
            if node not in self._schemas:
                known = ", ".join(sorted(self._schemas)) or "none, since no run has begun"
                raise SinkError(f"memory: {node}: no such node writes here; there are: {known}")
            return self._schemas[node]

    def begin(self, window: Window, node: str) -> Held:
        """Return a place for rows of a window that wait to be seen."""
        with self._lock:
            held = Held(window, node, self._taken)
            self._waiting[id(held)] = held
            return held

    def write(self, waiting: Held, batch: pa.RecordBatch) -> None:
        """Put rows behind those that wait; SinkError if that is too much, with all that is kept."""
        with self._lock:
            waiting.add(batch)
            if waiting.rows and waiting.window.day:
                waiting.evict(waiting.last - self._keep)
            self._make_room()

    def forget(self, waiting: Held) -> None:
        """Throw away rows that wait."""
        with self._lock:
            self._forget(waiting)

    def replace(self, parts: Sequence[Held], proofs: Mapping[str, Proof]) -> Receipt:
        """Put rows that wait in the place of their windows'; return the receipt."""
        with self._lock:
            for waiting in parts:
                _require(waiting, waiting.position, proofs[waiting.node])
            for waiting in parts:
                self._place(waiting.window, waiting.node).cut(0)
                self._move(waiting)
            return {part.node: self._close(part, proofs[part.node]) for part in parts}

    def append(self, parts: Sequence[Held]) -> Receipt:
        """Put rows that wait behind their windows'; return the receipt."""
        with self._lock:
            for waiting in parts:
                self._move(waiting)
            there = [self._place(part.window, part.node) for part in parts]
            return {held.node: {"rows": held.position} for held in there}

    def finish(self, parts: Sequence[Held], proofs: Mapping[str, Proof]) -> Receipt:
        """Put rows that wait behind their windows' and close these; return the receipt."""
        with self._lock:
            for waiting in parts:
                there = self._place(waiting.window, waiting.node).position
                _require(waiting, there + waiting.position, proofs[waiting.node])
            for waiting in parts:
                self._move(waiting)
            return {part.node: self._close(part, proofs[part.node]) for part in parts}

    def resume(self, window: Window, node: str, rows: int) -> None:
        """Cut a window back to its first rows; those that another process had are gone."""
        with self._lock:
            held = self._place(window, node)
            if held.rows and held.position < rows:
                raise SinkError(
                    f"memory: {node}: {held.position:,} rows of {window.exchange} {window.symbol}"
                    f" {window.name} were written, fewer than the {rows:,} to go on from"
                )
            self._receipts.pop((window, node), None)
            held.proof = None
            held.cut(rows)

    def holds(self, window: Window, node: str, receipt: Receipt) -> bool:
        """Tell whether this process has taken what a receipt says, be it gone by its age or not."""
        part = receipt.get(node)
        if part is None or self._process != os.getpid():
            return False
        with self._lock:
            if "hash" in part:
                return bool(self._receipts.get((window, node)) == part)
            held = self._streams.get(_key(window, node), {}).get(window)
            return held is not None and held.position >= part["rows"]

    def windows(self, node: str) -> list[tuple[Window, Proof | None]]:
        """Return the windows of a node, with their proofs where all rows are there still."""
        self.require_here()
        with self._lock:
            return [
                (held.window, None if held.gone else held.proof)
                for key in sorted(self._streams)
                if key[0] == node
                for held in self._ordered(key)
                if held.rows or (held.proof and held.window.day)
            ]

    def batches(self, key: Key) -> list[tuple[Window, tuple[pa.RecordBatch, ...]]]:
        """Return the rows of a stream by window, the open remainder last."""
        self.require_here()
        with self._lock:
            return [(held.window, held.batches()) for held in self._ordered(key)]

    def streams(self) -> list["Kept"]:
        """Return what there is of each stream, by its name."""
        self.require_here()
        with self._lock:
            return [self._kept(key) for key in sorted(self._streams)]

    @property
    def bytes(self) -> int:
        """How many bytes all rows take, those that wait included."""
        return self._taken.bytes

    def _kept(self, key: Key) -> "Kept":
        days = [held for held in self._ordered(key) if held.rows and held.window.day]
        first, last = (days[0].first, days[-1].last) if days else (None, None)
        rows = sum(held.rows for held in days)
        return Kept(*key, rows, first, last, self._taken.dropped[key])

    def _place(self, window: Window, node: str) -> Held:
        stream = self._streams.setdefault(_key(window, node), {})
        return stream.setdefault(window, Held(window, node, self._taken))

    def _ordered(self, key: Key) -> list[Held]:
        """Return the windows of a stream, the open remainder last."""
        found = self._streams.get(key, {}).values()
        return sorted(found, key=lambda held: (held.window.day is None, held.window.name))

    def _move(self, waiting: Held) -> None:
        """Put rows that wait into their window; let go of what is too old now."""
        held = self._place(waiting.window, waiting.node)
        batches, gone = waiting.batches(), waiting.gone
        self._forget(waiting)
        for batch in batches:
            held.add(batch)
        held.gone += gone
        held.proof = None
        self._receipts.pop((held.window, held.node), None)
        self._age(held.key)

    def _close(self, part: Held, proof: Proof) -> dict[str, Any]:
        held = self._place(part.window, part.node)
        held.proof = proof
        receipt = {"rows": proof.rows, "hash": proof.hash}
        self._receipts[held.window, held.node] = receipt
        return receipt

    def _age(self, key: Key) -> None:
        """Let go of a stream's rows that are too old, and of windows that are over."""
        days = [held for held in self._ordered(key) if held.window.day]
        newest = max((held.last for held in days if held.rows), default=None)
        if newest is None:
            return
        for held in days:
            held.evict(newest - self._keep)
            if held.proof and not held.rows and _end(held.window) <= newest - self._keep:
                del self._streams[key][held.window]

    def _forget(self, waiting: Held) -> None:
        waiting.cut(0)
        self._waiting.pop(id(waiting), None)

    def _make_room(self) -> None:
        while self._taken.bytes > self._limit:
            if not self._drops:
                raise SinkError(
                    f"memory: the rows that are to be kept take more than {self._limit:,} bytes;"
                    ' raise `limit`, shorten `keep`, or set drop = "oldest" to lose the oldest rows'
                )
            kept = [held for stream in self._streams.values() for held in stream.values()]
            filled = [held for held in (*kept, *self._waiting.values()) if held.rows]
            min(filled, key=lambda held: held.first).drop()


_STORES: WeakValueDictionary[str, Store] = WeakValueDictionary()


def _found(name: str) -> Store:
    """Return the store that was pickled; one that refuses, where it is not in this memory."""
    store = _STORES.get(name)
    if store is None:
        store = Store(0, 0, False)
        store._process = -1
    return store


def _key(window: Window, node: str) -> Key:
    return node, window.exchange, window.symbol


def _end(window: Window) -> int:
    day = window.day
    assert day  # noqa: S101  (of days only)
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 10**9 + _DAY


def _require(part: Held, rows: int, proof: Proof) -> None:
    """Raise SinkError unless all rows that a proof speaks of were written."""
    if rows != proof.rows:
        window = part.window
        raise SinkError(
            f"memory: {part.node}: {rows:,} rows of {window.exchange} {window.symbol}"
            f" {window.name} were written, and their proof speaks of {proof.rows:,}"
        )
