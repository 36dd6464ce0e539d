"""BitMEX's funding rates."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import ClassVar

import attrs
import msgspec
import pyarrow as pa
from attrs.validators import and_, ge, le

from werks.components import Continuity, Http, option
from werks.schema import RATE_SCALE, batch, schema, times, word
from werks.wire import Times, decimals, iso

from .columns import EXCHANGE, SCALES
from .rest import HOST, Table, moment, stamp

# A duration is written as the date that comes so long after this one: 2000-01-01T08:00 is 8 hours.
_ZERO = moment("2000-01-01T00:00:00.000Z")
_SECOND = 10**9


class Rate(msgspec.Struct):
    """A row of the table `funding`."""

    timestamp: str
    symbol: str
    fundingInterval: str  # noqa: N815  (these are BitMEX's names)
    fundingRate: Decimal  # noqa: N815


@attrs.frozen
class Funding:
    """The funding rates of BitMEX's perpetual contracts, at the times when they were paid.

    `mark_price` is not stated.
    """

    rest_url: str = option(HOST, help="where the REST interface is", identity=False)
    page_size: int = option(
        500,
        help="how many rates to ask for at once, 500 at most",
        identity=False,
        validator=and_(ge(1), le(500)),
    )

    exchange: ClassVar[str] = EXCHANGE
    schema: ClassVar[pa.Schema] = schema("FUNDING", SCALES)
    continuity: ClassVar[Continuity] = "none"
    reach: ClassVar[timedelta | None] = None
    off: ClassVar[str] = ""
    blind_spots: ClassVar[Sequence[str]] = (
        "that no payment is left out can be seen from the interval only",
    )

    def read(
        self, http: Http, symbol: str, after: int | str, until: int
    ) -> Iterator[tuple[pa.RecordBatch, str]]:
        """Yield (rates, cursor); the cursor is the time of the last payment."""
        query = {"symbol": symbol, "count": str(self.page_size), "reverse": "false"}
        table = Table(self.rest_url, "funding", query, list[Rate])
        for rows, paid in table.pages(http, after):
            yield self._page(rows, paid, table), stamp(int(paid[-1]))
            if int(paid[-1]) >= until:
                return

    def _page(self, rows: Sequence[Rate], paid: Times, table: Table) -> pa.RecordBatch:
        spans = iso([row.fundingInterval for row in rows], table.url) - _ZERO
        rates = [row.fundingRate for row in rows]
        return batch(
            self.schema,
            exchange=word(EXCHANGE, len(rows)),
            symbol=word(table.symbol, len(rows)),
            timestamp=times(paid),
            rate=decimals(rates, RATE_SCALE, table.url, "fundingRate", rounded=True),
            interval=spans // _SECOND,
        )
