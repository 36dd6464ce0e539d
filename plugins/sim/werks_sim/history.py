"""The REST door: the same trades, asked for page by page."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import ClassVar

import attrs
import msgspec
import pyarrow as pa
from attrs.validators import and_, ge, le

from werks.components import Continuity, Http, option
from werks.hookspecs import hookimpl

from . import rest, wire
from .candles import Candles
from .exchange import Exchange
from .interest import OpenInterest


class _Page(msgspec.Struct):
    rows: list[wire.Trade]


@attrs.frozen
class History:
    """The made-up trades, by REST: `GET /trades`, oldest first, each page after the last id.

    Without `rest_url` the pages are made on the spot and nothing is asked for.
    """

    # Options that the archive door has too mean the same here.
    seed: int = option(1, help="another number is another market", validator=ge(0))
    trades_per_day: int = option(
        30_000, help="how many trades a day has, give or take a tenth", validator=ge(1)
    )
    lost_days: tuple[date, ...] = option((), help="the days whose trades nobody has any more")
    page_size: int = option(
        1000,
        help="how many trades to ask for at once, 1000 at most",
        identity=False,
        validator=and_(ge(1), le(1000)),
    )
    rest_url: str = option(
        "", help="where the REST interface is; left out: it is simulated", identity=False
    )

    exchange: ClassVar[str] = wire.EXCHANGE
    schema: ClassVar[pa.Schema] = wire.SCHEMA
    continuity: ClassVar[Continuity] = "contiguous"
    blind_spots: ClassVar[Sequence[str]] = ()
    reach: ClassVar[timedelta | None] = None
    off: ClassVar[str] = ""

    def read(
        self, http: Http, symbol: str, after: int | str, until: int
    ) -> Iterator[tuple[pa.RecordBatch, str]]:
        """Yield (trades, cursor) from a time in ns, or after a cursor, to before `until`.

        The cursor is the id of the last trade, but nobody else needs to know that.
        """
        exchange = Exchange(self.seed, self.trades_per_day, lost_days=self.lost_days)
        asked = rest.client(http, self.rest_url, exchange)
        fixed = {"symbol": symbol, "limit": str(self.page_size)}
        where = {"after": after} if isinstance(after, str) else {"start": wire.since(after)}
        while True:
            request = rest.request(self.rest_url, "trades", **fixed, **where)
            trades = asked.json(request, _Page, rest.refusal).rows
            if not trades:
                return
            where = {"after": str(trades[-1].id)}
            yield wire.columns(trades, [symbol] * len(trades), request.url), where["after"]
            # A page may be short before its time; only one that reaches `until` is the last.
            if trades[-1].time * wire.TIME_UNIT >= until:
                return


@hookimpl
def werks_histories() -> Mapping[str, type]:
    """Offer `sim.trades` by REST, `sim.candles` and `sim.open_interest`."""
    return {"trades": History, "candles": Candles, "open_interest": OpenInterest}
