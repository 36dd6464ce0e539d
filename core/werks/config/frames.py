"""The keys `record` and `replay` of a source."""

from pathlib import Path
from typing import Any

import attrs

# A replay has days of its own, and comes by one door.
_OWN = ("start", "stop", "via", "verify", "record")


@attrs.frozen
class Frames:
    """Where a source keeps what its connections bring, or where it has that from."""

    record: Path | None
    replay: Path | None
    problems: list[tuple[str, str]]

    @classmethod
    def taken(cls, options: dict[str, Any], is_heard: bool) -> "Frames":
        """Take the keys out of a source's options; `is_heard`: whether it has a live door."""
        problems = []
        if "replay" in options:
            why = "a replay has what was recorded and nothing else: leave this out"
            problems = [(name, why) for name in _OWN if name in options]
        paths = []
        for name in ("record", "replay"):
            given = options.pop(name, None)
            if given is not None and not is_heard:
                problems.append((name, "it has no live door"))
            elif given is not None and not (isinstance(given, str) and given):
                problems.append((name, f"a folder is expected, not {given!r}"))
            paths.append(Path(given) if isinstance(given, str) and given else None)
        return cls(paths[0], paths[1], problems)

    @property
    def via(self) -> list[str] | None:
        """The doors to use; None: all."""
        return None if self.replay is None else ["live"]
