"""Proves from a sink alone that its rows are those that were committed: none missing or altered."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import attrs
import pyarrow as pa

from ..components import Proof, Window
from ..errors import ConfigError, SinkError
from ..ledger import Ledger
from ..proof import Digest
from .graph import Branch, Graph

_ONE = timedelta(days=1)
_UNITS = {"rows": "rows", "first_id": "the first id", "last_id": "the last id"}


@attrs.frozen
class Proven:
    """What the windows of a node and stream in a sink come to, folded in the order of time.

    `hash` folds the proofs of all windows: two sinks that hold the same rows have the same one.
    `problems` are empty if every row is as it was committed. `notes` tell of days without rows
    that are known as gaps, and of rows that no proof speaks of yet.
    """

    node: str
    exchange: str
    symbol: str
    windows: int
    rows: int
    first: date | None
    last: date | None
    first_id: str | None
    last_id: str | None
    sums: Mapping[str, str]
    hash: str
    problems: tuple[str, ...]
    notes: tuple[str, ...]


def prove(graph: Graph, ledger: Ledger, name: str) -> Iterator[Proven]:
    """Yield, by node and stream, what a sink holds, every row of it read back.

    ConfigError if there is no such sink or if it cannot be read back; SinkError if it cannot be
    reached.
    """
    sink = graph.sink(name)
    if not hasattr(sink, "proofs") or not hasattr(sink, "read"):
        raise ConfigError([f"{graph.config.path}: sinks.{name}: this sink cannot be read back"])
    books = _Books(ledger, name)
    nodes = {
        node: branch
        for branch in graph.branches
        for node, sinks in branch.sinks.items()
        if any(each.name == name for each in sinks)
    }
    for node in nodes:
        schemas = _schemas(graph, node)
        kept = dict(sink.proofs(node))
        known = books.of(node)
        for exchange, symbol in sorted({(w.exchange, w.symbol) for w in (*kept, *known)}):
            schema = schemas.get(exchange, nodes[node].schemas[node])
            stream = _Stream(sink, node, schema, books)
            yield stream.fold(_of(kept, exchange, symbol), _of(known, exchange, symbol))


def _schemas(graph: Graph, node: str) -> dict[str, pa.Schema]:
    """Return the schema of a node by exchange: each market has scales of its own."""
    having: Iterable[Branch] = (each for each in graph.branches if node in each.schemas)
    return {each.source.door.exchange: each.schemas[node] for each in having}


def _of(windows: Mapping[Window, Any], exchange: str, symbol: str) -> dict[Window, Any]:
    mine = [w for w in windows if (w.exchange, w.symbol) == (exchange, symbol)]
    return {window: windows[window] for window in sorted(mine, key=_in_time)}


def _in_time(window: Window) -> date:
    return window.day or date.max


class _Books:
    """What the ledger knows of a sink."""

    def __init__(self, ledger: Ledger, sink: str) -> None:
        self._commits = [
            (node, Window(stream.exchange, stream.symbol, day), commit.proof)
            for (stream, node, day, of), commit in ledger.commits().items()
            if of == sink
        ]
        self._gaps = {
            (gap.stream.exchange, gap.stream.symbol, gap.day): gap.cause
            for gap in ledger.gaps(every=True)
            if gap.kind == "day"
        }

    def of(self, node: str) -> dict[Window, Proof | None]:
        """Return the windows of a node that the sink has committed."""
        return {window: proof for of, window, proof in self._commits if of == node}

    def gap(self, exchange: str, symbol: str, day: date) -> str | None:
        """Return why a day could not be had, if it is known as a gap."""
        return self._gaps.get((exchange, symbol, day))


class _Stream:
    """Folds the windows of one node and stream."""

    def __init__(self, sink: Any, node: str, schema: pa.Schema, books: _Books) -> None:
        self._sink, self._node, self._schema, self._books = sink, node, schema, books
        self._problems: list[str] = []
        self._notes: list[str] = []

    def fold(
        self, kept: Mapping[Window, Proof | None], known: Mapping[Window, Proof | None]
    ) -> Proven:
        """Return what all windows come to."""
        found = {window: self._window(window, proof, known) for window, proof in kept.items()}
        missing = [window for window in known if window not in kept]
        self._problems += [
            f"{window.name}: missing, {_rows(known[window])} were committed" for window in missing
        ]
        self._days(found, missing)
        one = next(iter({**kept, **known}))
        return _folded(self._node, one, found, (tuple(self._problems), tuple(self._notes)))

    def _window(
        self, window: Window, kept: Proof | None, known: Mapping[Window, Proof | None]
    ) -> Proof:
        digest, name = Digest(self._schema), window.name
        try:
            for batch in self._sink.read(window, self._node, self._schema):
                digest.add(batch)
        except SinkError as error:
            self._problems.append(f"{name}: cannot be read back: {error}")
            return digest.proof()
        found, booked = digest.proof(), known.get(window)
        for of, proof in (("receipt", kept), ("ledger", booked)):
            if proof is not None and proof != found:
                self._problems.append(f"{name}: {_difference(found, proof, of)}")
                break
        else:
            if kept is None and booked is None:
                self._notes.append(f"{name}: {found.rows:,} rows that no receipt speaks of")
            elif known and window.day is not None and window not in known:
                self._notes.append(f"{name}: {found.rows:,} rows of which the ledger knows nothing")
        return found

    def _days(self, found: Mapping[Window, Proof], missing: Iterable[Window]) -> None:
        """Tell of days between the first and the last one of which there is not even a receipt."""
        said = {window.day for window in missing}
        for before, after in pairwise(w for w in found if w.day is not None):
            day = _day(before) + _ONE
            while day < _day(after):
                cause = self._books.gap(before.exchange, before.symbol, day)
                if cause is not None:
                    self._notes.append(f"{day}: a gap that is known: {cause}")
                elif day not in said:
                    self._problems.append(f"{day}: missing, there is not even a receipt")
                day += _ONE


def _folded(
    node: str,
    one: Window,
    found: Mapping[Window, Proof],
    said: tuple[tuple[str, ...], tuple[str, ...]],
) -> Proven:
    folded = hashlib.sha256()
    sums: dict[str, Decimal] = {}
    for window, proof in found.items():
        if window.day is None and not proof.rows:
            continue  # a database keeps the proof that nothing is open, files do not
        folded.update(f"{window.name} {proof.rows} {proof.hash}\n".encode())
        for name, value in proof.sums.items():
            sums[name] = sums.get(name, Decimal(0)) + Decimal(value)
    filled = [proof for proof in found.values() if proof.rows]
    days = [window.day for window in found if window.day is not None]
    return Proven(
        node=node,
        exchange=one.exchange,
        symbol=one.symbol,
        windows=len(days),
        rows=sum(proof.rows for proof in filled),
        first=min(days, default=None),
        last=max(days, default=None),
        first_id=filled[0].first_id if filled else None,
        last_id=filled[-1].last_id if filled else None,
        sums={name: format(value, "f") for name, value in sums.items()},
        hash=f"sha256:{folded.hexdigest()}",
        problems=said[0],
        notes=said[1],
    )


def _difference(found: Proof, expected: Proof, of: str) -> str:
    """Return how the rows that were read differ from a proof, the plainest difference first."""
    says = f"the {of} says" if of == "receipt" else "the ledger says"
    if found.rows != expected.rows:
        what = "missing" if found.rows < expected.rows else "too many"
        by = abs(found.rows - expected.rows)
        return f"{by:,} rows are {what}: {found.rows:,} are there, {says} {expected.rows:,}"
    for name, ours in found.sums.items():
        theirs = expected.sums.get(name)
        if theirs != ours:
            return f"altered: the sum of {name} is {ours}, {says} {theirs}"
    for name in ("first_id", "last_id"):
        ours, theirs = getattr(found, name), getattr(expected, name)
        if ours != theirs:
            return f"altered: {_UNITS[name]} is {ours}, {says} {theirs}"
    return f"altered, or in another order: the rows have another hash than {says}"


def _rows(proof: Proof | None) -> str:
    return "rows" if proof is None else f"{proof.rows:,} rows"


def _day(window: Window) -> date:
    assert window.day is not None  # noqa: S101  (only days are asked)
    return window.day
