"""The writer of a sink with tables: each commit is a transaction, rows wait on disk until then."""

from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager

import attrs
import pyarrow as pa
import sqlalchemy as sa

from werks.components import Mark, Proof, Receipt, Window
from werks.errors import SinkError

from .database import Database
from .gather import Parts
from .migrate import is_ready, prepare
from .spool import Spool
from .tables import is_window, last_of, record, require_usable, tables


@attrs.define
class _Reach:
    """How far the durable rows of a node reach in a window that is appended to.

    It is settled once there are no rows beyond, such as those of a commit that was in doubt, and no
    proof, which the next rows would belie.
    """

    rows: int
    is_settled: bool = False


_Reaches = dict[tuple[Window, str], _Reach]
Proofs = Mapping[str, Proof | None]


class TableWriter:
    """Writes the rows of a sink's nodes, a table a node, with their proofs in one more."""

    def __init__(self, database: Database, schemas: Mapping[str, pa.Schema]) -> None:
        self._database, self._way = database, database.way
        require_usable(schemas, self._way)
        database.open()
        self._tables = tables(schemas, self._way, database.schema)
        self._parts = Parts(schemas, lambda window, node: Spool(database.folder))
        self._reaches: dict[tuple[Window, str], _Reach] = {}
        with database.reading() as connection:
            self._is_ready = connection is not None and is_ready(connection, self._tables, database)

    def write(self, window: Window, node: str, batch: pa.RecordBatch) -> None:
        """Take rows of a node for a window."""
        self._parts.write(window, node, batch)

    def commit(
        self, window: Window, proofs: Mapping[str, Proof], mark: Mark | None = None
    ) -> Receipt:
        """Replace the window's rows in the tables of these nodes, all in one transaction."""
        anew = {(window, node): _Reach(0) for node in proofs}
        return self._store({window: proofs}, mark, anew)[window]

    def append(self, window: Window, nodes: Sequence[str], mark: Mark | None = None) -> Receipt:
        """Add what was written since last time behind the rows that are there."""
        return self._store({window: dict.fromkeys(nodes)}, mark, self._reaches)[window]

    def append_all(self, windows: Mapping[Window, Sequence[str]]) -> Mapping[Window, Receipt]:
        """Add what was written since last time to several windows in one transaction."""
        # Always in one order, or two runs could wait for each other's locks.
        named = sorted(windows, key=lambda each: (each.exchange, each.symbol, each.name))
        wanted = {window: dict.fromkeys(windows[window]) for window in named}
        return self._store(wanted, None, self._reaches)

    def finish(
        self, window: Window, proofs: Mapping[str, Proof], mark: Mark | None = None
    ) -> Receipt:
        """Add what was written since last time, and the proofs of all."""
        return self._store({window: proofs}, mark, self._reaches)[window]

    def resume(self, window: Window, receipt: Receipt) -> None:
        """Cut the rows of a window back to those of a receipt, in the tables of all nodes."""
        reaches = {
            node: _Reach(receipt.get(node, {}).get("rows", 0)) for node in self._tables.nodes
        }

        def work(connection: sa.Connection, again: bool) -> None:
            self._lock(connection, window)
            for node, reach in reaches.items():
                self._settle(connection, window, node, reach)

        self._make_ready()
        self._database.transact(work)
        for node, reach in reaches.items():
            self._parts.forget(window, node)  # they come again, as all that is behind the receipt
            self._reaches[window, node] = _Reach(reach.rows, is_settled=True)

    def abort(self) -> None:
        """Throw away what was written and neither committed nor appended."""
        self._parts.drop()

    def close(self) -> None:
        """Let go of the database; what was neither committed nor appended is thrown away."""
        self.abort()
        self._database.close()

    def _store(
        self, windows: Mapping[Window, Proofs], mark: Mark | None, reaches: _Reaches
    ) -> Mapping[Window, Receipt]:
        """Put the rows that wait behind those that are to stay, in one transaction."""

        def work(connection: sa.Connection, again: bool) -> Mapping[Window, Receipt]:
            receipts = {}
            for window, proofs in windows.items():
                self._lock(connection, window)
                receipts[window] = self._put(connection, window, proofs, reaches, again)
                if mark:
                    mark(connection, receipts[window])
            return receipts

        with self._parts.unbroken(), _in_doubt(reaches, windows):
            self._make_ready()
            receipts = self._database.transact(work)
        for window, proofs in windows.items():
            for node, proof in proofs.items():
                self._parts.forget(window, node)
                self._reaches.pop((window, node), None)
                if proof is None:
                    rows = receipts[window][node]["rows"]
                    self._reaches[window, node] = _Reach(rows, is_settled=True)
        return receipts

    def _put(
        self,
        connection: sa.Connection,
        window: Window,
        proofs: Proofs,
        reaches: _Reaches,
        again: bool,
    ) -> Receipt:
        receipt: Receipt = {}
        for node, proof in proofs.items():
            reach = reaches.get((window, node)) or _Reach(self._count(connection, window, node))
            reach.is_settled = reach.is_settled and not again
            reaches[window, node] = reach
            rows = self._add(connection, window, node, reach)
            receipt[node] = {"rows": rows} | ({"hash": proof.hash} if proof else {})
        self._record(connection, window, proofs)
        return receipt

    def _make_ready(self) -> None:
        if not self._is_ready:
            self._database.transact(
                lambda connection, _: prepare(connection, self._tables, self._database)
            )
            self._is_ready = True

    def _lock(self, connection: sa.Connection, window: Window) -> None:
        """Let one transaction at a time write to a window, or each would miss the other's rows."""
        name = (self._database.schema, window.exchange, window.symbol, window.name)
        self._way.lock(connection, str(name))

    def _add(self, connection: sa.Connection, window: Window, node: str, reach: _Reach) -> int:
        """Add what waits of a node; return how far its rows reach then."""
        if not reach.is_settled:
            self._settle(connection, window, node, reach)
        elif self._count(connection, window, node) != reach.rows:
            raise SinkError(
                f"{self._database.name}: another run has written rows of {window.exchange} "
                f"{window.symbol} {window.name} to {node}; let one run write at a time"
            )
        spool = self._parts.get(window, node)
        if spool is None or not spool.rows:
            return reach.rows
        table = self._tables.nodes[node]
        self._way.put(connection, table, window, (reach.rows, spool.batches()))
        return reach.rows + spool.rows

    def _settle(self, connection: sa.Connection, window: Window, node: str, reach: _Reach) -> None:
        """Take away rows beyond a reach, and the proof; SinkError if there are fewer."""
        table, receipts = self._tables.nodes[node], self._tables.receipts
        there = self._count(connection, window, node) if reach.rows else 0
        if there < reach.rows:
            raise SinkError(
                f"{self._database.name}: {node} has {there} rows of {window.exchange} "
                f"{window.symbol} {window.name}, but {reach.rows} were written; "
                "what was lost has to be read again: see werks repair"
            )
        beyond = is_window(table, window, self._way)
        beyond = sa.and_(beyond, table.c.n >= reach.rows) if reach.rows else beyond
        connection.execute(table.delete().where(beyond))
        of_window = is_window(receipts, window, self._way)
        connection.execute(receipts.delete().where(receipts.c.node == node, of_window))

    def _count(self, connection: sa.Connection, window: Window, node: str) -> int:
        """Return how many rows of a window there are, by the number of the last."""
        found = connection.scalar(last_of(self._tables.nodes[node], window, self._way))
        return 0 if found is None else int(found) + 1

    def _record(self, connection: sa.Connection, window: Window, proofs: Proofs) -> None:
        found = [record(self._way, window, node, proof) for node, proof in proofs.items() if proof]
        if found:
            connection.execute(self._tables.receipts.insert(), found)


@contextmanager
def _in_doubt(reaches: _Reaches, windows: Container[Window]) -> Iterator[None]:
    """Remember after an error that rows may have come to be there all the same."""
    try:
        yield
    except BaseException:
        for (of, _), reach in reaches.items():
            reach.is_settled = reach.is_settled and of not in windows
        raise
