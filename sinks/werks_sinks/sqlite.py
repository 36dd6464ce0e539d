"""The sink `sqlite`: a table a node in one database file."""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import attrs
import pyarrow as pa

from werks.components import Receipt, Window, Writer, option
from werks.hookspecs import hookimpl


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
        from .database import Database
        from .tables import TableWriter

        return TableWriter(Database(self.path, self.timeout), schemas)

    def holds(self, window: Window, node: str, receipt: Receipt) -> bool:
        """Tell whether a window still has as many rows as its receipt says."""
        from .database import Database
        from .tables import count

        part = receipt.get(node)
        if part is None:
            return False
        return count(Database(self.path, self.timeout), window, node) == int(part["rows"])


@hookimpl
def werks_sinks() -> dict[str, type]:
    """Offer the sink."""
    return {"sqlite": Sqlite}
