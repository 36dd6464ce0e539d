"""Amounts of bytes as people write them."""

import re

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?I?B)", re.IGNORECASE)
_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}


def size(text: str, name: str) -> int:
    """Return an amount like `512 MB` or `1.5 GiB` in bytes; ValueError names the option."""
    found = _SIZE.fullmatch(text)
    unit = found[2].upper().removesuffix("B") if found else ""
    step = 1024 if unit.endswith("I") else 1000
    power = _POWERS[unit.removesuffix("I")]
    amount = round(float(found[1]) * step**power) if found else 0
    if amount <= 0 or unit == "I":
        raise ValueError(f'{name}: a size like "512 MB" or "1 GB" is expected, not {text!r}')
    return amount
