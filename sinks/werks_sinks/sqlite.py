"""The sink `sqlite`: a table a node in one database file."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import attrs
import pyarrow as pa

from werks.components import Proof, Receipt, Window, Writer, option
from werks.hookspecs import hookimpl

if TYPE_CHECKING:
    from .sqlitefile import SqliteFile


@attrs.frozen
class Sqlite:
    """Keeps rows in a SQLite database, a table a node, keyed by exchange, symbol, window and n.

    `window` is the day, or null for what is still open at the end, such as an unfinished bar; `n`
    counts the rows of a window from 0. Amounts are text, since SQLite's numbers would round them;
    times are ISO 8601 text in UTC with nine digits.
    """

    replaces: ClassVar[bool] = True

    path: Path = option(help="The database file; it is made if it is not there.")
    timeout: float = option(
        60.0,
        help="How many seconds to wait while another process writes to the database.",
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
        """Tell whether a ledger, by its path or URL, is in the same file."""
        from .urls import same

        return same(str(self.path), state)

    def _database(self) -> "SqliteFile":
        from .sqlitefile import SqliteFile

        return SqliteFile(self.path, self.timeout)


@hookimpl
def werks_sinks() -> dict[str, type]:
    """Offer the sink."""
    return {"sqlite": Sqlite}
