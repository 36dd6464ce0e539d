"""Amounts of bytes as people write them."""

import re

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kKMGT]?i?B)")
_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}


def size(text: str, name: str) -> int:
    """Return an amount like `512 MB` or `1.5 GiB` in bytes; ValueError names the option."""
    found = _SIZE.fullmatch(text)
    unit = found[2].removesuffix("B") if found else ""
    step = 1024 if unit.endswith("i") else 1000
    power = _POWERS.get(unit.removesuffix("i").upper(), 0)
    amount = round(float(found[1]) * step**power) if found else 0
    if amount <= 0 or unit == "i":
        raise ValueError(f'{name}: a size like "512 MB" or "1 GB" is expected, not {text!r}')
    return amount
