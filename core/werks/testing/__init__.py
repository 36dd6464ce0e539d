"""The conformance kit: what every plugin, ours or not, runs against itself.

Needs the extra `werks[testing]`. A plugin subclasses `ArchiveTests`, `HistoryTests`,
`CandleTests`, `SnapshotTests`, `FeedTests`, `WordsTests`, `SinkTests` or `TransformTests` in its
own tests and gives what the class asks for. `Loopback` and `LoopbackSocket` serve a simulated
exchange, `Course` is what happens there, and a `Storm` befalls it.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .archive import ArchiveTests
    from .candles import CandleTests
    from .course import Course, respelt, uuids
    from .feed import FeedTests
    from .history import HistoryTests
    from .loopback import Loopback
    from .shelf import Published, Totals
    from .sink import SinkTests
    from .snapshot import SnapshotTests
    from .socket import LoopbackSocket
    from .spoken import WordsTests, told
    from .storm import Storm
    from .tape import Listed, Tape, plain
    from .transform import TransformTests
    from .words import Venue, Words

_HOMES = {
    "ArchiveTests": "archive",
    "CandleTests": "candles",
    "Course": "course",
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
    "WordsTests": "spoken",
    "plain": "tape",
    "respelt": "course",
    "told": "spoken",
    "uuids": "course",
}
__all__ = [
    "ArchiveTests",
    "CandleTests",
    "Course",
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
    "WordsTests",
    "plain",
    "respelt",
    "told",
    "uuids",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
