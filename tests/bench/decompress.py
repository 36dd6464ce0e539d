"""Unpacks a file and does nothing else: no reader of it can be faster."""

import sys
from typing import Any

from isal import igzip


def main() -> None:
    """Unpack the file that the command line names."""
    buffer = bytearray(1 << 20)
    opened: Any = igzip.open  # without annotations in isal
    with opened(sys.argv[1], "rb") as file:
        while file.readinto(buffer):
            pass


if __name__ == "__main__":
    main()
