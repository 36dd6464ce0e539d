"""The ETag that S3 gives to an object, told from its bytes."""

import hashlib
from collections.abc import Iterable
from typing import Any


def mark_of(pieces: Iterable[Any], part: int) -> str:
    """Return the MD5 of some bytes, or that of the MD5s of their parts if there are several."""
    digests, current, room = [], hashlib.md5(usedforsecurity=False), part
    for piece in pieces:
        rest = memoryview(piece)
        while len(rest) >= room:
            current.update(rest[:room])
            rest, room = rest[room:], part
            digests.append(current.digest())
            current = hashlib.md5(usedforsecurity=False)
        current.update(rest)
        room -= len(rest)
    if not digests or (len(digests) == 1 and room == part):
        return (digests[0] if digests else current.digest()).hex()
    if room < part:
        digests.append(current.digest())
    whole = hashlib.md5(b"".join(digests), usedforsecurity=False)
    return f"{whole.hexdigest()}-{len(digests)}"
