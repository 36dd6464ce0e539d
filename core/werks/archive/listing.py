"""What a server says that it has: folders as HTML pages and buckets that speak S3."""

import re
from collections.abc import Iterator
from urllib.parse import unquote
from xml.etree import ElementTree

from ..components import Http
from ..errors import MessageError

_HREF = re.compile(r"""href\s*=\s*["']([^"'?#]+)["']""", re.IGNORECASE)


def hrefs(page: str) -> list[str]:
    """Return the last parts of all links of an HTML folder page, in the page's order."""
    return [unquote(link.rstrip("/").rsplit("/", 1)[-1]) for link in _HREF.findall(page)]


def s3_keys(http: Http, bucket: str, prefix: str) -> Iterator[str]:
    """Yield the keys of a public bucket under a prefix, in order (ListObjectsV2, page by page)."""
    query = {"list-type": "2", "prefix": prefix}
    while True:
        page = http.text(bucket, **query)
        try:
            # The page comes from the exchange's own bucket; expat bounds entities by itself.
            root = ElementTree.fromstring(page)  # noqa: S314
        except ElementTree.ParseError as error:
            raise MessageError(f"{bucket}: the listing of {prefix} is not XML: {error}") from error
        for item in root.iterfind("{*}Contents/{*}Key"):
            yield item.text or ""
        token = root.findtext("{*}NextContinuationToken")
        if not token:
            return
        query["continuation-token"] = token
