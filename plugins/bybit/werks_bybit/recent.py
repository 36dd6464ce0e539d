"""Bybit's latest trades by REST: there is no more than one page of them."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import ClassVar, Literal

import attrs
import msgspec
import numpy as np
import pyarrow as pa

from werks import amounts
from werks.components import Continuity, Http, option
from werks.errors import DataError
from werks.schema import batch, schema, times, word
from werks.wire import decimals, ticks

from .rest import HOST, MARKET_HELP, URL_HELP, Answer, Face, milliseconds, only
from .trades import SCALES

_MOST = {"spot": 60, "linear": 1000, "inverse": 1000}
# Bybit cuts an inverse trade's base amount to 8 digits, as the archive shows.
_INVERSE_DIGITS = 8


class Trade(msgspec.Struct):
    """A row of recent-trade; `side` is the taker's, `time` is in milliseconds."""

    execId: str  # noqa: N815  (these are Bybit's names)
    symbol: str
    price: str
    size: str
    side: str
    time: str
    isBlockTrade: bool = False  # noqa: N815
    isRPITrade: bool = False  # noqa: N815

    @property
    def flag(self) -> str | None:
        """`block` for block trades, `rpi` for those against retail price improvement orders."""
        return "block" if self.isBlockTrade else "rpi" if self.isRPITrade else None


@attrs.frozen
class TradesRest:
    """Bybit's latest trades by REST: the last 60 of a spot market, the last 1,000 of a contract.

    There are no pages and no times to ask for: what is older is in the archive the day after, and
    until then nowhere.
    """

    market: Literal["spot", "linear", "inverse"] = option("linear", help=MARKET_HELP)
    rest_url: str = option(HOST, help=URL_HELP, identity=False)

    schema: ClassVar[pa.Schema] = schema("TRADE", SCALES)
    continuity: ClassVar[Continuity] = "unique"
    reach: ClassVar[timedelta | None] = timedelta(0)
    off: ClassVar[str] = ""
    blind_spots: ClassVar[Sequence[str]] = (
        "only the last 60 trades (spot) or 1,000 (contracts) can be asked for, which may be less"
        " than a second: what is older is a gap until the archive has the day",
        "no id is contiguous: only a trade that is known already shows that none lies between",
        "spot ids are not those of the archive",
    )

    @property
    def exchange(self) -> str:
        """`bybit-spot`, `bybit-linear` or `bybit-inverse`."""
        return f"bybit-{self.market}"

    def read(
        self, http: Http, symbol: str, after: int | str, until: int
    ) -> Iterator[tuple[pa.RecordBatch, str]]:
        """Yield the one page that there is, oldest first; the cursor is the last trade's id.

        It begins where Bybit lets it begin, whatever was asked for.
        """
        face = Face(self.rest_url, self.market)
        query = {"symbol": symbol, "limit": str(_MOST[self.market])}
        rows = face.ask(http, "recent-trade", query, Answer[Trade]).result.rows
        if rows:
            page = self._page(symbol, rows, face.url("recent-trade"))
            yield page, page["trade_id"][-1].as_py()

    def _page(self, symbol: str, rows: Sequence[Trade], url: str) -> pa.RecordBatch:
        only([row.symbol for row in rows], symbol, url)
        for number, row in enumerate(rows, 1):
            if row.side not in ("Buy", "Sell"):
                raise DataError(f"{url}: row {number}: side cannot be {row.side!r:.40}")
            if not row.execId:
                raise DataError(f"{url}: row {number}: the trade has no id")
        price = decimals([row.price for row in rows], SCALES.price, url, "price")
        size, notional = _amounts(
            price, decimals([row.size for row in rows], SCALES.size, url, "size"), self.market
        )
        moments = milliseconds([row.time for row in rows], url)
        page = batch(
            self.schema,
            exchange=word(self.exchange, len(rows)),
            symbol=word(symbol, len(rows)),
            timestamp=times(moments),
            trade_id=[row.execId for row in rows],
            tick_rule=ticks([row.side == "Buy" for row in rows]),
            price=price,
            size=size,
            notional=notional,
            flag=[row.flag for row in rows],
        )
        # Newest first on the wire, also among those of one time: turned round, not just sorted.
        order = np.argsort(moments[::-1], kind="stable")
        return page.take(pa.array(len(rows) - 1 - order))


def _amounts(price: pa.Array, stated: pa.Array, market: str) -> tuple[pa.Array, pa.Array]:
    """Return size and notional; an inverse contract is one USD, its base amount is cut."""
    prices, whole = (amounts.ints(amounts.limbs(each)) for each in (price, stated))
    if market != "inverse":
        return stated, amounts.column(amounts.product(prices, whole), SCALES.notional)
    over = 10 ** (_INVERSE_DIGITS + SCALES.price - SCALES.size)
    # A price of 0 is refused by the core, with the trade's id.
    base = amounts.ints(amounts.quotient(whole, over, np.where(prices > 0, prices, 1)))
    return (
        amounts.column(amounts.rescaled(base, SCALES.size - _INVERSE_DIGITS), SCALES.size),
        amounts.column(amounts.rescaled(whole, SCALES.notional - SCALES.size), SCALES.notional),
    )
