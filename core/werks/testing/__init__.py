"""The conformance kit: what every plugin, ours or not, runs against itself.

Needs the extra `werks[testing]`. A plugin subclasses `ArchiveTests`, `HistoryTests`,
`CandleTests`, `SnapshotTests`, `FeedTests`, `SinkTests` or `TransformTests` in its own tests and
gives what the class asks for. `Loopback` and `LoopbackSocket` serve a simulated exchange.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .archive import ArchiveTests
    from .candles import CandleTests
    from .feed import FeedTests
    from .history import HistoryTests
    from .loopback import Loopback
    from .shelf import Published, Totals
    from .sink import SinkTests
    from .snapshot import SnapshotTests
    from .socket import LoopbackSocket
    from .storm import Storm
    from .tape import Listed, Tape
    from .transform import TransformTests
    from .words import Venue, Words

_HOMES = {
    "ArchiveTests": "archive",
    "CandleTests": "candles",
    "FeedTests": "feed",
    "HistoryTests": "history",
    "Listed": "tape",
    "Loopback": "loopback",
    "LoopbackSocket": "socket",
    "Published": "shelf",
    "SinkTests": "sink",
    "SnapshotTests": "snapshot",
    "Storm": "storm",
    "Tape": "tape",
    "Totals": "shelf",
    "TransformTests": "transform",
    "Venue": "words",
    "Words": "words",
}
__all__ = [
    "ArchiveTests",
    "CandleTests",
    "FeedTests",
    "HistoryTests",
    "Listed",
    "Loopback",
    "LoopbackSocket",
    "Published",
    "SinkTests",
    "SnapshotTests",
    "Storm",
    "Tape",
    "Totals",
    "TransformTests",
    "Venue",
    "Words",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
