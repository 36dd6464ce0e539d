"""The checksum of a file, as it was given or as it lies beside the file."""

import hashlib
import re
from pathlib import Path

from ..errors import DataError

_SHA256 = re.compile(r"(?:sha256:)?([0-9a-f]{64})\b", re.IGNORECASE)


def digest(text: str) -> str | None:
    """Return the SHA-256 that a text begins with, in lower case; None if it begins with none."""
    found = _SHA256.match(text.strip())
    return found[1].lower() if found else None


def published(path: Path, given: str) -> str | None:
    """Return the checksum that a file should have: the one given, or that in NAME.CHECKSUM.

    None where there is neither; DataError where a file of that name holds none.
    """
    if given:
        return digest(given)
    beside = path.with_name(f"{path.name}.CHECKSUM")
    if not beside.is_file():
        return None
    found = digest(beside.read_text("utf-8", "replace"))
    if found is None:
        raise DataError(f"{beside.name} holds no SHA-256 checksum")
    return found


def is_good(path: Path, expected: str) -> bool:
    """Tell whether a file has a checksum."""
    with path.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest() == expected
