"""The conformance kit: what every plugin, ours or not, runs against itself.

Needs the extra `werks[testing]`. A plugin subclasses `ArchiveTests`, `HistoryTests`,
`CandleTests`, `SnapshotTests`, `SinkTests` or `TransformTests` in its own tests and gives what the
class asks for.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .archive import ArchiveTests
    from .candles import CandleTests
    from .history import HistoryTests
    from .loopback import Loopback
    from .shelf import Published, Totals
    from .sink import SinkTests
    from .snapshot import SnapshotTests
    from .tape import Listed, Tape
    from .transform import TransformTests

_HOMES = {
    "ArchiveTests": "archive",
    "CandleTests": "candles",
    "HistoryTests": "history",
    "Listed": "tape",
    "Loopback": "loopback",
    "Published": "shelf",
    "SinkTests": "sink",
    "SnapshotTests": "snapshot",
    "Tape": "tape",
    "Totals": "shelf",
    "TransformTests": "transform",
}
__all__ = [
    "ArchiveTests",
    "CandleTests",
    "HistoryTests",
    "Listed",
    "Loopback",
    "Published",
    "SinkTests",
    "SnapshotTests",
    "Tape",
    "Totals",
    "TransformTests",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
