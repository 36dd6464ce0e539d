"""The REST door: the same trades, asked for page by page."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import attrs
import pyarrow as pa
from attrs.validators import and_, ge, le

from werks.components import Continuity, Http, option
from werks.errors import MessageError
from werks.hookspecs import hookimpl

from . import wire
from .exchange import Exchange

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@attrs.frozen
class History:
    """The made-up trades, by REST: `GET /trades`, oldest first, each page after the last id.

    Without `rest_url` the pages are made on the spot and nothing is asked for.
    """

    seed: int = option(1, help="another number is another market", validator=ge(0))
    trades_per_day: int = option(
        30_000, help="how many trades a day has, give or take a tenth", validator=ge(1)
    )
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

    def read(
        self, http: Http, symbol: str, after: datetime | str, until: datetime
    ) -> Iterator[tuple[pa.RecordBatch, str]]:
        """Yield (trades, cursor) from a time, or after a cursor, to before `until`.

        The cursor is the id of the last trade, but nobody else needs to know that.
        """
        query = {"symbol": symbol, "limit": str(self.page_size)}
        where = {"after": after} if isinstance(after, str) else {"start": str(_microseconds(after))}
        end = _microseconds(until)
        while True:
            page = self._page(http, query | where)
            kept = [trade for trade in page if trade.time < end]
            if kept:
                where = {"after": str(kept[-1].id)}
                yield wire.columns(kept, self._name), where["after"]
            # A page may be short before its time; only one without rows, or with later ones, ends.
            if not page or len(kept) < len(page):
                return

    def _page(self, http: Http, query: dict[str, str]) -> list[wire.Trade]:
        if self.rest_url:
            text = http.text(self._name, **query)
        else:
            text = Exchange(self.seed, self.trades_per_day).page(query).decode()
        try:
            answer = json.loads(text)["trades"]
        except (ValueError, KeyError, TypeError) as error:
            raise MessageError(f"{self._name}: not a page of trades: {text[:200]!r}") from error
        return wire.trades(answer, query["symbol"], self._name)

    @property
    def _name(self) -> str:
        return f"{self.rest_url.rstrip('/') or 'sim:'}/trades"


def _microseconds(when: datetime) -> int:
    return (when - _EPOCH) // timedelta(microseconds=1)


@hookimpl
def werks_histories() -> Mapping[str, type]:
    """Offer `sim.trades` by REST."""
    return {"trades": History}
