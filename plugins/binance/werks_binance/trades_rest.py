"""The trades that Binance's REST interface gives, page by page."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Literal

import attrs
import pyarrow as pa

from werks.components import Continuity, Http, Request, option
from werks.schema import batch, nanoseconds, schema, word

from . import days, rest
from .aggregates import Aggregates
from .candles import counted
from .paging import forward, page_across
from .records import Trade, columns

_PATHS = {"spot": "/api/v3/historicalTrades", "usdm": "/fapi/v1/historicalTrades"}
_WEIGHTS = {"spot": 25, "usdm": 200}
# That USD-M gives no more than 500 is not certain; fewer cost more requests, no rows.
_PAGE = {"spot": 1000, "usdm": 500}
_REACH = {"spot": None, "usdm": timedelta(days=30)}
_BLIND_SPOTS = {
    "spot": (),
    "usdm": (
        "ids have holes where trades of the insurance fund and of auto-deleveraging are left out:"
        " a hole proves nothing, and no hole proves that all is there",
        "how far back exactly trades can be had is not stated: about a month",
    ),
}


@attrs.frozen
class TradesRest:
    """Every trade by REST: spot back to the beginning, USD-M about a month and with an API key.

    Pages run forward by id; on spot the aggregates tell the id that a time begins with.
    """

    market: Literal["spot", "usdm"] = option("spot", help="spot or usdm (USD-M futures)")
    rest_url: str = option("", help=rest.URL_HELP, identity=False)
    api_key: str = option(
        "", help="an API key without any permission, which USD-M wants for this", secret=True
    )
    page_size: int = option(
        0, help="rows a page; 0 for 1000 on spot and 500 on USD-M (unverified)", identity=False
    )

    @property
    def exchange(self) -> str:
        """`binance` or `binance-usdm`."""
        return days.EXCHANGES[self.market]

    @property
    def schema(self) -> pa.Schema:
        """TRADE with eight digits for prices and for sizes."""
        return schema("TRADE", days.SCALES)

    @property
    def continuity(self) -> Continuity:
        """`contiguous` on spot; `increasing` on USD-M, where holes are in order."""
        return "contiguous" if self.market == "spot" else "increasing"

    @property
    def blind_spots(self) -> Sequence[str]:
        """What the market's REST interface cannot prove."""
        return _BLIND_SPOTS[self.market]

    @property
    def reach(self) -> timedelta | None:
        """To the beginning on spot, about a month on USD-M."""
        return _REACH[self.market]

    @property
    def off(self) -> str:
        """Why USD-M cannot be asked without a key."""
        if self.market == "spot" or self.api_key:
            return ""
        return "Binance wants an API key for the past trades of USD-M: set api_key"

    def read(
        self, http: Http, symbol: str, after: int | str, until: int
    ) -> Iterator[tuple[pa.RecordBatch, str]]:
        """Yield (trades, cursor) page by page; the first page may begin before `after`."""
        host = rest.Host(self.market, self.rest_url, self.api_key, self.market == "spot")
        asking = _Asking(host, http, symbol, self.page_size or _PAGE[self.market])
        if isinstance(after, str):
            first = int(after)
            rows = asking.since(first)
        else:
            first, rows = 0, asking.entry(after)
        for page, cursor in forward(asking.since, first, rows):
            made = self._batch(page, asking)
            yield made, str(cursor)
            if int(nanoseconds(made["timestamp"]).max()) >= until:
                return

    def _batch(self, rows: list[Trade], asking: "_Asking") -> pa.RecordBatch:
        return batch(
            self.schema,
            exchange=word(self.exchange, len(rows)),
            symbol=word(asking.symbol, len(rows)),
            **columns(rows, asking.name(rows)),
        )


@attrs.frozen
class _Asking:
    host: rest.Host
    http: Http
    symbol: str
    size: int

    def since(self, first: int | None) -> list[Trade]:
        """Return a page from an id on, or the newest one, in the order of the ids."""
        rows: list[Trade] = rest.ask(self.http, self._request(first), list[Trade])
        return sorted(rows, key=lambda row: row.id)

    def name(self, rows: list[Trade]) -> str:
        """Return the address that these rows can be had from."""
        return rest.name(self._request(rows[0].id))

    def _request(self, first: int | None) -> Request:
        market = self.host.market
        query = {"symbol": self.symbol, "fromId": first, "limit": self.size}
        return self.host.request(_PATHS[market], _WEIGHTS[market], query)

    def entry(self, start: int) -> list[Trade]:
        """Return the page in which the first trade since `start` is."""
        if self.host.market == "spot":
            found = Aggregates(self.host, self.http, self.symbol).first_since(start)
            return page_across(self.since, start, found.first - 1, found.first) if found else []
        newest = self.since(None)
        if not newest:
            return []
        columns(newest, self.name(newest))  # an odd number is named, too
        end = newest[-1].id + 1
        guess = end - counted(self.host, self.http, self.symbol, start) - self.size // 2
        return page_across(self.since, start, guess, end)
