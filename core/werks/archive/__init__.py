"""Day files: listed, fetched, checked, unpacked and read as columns, in bounded memory."""

from .ahead import Ahead
from .apart import Apart
from .fetch import fetched
from .listing import hrefs, s3_keys
from .parse import whole
from .rows import blocks, check, stamped
from .unpack import ByteStream

__all__ = [
    "Ahead",
    "Apart",
    "ByteStream",
    "blocks",
    "check",
    "fetched",
    "hrefs",
    "s3_keys",
    "stamped",
    "whole",
]
