"""Segments of many streams made at once, where a sink can do that."""

from collections.abc import Iterable
from itertools import islice

from .patient import Patient, Segments
from .streaming import Streaming

# So many windows at once: a database locks each of them until all are written.
_MOST = 100


def append_together(streams: Iterable[Streaming]) -> None:
    """Have each sink make the segments that are due at once; `commit` of each stream follows."""
    found: dict[Patient, Segments] = {}
    for stream in streams:
        if stream.due is not None:
            stream.due.append_with(found)
    for writer, windows in found.items():
        left = iter(windows.items())
        while some := dict(islice(left, _MOST)):
            writer.append_all(some)
