"""One run at a time is live with a source: of two, each would take the other's rows for lost."""

import time
from collections.abc import Iterable
from datetime import date

from ..components import Stream
from ..errors import WerksError
from ..ledger import Ledger
from .graph import Branch
from .lease import dead, owner

# For so many seconds a source is a run's that does not say so again, and so often it does.
_LEASE, _RENEWED = 15.0, 5.0
# The window that stands for all that is live.
_LIVE = date(1970, 1, 1)


class TakenError(WerksError):
    """Another run of the same pipeline is live."""


class Claims:
    """Live sources as this run's, in the ledger; one that is killed loses them within seconds."""

    def __init__(self, ledger: Ledger, branches: Iterable[Branch]) -> None:
        self._ledger, self._owner, self._due = ledger, owner(), 0.0
        sources = [branch.source for branch in branches]
        self._all = [Stream(each.door.exchange, each.name, each.type) for each in sources]

    def take(self) -> None:
        """Make the sources this run's; TakenError if another one stays with one of them."""
        until = time.monotonic() + _LEASE + 1.0
        for source in self._all:
            while (other := self._taken(source)) is not None:
                if time.monotonic() > until:
                    self.release()
                    raise _refusal(source, other)
                time.sleep(0.25)
        self._due = time.monotonic() + _RENEWED

    def renew(self) -> None:
        """Say again that they are this run's, if it is time to."""
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + _RENEWED
        for source in self._all:
            if (other := self._taken(source)) is not None:
                raise _refusal(source, other)

    def release(self) -> None:
        """Leave them to whoever comes."""
        self._ledger.release(self._owner)

    def _taken(self, source: Stream) -> str | None:
        """Take a source, or return who else has it."""
        other = self._ledger.lease(source, _LIVE, self._owner, _LEASE)
        if other is not None and dead(other):
            self._ledger.release(other)
            other = self._ledger.lease(source, _LIVE, self._owner, _LEASE)
        return other


def _refusal(source: Stream, other: str) -> TakenError:
    host, pid, _ = other.rsplit(":", 2)
    what = f"sources.{source.symbol} is live in another run of this pipeline"
    return TakenError(f"{what}, process {pid} on {host}: let one run at a time")
