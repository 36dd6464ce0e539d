"""Open interest of Bitfinex's derivatives."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import ClassVar

import attrs
import numpy as np
import pyarrow as pa
from attrs.validators import and_, ge, le

from werks.components import Continuity, Http, option
from werks.schema import batch, schema, times, word
from werks.wire import decimals, epoch

from . import rest
from .status import MOST, Status, pages

_SCHEMA = schema("OPEN_INTEREST", rest.SCALES)


@attrs.frozen
class OpenInterest:
    """Open interest of derivatives such as tBTCF0:USTF0 in base, whenever their status was taken.

    What it is worth in quote is not stated.
    """

    page_size: int = option(
        MOST,
        help=f"rows to ask for at once, {MOST} at most",
        identity=False,
        validator=and_(ge(1), le(MOST)),
    )
    rest_url: str = option(rest.URL, help=rest.URL_HELP, identity=False)

    exchange: ClassVar[str] = rest.EXCHANGE
    schema: ClassVar[pa.Schema] = _SCHEMA
    continuity: ClassVar[Continuity] = "none"
    reach: ClassVar[timedelta | None] = None
    off: ClassVar[str] = ""
    blind_spots: ClassVar[Sequence[str]] = (
        "what happens between two rows cannot be seen; how often they are taken is not stated",
        "rows of 2019 have no open interest: they are left out",
        "it comes as a float with noise behind its digits: it is rounded to eight",
    )

    def read(
        self, http: Http, symbol: str, after: int | str, until: int
    ) -> Iterator[tuple[pa.RecordBatch, str]]:
        """Yield (rows, cursor) page by page; pages without any open interest are passed over."""
        start = int(after) if isinstance(after, str) else max(-(-after // rest.MS), 0)
        span = (start, -(-until // rest.MS))
        for found, asked in pages(http, self.rest_url, symbol, self.page_size, span):
            known = [each for each in found if each.open_interest is not None]
            if known:
                yield rows(known, symbol, rest.name(asked)), str(found[-1].time + 1)


def rows(
    found: Sequence[Status], symbol: str, name: str, received: Sequence[int] | None = None
) -> pa.RecordBatch:
    """Return the open interest of statuses that have it; `received` is when they were heard."""
    values = [each.open_interest for each in found]
    return batch(
        _SCHEMA,
        exchange=word(rest.EXCHANGE, len(found)),
        symbol=word(symbol, len(found)),
        timestamp=times(epoch([each.time for each in found], rest.MS, name)),
        received=None if received is None else times(np.array(received, np.int64)),
        open_interest=decimals(values, rest.SCALES.size, name, "open interest", True),
    )
