"""Segments of many streams made at once, where a sink can do that."""

from collections.abc import Sequence
from itertools import islice

from ..errors import WerksError
from .livesource import LiveSource
from .patient import Patient, Segments

# So many windows at once: a database locks each of them until all are written.
_MOST = 100


def append_together(source: LiveSource) -> Sequence[tuple[str, WerksError]]:
    """Have each sink make the segments that are due at once; `commit` of each stream follows.

    Return what a sink's own code has raised, by the name of the sink.
    """
    found: dict[Patient, Segments] = {}
    for stream in source.streams.values():
        if stream.due is not None:
            stream.due.append_with(found)
    failed = []
    for name, writer in source.writers.items():
        left = iter(found.get(writer, {}).items())
        while some := dict(islice(left, _MOST)):
            if (error := writer.append_all(some)) is not None:
                failed.append((name, error))
    return failed
