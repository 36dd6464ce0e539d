"""Open interest, a value each five minutes, by REST."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import ClassVar

import attrs
import msgspec
import pyarrow as pa
from attrs.validators import and_, ge, le

from werks.components import Continuity, Http, option
from werks.schema import batch, schema, times, word
from werks.wire import decimals, epoch

from . import rest, wire
from .exchange import Exchange

_SCHEMA = schema("OPEN_INTEREST", wire.SCALES)


class _Value(msgspec.Struct):
    time: int
    amount: str


class _Page(msgspec.Struct):
    rows: list[_Value]


@attrs.frozen
class OpenInterest:
    """Made-up open interest in base, by REST: `GET /interest`, oldest first.

    Without `rest_url` the pages are made on the spot and nothing is asked for.
    """

    seed: int = option(1, help="another number is another market", validator=ge(0))
    trades_per_day: int = option(
        30_000, help="how many trades a day has, give or take a tenth", validator=ge(1)
    )
    page_size: int = option(
        1000,
        help="how many values to ask for at once, 1000 at most",
        identity=False,
        validator=and_(ge(1), le(1000)),
    )
    rest_url: str = option(
        "", help="where the REST interface is; left out: it is simulated", identity=False
    )

    exchange: ClassVar[str] = wire.EXCHANGE
    schema: ClassVar[pa.Schema] = _SCHEMA
    continuity: ClassVar[Continuity] = "none"
    blind_spots: ClassVar[Sequence[str]] = ("what happens between two values cannot be seen",)
    reach: ClassVar[timedelta | None] = None
    off: ClassVar[str] = ""
    every: ClassVar[timedelta] = timedelta(minutes=5)

    def read(
        self, http: Http, symbol: str, after: int | str, until: int
    ) -> Iterator[tuple[pa.RecordBatch, str]]:
        """Yield (values, cursor) from a time in ns, or after a cursor, to before `until`."""
        asked = rest.client(http, self.rest_url, Exchange(self.seed, self.trades_per_day))
        fixed = {"symbol": symbol, "limit": str(self.page_size)}
        start = after if isinstance(after, str) else wire.since(after)
        while True:
            request = rest.request(self.rest_url, "interest", **fixed, start=start)
            page = asked.json(request, _Page, rest.refusal).rows
            if not page:
                return
            start = str(page[-1].time + 1)
            yield _rows(page, symbol, request.url), start
            if page[-1].time * wire.TIME_UNIT >= until:
                return


def _rows(page: Sequence[_Value], symbol: str, url: str) -> pa.RecordBatch:
    amounts = [each.amount for each in page]
    return batch(
        _SCHEMA,
        exchange=word(wire.EXCHANGE, len(page)),
        symbol=word(symbol, len(page)),
        timestamp=times(epoch([each.time for each in page], wire.TIME_UNIT, url)),
        open_interest=decimals(amounts, wire.SCALES.size, url, "amount"),
    )
