"""The files that there are to audit at some paths."""

from collections.abc import Iterator, Sequence
from pathlib import Path

OURS = (".feather", ".parquet")
_SUFFIXES = (*OURS, ".csv", ".gz", ".zip")


def files(paths: Sequence[Path]) -> list[Path]:
    """Return the files given and those below folders, in order, each once.

    Of a folder, hidden files and those of other kinds (ledgers, pages, checksums) are left out.
    """
    return list(dict.fromkeys(file for path in paths for file in _below(path)))


def _below(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for file in sorted(path.rglob("*")):
        hidden = any(part.startswith(".") for part in file.relative_to(path).parts)
        if known_suffix(file) and not hidden and file.is_file():
            yield file


def known_suffix(path: Path) -> bool:
    """Tell whether a file looks like one that can be audited."""
    return path.suffix in _SUFFIXES
