"""Files that are there already, looked at row by row: an exchange's own, or those of our sinks.

Each file gets a verdict: what it holds, what is wrong with it, what is merely worth knowing. A file
that cannot be read is one bad verdict, and the others are looked at all the same.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from .asked import Asked
from .between import compare_days
from .found import files, known_suffix
from .own import own_file
from .published import published_file
from .verdict import Verdict

__all__ = ["Asked", "Verdict", "audit", "compare_days", "files", "known_suffix"]


def audit(paths: Sequence[Path], asked: Asked) -> Iterator[Verdict]:
    """Yield the verdicts of all files, those of one file together; `compare_days` goes further."""
    for path in paths:
        verdicts = own_file(path, asked)
        yield from published_file(path, asked) if verdicts is None else [verdicts]
