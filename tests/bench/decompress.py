"""Unpacks a file and does nothing else: no reader of it can be faster."""

import sys

from isal import igzip


def main() -> None:
    """Unpack the file that the command line names."""
    buffer = bytearray(1 << 20)
    with igzip.open(sys.argv[1], "rb") as file:
        while file.readinto(buffer):
            pass


if __name__ == "__main__":
    main()
