"""The past of a derivative's status, which open interest and funding are read from."""

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from werks.components import Http, Request

from . import rest

MOST = 5000


class Status(msgspec.Struct, array_like=True, gc=False):
    """A row of the history, which has no key in front, unlike the status as it is now.

    Rows of 2019 end behind the current funding or the mark price.
    """

    time: int
    _1: msgspec.Raw
    _price: msgspec.Raw
    _spot: msgspec.Raw
    _4: msgspec.Raw
    _insurance: msgspec.Raw
    _6: msgspec.Raw
    next_funding: int | None
    _accrued: msgspec.Raw
    _step: msgspec.Raw
    _10: msgspec.Raw
    current_funding: Decimal | None
    _12: msgspec.Raw = msgspec.Raw(b"null")
    _13: msgspec.Raw = msgspec.Raw(b"null")
    _mark: msgspec.Raw = msgspec.Raw(b"null")
    _15: msgspec.Raw = msgspec.Raw(b"null")
    _16: msgspec.Raw = msgspec.Raw(b"null")
    open_interest: Decimal | None = None


def pages(
    http: Http, url: str, symbol: str, size: int, span: tuple[int, int]
) -> Iterator[tuple[list[Status], Request]]:
    """Yield the rows of a derivative from a time to before another, both in ms, page by page.

    The last page may go on behind. DataError where a page begins before what was asked for.
    """
    rest.check_market(symbol, "tBTCF0:USTF0")
    start, until = span
    while start < until:
        query = {"limit": size, "start": start, "sort": 1}
        asked = rest.request(url, f"status/deriv/{symbol}/hist", query, rest.OTHERS)
        found: list[Status] = rest.ask(http, asked, list[Status])
        if not found:
            return
        found.sort(key=lambda each: each.time)
        rest.check_since(found[0].time, start, rest.name(asked))
        yield found, asked
        start = found[-1].time + 1  # a derivative has one row at a time
