"""Names of exchanges, symbols and nodes as names of folders."""

import hashlib
import re

_UNSAFE = re.compile(rb"[^A-Za-z0-9_.-]")
_RESERVED = re.compile(r"(CON|PRN|AUX|NUL|COM[0-9]|LPT[0-9])(\..*)?", re.IGNORECASE)
_LONGEST = 150


def safe(text: str) -> str:
    """Return a name that no two texts share and that is safe on every common file system.

    Letters, digits, `-`, `_` and `.` stay, all else becomes `%` and the two hexadecimal digits of
    its UTF-8 bytes; so does a point at either end and the first letter of a name that Windows
    keeps for itself. No text is a lone `%`; a long one ends in `%~` and its SHA-256.
    """
    if not text:
        return "%"
    raw = text.encode("utf-8", "surrogatepass")
    name = _UNSAFE.sub(lambda match: _escaped(match[0]), raw).decode("ascii")
    if name.startswith(".") or _RESERVED.fullmatch(name):
        name = _escaped(name[:1].encode()).decode() + name[1:]
    if name.endswith("."):
        name = f"{name[:-1]}%2E"
    if len(name) > _LONGEST:
        name = f"{name[:60]}%~{hashlib.sha256(raw).hexdigest()}"
    return name


def _escaped(byte: bytes) -> bytes:
    return b"%%%02X" % byte[0]
