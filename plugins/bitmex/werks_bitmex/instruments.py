"""BitMEX's list of instruments."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import ClassVar

import attrs
import msgspec
import pyarrow as pa

from werks.components import Continuity, Http, option
from werks.schema import RATE_SCALE, TIME, batch, schema, word
from werks.wire import decimals, iso

from .columns import EXCHANGE, SCALES
from .rest import HOST, address, ask

_PAGE = 500
_KINDS = {"IF": "spot", "MR": "index", "OC": "option", "OP": "option"}


class Instrument(msgspec.Struct):
    """A row of the table `instrument`: what is fixed of it."""

    symbol: str
    typ: str
    state: str
    underlying: str = ""
    quoteCurrency: str = ""  # noqa: N815  (these are BitMEX's names)
    settlCurrency: str | None = None  # noqa: N815
    listing: str | None = None
    expiry: str | None = None
    tickSize: Decimal | None = None  # noqa: N815
    lotSize: Decimal | None = None  # noqa: N815
    multiplier: Decimal | None = None
    isInverse: bool = False  # noqa: N815
    isQuanto: bool = False  # noqa: N815
    underlyingToPositionMultiplier: Decimal | None = None  # noqa: N815
    underlyingToSettleMultiplier: Decimal | None = None  # noqa: N815

    @property
    def kind(self) -> str:
        """`spot`, `index`, `option`, `future` if it expires, else `perpetual`."""
        return _KINDS.get(self.typ[:2], "future" if self.expiry else "perpetual")

    @property
    def contract_value(self) -> Decimal | None:
        """What a contract is: in quote if inverse, else in base, which varies if quanto."""
        settle, position = self.underlyingToSettleMultiplier, self.underlyingToPositionMultiplier
        if self.isInverse:
            return abs(self.multiplier / settle) if self.multiplier and settle else None
        return 1 / position if position and not self.isQuanto else None


@attrs.frozen
class Instruments:
    """BitMEX's instruments: those that are open, or all there have ever been.

    `lot_size` and `min_size` count contracts; `contract_value` is what one of them is, in quote for
    inverse contracts and in base for linear ones and spot, null for quanto contracts.
    """

    closed: bool = option(False, help="whether to list those that are closed, and indices, as well")
    rest_url: str = option(HOST, help="where the REST interface is", identity=False)

    exchange: ClassVar[str] = EXCHANGE
    schema: ClassVar[pa.Schema] = schema("INSTRUMENT", SCALES)
    continuity: ClassVar[Continuity] = "none"
    reach: ClassVar[timedelta | None] = None
    blind_spots: ClassVar[Sequence[str]] = (
        "tick and lot sizes are those of now: they have changed over the years",
    )

    def read(self, http: Http) -> pa.RecordBatch:
        """Return the list, a row an instrument."""
        path = "instrument" if self.closed else "instrument/active"
        url = address(self.rest_url, path)
        # By symbol: one that is listed while pages are read moves the others on by a place.
        found = {row.symbol: row for page in self._pages(http, url) for row in page}
        return self._batch(list(found.values()), url)

    def _pages(self, http: Http, url: str) -> Iterator[list[Instrument]]:
        if not self.closed:
            yield ask(http, url, {}, list[Instrument])
            return
        start = 0
        while True:
            query = {"count": str(_PAGE), "start": str(start), "reverse": "false"}
            page = ask(http, url, query, list[Instrument])
            if not page:
                return
            yield page
            start += len(page)

    def _batch(self, rows: Sequence[Instrument], url: str) -> pa.RecordBatch:
        lots = _steps([row.lotSize for row in rows], url, "lotSize")
        return batch(
            self.schema,
            exchange=word(EXCHANGE, len(rows)),
            symbol=pa.array([row.symbol for row in rows], pa.string()).dictionary_encode(),
            kind=[row.kind for row in rows],
            status=["trading" if row.state == "Open" else row.state for row in rows],
            base=[row.underlying or None for row in rows],
            quote=[row.quoteCurrency or None for row in rows],
            # XBt and USDt are the minor units in which BitMEX settles XBT and USDT.
            settle=[(row.settlCurrency or "").upper() or None for row in rows],
            tick_size=_steps([row.tickSize for row in rows], url, "tickSize"),
            lot_size=lots,
            min_size=lots,
            contract_value=_steps([row.contract_value for row in rows], url, "multiplier"),
            inverse=[row.isInverse for row in rows],
            listed=_moments([row.listing for row in rows], url),
            expiry=_moments([row.expiry for row in rows], url),
        )


def _steps(values: Sequence[Decimal | None], url: str, column: str) -> pa.Array:
    return decimals(values, RATE_SCALE, url, column, rounded=True)


def _moments(texts: Sequence[str | None], url: str) -> pa.Array:
    known = iter(iso([text for text in texts if text], url).tolist())
    return pa.array([next(known) if text else None for text in texts], pa.int64()).view(TIME)
