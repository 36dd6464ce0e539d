"""The aggregated trades that Binance's REST interface gives, page by page."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import ClassVar, Literal

import attrs
import pyarrow as pa

from werks.components import Continuity, Http, option
from werks.schema import batch, nanoseconds, schema, word

from . import days, rest
from .aggregates import PAGE, Aggregates
from .paging import forward
from .records import Aggregate, columns, fills

_REACH = {"spot": None, "usdm": timedelta(hours=48)}
_BLIND_SPOTS = {
    "spot": (
        "aggregates that an audit of 2022 found invalid (price, quantity 0) are left out: their ids"
        " then look like a hole",
    ),
    "usdm": (
        "ticks counts all ids from the first fill to the last, also those of trades of the"
        " insurance fund and of auto-deleveraging that an aggregate runs across",
    ),
}


@attrs.frozen
class AggTradesRest:
    """Aggregated trades by REST: spot back to the beginning, USD-M over the last 48 hours.

    The rows are those of the archive's files: trade_id and last_trade_id are the aggregate's own
    id, ticks is the number of its fills. A time is found first, then pages run forward by id.
    """

    market: Literal["spot", "usdm"] = option("spot", help="spot or usdm (USD-M futures)")
    rest_url: str = option("", help=rest.URL_HELP, identity=False)
    page_size: int = option(PAGE, help="rows a page, at most 1000", identity=False)

    continuity: ClassVar[Continuity] = "contiguous"
    off: ClassVar[str] = ""

    @property
    def exchange(self) -> str:
        """`binance` or `binance-usdm`."""
        return days.EXCHANGES[self.market]

    @property
    def schema(self) -> pa.Schema:
        """TICK with eight digits for prices and for sizes."""
        return schema("TICK", days.SCALES)

    @property
    def blind_spots(self) -> Sequence[str]:
        """What the market's REST interface cannot prove."""
        return _BLIND_SPOTS[self.market]

    @property
    def reach(self) -> timedelta | None:
        """To the beginning on spot, two days on USD-M."""
        return _REACH[self.market]

    def read(
        self, http: Http, symbol: str, after: int | str, until: int
    ) -> Iterator[tuple[pa.RecordBatch, str]]:
        """Yield (aggregates, cursor) page by page; the first row may lie before `after`."""
        host = rest.Host(self.market, self.rest_url, micro=self.market == "spot")
        asking = Aggregates(host, http, symbol, self.page_size)
        if isinstance(after, str):
            first = int(after)
            begun = asking.since(first)
        else:
            found = asking.first_since(after, until)
            if found is None:
                return
            first = max(found.id - 1, 0)  # the one before may be too old to be had
            begun = asking.since(first) or asking.since(found.id)
        for page, cursor in forward(asking.since, first, begun):
            rows = [row for row in page if row.valid]
            if not rows:
                continue
            made = self._batch(rows, asking)
            yield made, str(cursor)
            if int(nanoseconds(made["timestamp"]).max()) >= until:
                return

    def _batch(self, rows: list[Aggregate], asking: Aggregates) -> pa.RecordBatch:
        name = asking.name(rows)
        made = columns(rows, name)
        return batch(
            self.schema,
            exchange=word(self.exchange, len(rows)),
            symbol=word(asking.symbol, len(rows)),
            **made,
            last_trade_id=made["trade_id"],
            **dict.fromkeys(("open", "high", "low"), made["price"]),
            ticks=fills(rows, name),
        )
