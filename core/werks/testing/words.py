"""What a simulated exchange says by websocket, without the socket: to be given by a plugin."""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol

import attrs
import pyarrow as pa

from ..schema import kind

# What words return: texts, one text, or None for nothing.
Texts = Iterable[str] | str | None


class Words(Protocol):
    """The exchange's side of one connection: texts in, texts out; no clock and no socket.

    `LoopbackSocket` makes one for each connection, calls it in one thread and sends what it
    returns. `Venue` holds what connections share.
    """

    def opened(self, path: str) -> Texts:
        """Return what is said to a client that has connected to a path, its query included."""
        ...

    def said(self, text: str) -> Texts:
        """Return the answers to a text of the client: acks, refusals, snapshots, pongs.

        What is asked of a symbol in `venue.refused` is refused as the exchange does it.
        """
        ...

    def trades(self, rows: pa.RecordBatch) -> Texts:
        """Return what is said of new rows of one symbol, oldest first, whatever their kind is.

        Nothing to a client that has not subscribed to them. The rows have the feed's schema.
        """
        ...

    def heartbeat(self) -> Texts:
        """Return what is said to show that the connection lives; nothing if the exchange has none.

        The time is the last row's, where the exchange states one.
        """
        ...

    def maintenance(self) -> Texts:
        """Return what is said before the exchange goes away; nothing if it goes without a word."""
        ...


@attrs.define
class Venue:
    """What all connections of a simulated exchange share: its last rows, and what it refuses."""

    refused: dict[str, str] = attrs.field(factory=dict)
    """The symbols that are not served, as the client spells them, and why."""
    stale: int = 0
    """How many of the last rows a snapshot does not know."""
    kept: int = 2000
    """How many rows of a symbol are remembered at least."""
    _rows: dict[tuple[str, str], deque[pa.RecordBatch]] = attrs.field(factory=dict, init=False)

    def past(self, symbol: str, most: int, what: str = "TRADE") -> pa.RecordBatch | None:
        """Return the last rows of a kind, for a snapshot, oldest first; None where there are none.

        A copy of what was pushed before, at most `most` rows.
        """
        batches = self._rows.get((what, symbol))
        if not batches:
            return None
        rows = pa.concat_batches(list(batches))
        stop = max(0, len(rows) - self.stale)
        begin = max(0, stop - most)
        return rows.slice(begin, stop - begin) if stop else None

    def add(self, rows: pa.RecordBatch) -> None:
        """Remember rows of one symbol; done by `LoopbackSocket.push` once they are told."""
        if not len(rows):
            return
        batches = self._rows.setdefault((kind(rows.schema), str(rows["symbol"][0])), deque())
        batches.append(rows)
        known = sum(map(len, batches))
        while known - len(batches[0]) >= self.kept:
            known -= len(batches.popleft())


WordsFor = Callable[[Venue], Words]


def texts(said: Texts) -> list[str]:
    """Return what words returned as a list."""
    if said is None:
        return []
    return [said] if isinstance(said, str) else list(said)
