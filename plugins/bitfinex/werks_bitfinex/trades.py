"""The trades of Bitfinex, by REST."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import ClassVar

import attrs
import msgspec
import pyarrow as pa
from attrs.validators import and_, ge, le

from werks import amounts
from werks.components import Continuity, Http, option
from werks.errors import DataError
from werks.schema import batch, schema, times, word
from werks.wire import decimals, epoch, ticks

from . import rest

_SCHEMA = schema("TRADE", rest.SCALES)
_MOST = 10_000


class _Trade(msgspec.Struct, array_like=True, gc=False):
    id: int
    time: int
    amount: Decimal
    price: Decimal


@attrs.frozen
class Trades:
    """Every trade of Bitfinex, by REST, oldest first, since 2013.

    The sign of an amount is the taker's side. The cursor of the exchange is a time in milliseconds,
    so each page begins with the last millisecond of the one before.
    """

    page_size: int = option(
        _MOST,
        help=f"trades to ask for at once, {_MOST} at most",
        identity=False,
        validator=and_(ge(1), le(_MOST)),
    )
    rest_url: str = option(rest.URL, help=rest.URL_HELP, identity=False)

    exchange: ClassVar[str] = rest.EXCHANGE
    schema: ClassVar[pa.Schema] = _SCHEMA
    continuity: ClassVar[Continuity] = "increasing"
    reach: ClassVar[timedelta | None] = None
    off: ClassVar[str] = ""
    blind_spots: ClassVar[Sequence[str]] = (
        "ids count the trades of all symbols, so they increase and have holes: that nothing is"
        " missing cannot be proven by them",
        f"of one millisecond no more than {_MOST} trades can be had: with more it is an error",
        "that the exchange refuses a symbol that it does not have, and does not take it for one"
        " without trades, was not seen",
    )

    def read(
        self, http: Http, symbol: str, after: int | str, until: int
    ) -> Iterator[tuple[pa.RecordBatch, str]]:
        """Yield (trades, cursor) page by page; a page repeats the last millisecond of another.

        It goes on until a page reaches `until` or brings nothing new. DataError where a millisecond
        holds more trades than a page can.
        """
        rest.check_market(symbol, "tBTCUSD")
        asking = _Asking(self, http, symbol)
        start = int(after) if isinstance(after, str) else max(after // rest.MS, 0)
        known: frozenset[int] = frozenset()
        while True:
            found, name = asking.since(start)
            if known.issuperset(each.id for each in found):
                return
            start = found[-1].time
            known = frozenset(each.id for each in found if each.time == start)
            yield _rows(found, symbol, name), str(start)
            if start * rest.MS >= until:
                return


@attrs.frozen
class _Asking:
    door: Trades
    http: Http
    symbol: str

    def since(self, start: int) -> tuple[list[_Trade], str]:
        """Return the trades from a millisecond on, in order, and where they came from."""
        size = self.door.page_size
        found, name = self._asked(start, size)
        if len(found) >= size and found[-1].time == start:  # all of one millisecond
            size = _MOST
            found, name = self._asked(start, size)
        if len(found) >= size and found[-1].time == start:
            what = f"of {size} trades or more in one millisecond not all can be had"
            raise DataError(f"{name}: {what}: read from a later time on")
        return found, name

    def _asked(self, start: int, size: int) -> tuple[list[_Trade], str]:
        query = {"limit": size, "start": start, "sort": 1}
        asked = rest.request(self.door.rest_url, f"trades/{self.symbol}/hist", query, rest.TRADES)
        found: list[_Trade] = rest.ask(self.http, asked, list[_Trade])
        found.sort(key=lambda each: (each.time, each.id))
        if found:
            rest.check_since(found[0].time, start, rest.name(asked))
        return found, rest.name(asked)


def _rows(found: Sequence[_Trade], symbol: str, name: str) -> pa.RecordBatch:
    price = decimals([each.price for each in found], rest.SCALES.price, name, "price")
    size = decimals([each.amount.copy_abs() for each in found], rest.SCALES.size, name, "amount")
    value = amounts.product(*(amounts.ints(amounts.limbs(each)) for each in (price, size)))
    return batch(
        _SCHEMA,
        exchange=word(rest.EXCHANGE, len(found)),
        symbol=word(symbol, len(found)),
        timestamp=times(epoch([each.time for each in found], rest.MS, name)),
        trade_id=[str(each.id) for each in found],
        tick_rule=ticks([each.amount > 0 for each in found]),
        price=price,
        size=size,
        notional=amounts.column(value, rest.SCALES.notional),
    )
