"""Day files: listed, fetched, checked, unpacked and read as columns, in bounded memory."""

from .ahead import Ahead
from .fetch import fetched
from .listing import hrefs, s3_keys
from .rows import blocks, check, stamped
from .unpack import ByteStream

__all__ = ["Ahead", "ByteStream", "blocks", "check", "fetched", "hrefs", "s3_keys", "stamped"]
