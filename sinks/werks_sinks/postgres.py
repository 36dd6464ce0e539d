"""The sink `postgres`: a table a node in a PostgreSQL database."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar

import attrs
import pyarrow as pa

from werks.components import Proof, Receipt, Window, Writer, option
from werks.hookspecs import hookimpl

if TYPE_CHECKING:
    from .server import Server


@attrs.frozen
class Postgres:
    """Keeps rows in PostgreSQL, a table a node, keyed by exchange, symbol, window and n.

    `window` is the day, or null for what is still open at the end, such as an unfinished bar; `n`
    counts the rows of a window from 0. Amounts are NUMERIC, exactly; a time is a timestamptz to the
    microsecond and, in `<name>_ns`, the 0 to 999 nanoseconds that this leaves out. Rows go there by
    COPY, a window in one transaction. The URL of another database that SQLAlchemy knows will do,
    but rows go there by plain inserts, many times slower, with amounts and times as text.
    """

    replaces: ClassVar[bool] = True

    url: str = option(
        help="The database, as in postgresql://user:password@host:5432/name, best as env:NAME.",
        secret=True,
    )
    schema: str | None = option(
        None,
        help="The schema of the database that the tables are in; it is made if it is not there.",
    )
    timeout: float = option(
        60.0,
        help="How many seconds to wait for a server that is away, or for another run that writes.",
        identity=False,
        validator=attrs.validators.ge(0),
    )

    def open(self, schemas: Mapping[str, pa.Schema]) -> Writer:
        """Return a writer for these nodes."""
        from .tablewriter import TableWriter

        return TableWriter(self._database(), schemas)

    def holds(self, window: Window, node: str, receipt: Receipt) -> bool:
        """Tell whether a window still has the rows and the proof that its receipt says."""
        from .tablereader import holds

        return holds(self._database(), window, node, receipt)

    def proofs(self, node: str) -> Iterable[tuple[Window, Proof | None]]:
        """Yield all windows of a node that are there, each with its proof, if it has one."""
        from .tablereader import proofs

        return proofs(self._database(), node)

    def read(self, window: Window, node: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a window in their order."""
        from .tablereader import read

        return read(self._database(), window, node, schema)

    def shares(self, state: str) -> bool:
        """Tell whether a ledger, by its path or URL, is in the same database."""
        from .urls import same

        return same(self.url, state)

    def _database(self) -> "Server":
        from .server import Server

        return Server(self.url, self.schema, self.timeout)


@hookimpl
def werks_sinks() -> dict[str, type]:
    """Offer the sink."""
    return {"postgres": Postgres}
