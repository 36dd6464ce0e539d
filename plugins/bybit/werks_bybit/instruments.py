"""Bybit's list of instruments."""

from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal
from urllib.parse import unquote

import attrs
import msgspec
import pyarrow as pa

from werks.components import Continuity, Http, option
from werks.errors import DataError, MessageError
from werks.schema import RATE_SCALE, TIME, batch, schema, word
from werks.wire import decimals

from .rest import HOST, MARKET_HELP, URL_HELP, Answer, Face, milliseconds
from .trades import SCALES

_PATH = "instruments-info"


class _Price(msgspec.Struct):
    tickSize: str = ""  # noqa: N815  (these are Bybit's names)


class _Lot(msgspec.Struct):
    qtyStep: str = ""  # noqa: N815
    basePrecision: str = ""  # noqa: N815
    minOrderQty: str = ""  # noqa: N815
    minNotionalValue: str = ""  # noqa: N815
    minOrderAmt: str = ""  # noqa: N815


class Instrument(msgspec.Struct):
    """A row of instruments-info; what does not apply is empty, a time that is none is `0`."""

    symbol: str
    status: str
    baseCoin: str  # noqa: N815
    quoteCoin: str  # noqa: N815
    priceFilter: _Price  # noqa: N815
    lotSizeFilter: _Lot  # noqa: N815
    contractType: str = ""  # noqa: N815
    settleCoin: str = ""  # noqa: N815
    launchTime: str = ""  # noqa: N815
    deliveryTime: str = ""  # noqa: N815


@attrs.frozen
class Instruments:
    """Bybit's instruments that trade now.

    `lot_size` and `min_size` are in base, for inverse contracts in contracts of one US dollar.
    """

    market: Literal["spot", "linear", "inverse"] = option("linear", help=MARKET_HELP)
    rest_url: str = option(HOST, help=URL_HELP, identity=False)

    schema: ClassVar[pa.Schema] = schema("INSTRUMENT", SCALES)
    continuity: ClassVar[Continuity] = "none"
    blind_spots: ClassVar[Sequence[str]] = (
        "what does not trade any more is not listed, and a spot market's first day is not stated",
    )

    @property
    def exchange(self) -> str:
        """`bybit-spot`, `bybit-linear` or `bybit-inverse`."""
        return f"bybit-{self.market}"

    def read(self, http: Http) -> pa.RecordBatch:
        """Return the list, a row an instrument."""
        face = Face(self.rest_url, self.market)
        # By symbol: one that is listed while pages are read moves the others on by a place.
        found = {row.symbol: row for page in _pages(http, face) for row in page}
        return self._batch(list(found.values()), face.url(_PATH))

    def _batch(self, rows: Sequence[Instrument], url: str) -> pa.RecordBatch:
        spot, lots = self.market == "spot", [row.lotSizeFilter for row in rows]
        return batch(
            self.schema,
            exchange=word(self.exchange, len(rows)),
            symbol=pa.array([row.symbol for row in rows], pa.string()).dictionary_encode(),
            kind=[self._kind(row, url) for row in rows],
            status=["trading" if row.status == "Trading" else row.status for row in rows],
            base=[row.baseCoin for row in rows],
            quote=[row.quoteCoin for row in rows],
            settle=[row.settleCoin or None for row in rows],
            tick_size=_steps([row.priceFilter.tickSize for row in rows], url, "tickSize"),
            lot_size=_steps([each.qtyStep or each.basePrecision for each in lots], url, "qtyStep"),
            min_size=_steps([each.minOrderQty for each in lots], url, "minOrderQty"),
            min_notional=_steps(
                [each.minNotionalValue or each.minOrderAmt for each in lots], url, "minNotional"
            ),
            contract_value=_steps(["" if spot else "1"] * len(rows), url, "contract"),
            inverse=[self.market == "inverse"] * len(rows),
            listed=_moments([row.launchTime for row in rows], url),
            expiry=_moments([row.deliveryTime for row in rows], url),
        )

    def _kind(self, row: Instrument, url: str) -> str:
        if self.market == "spot":
            return "spot"
        for ending, kind in (("Perpetual", "perpetual"), ("Futures", "future")):
            if row.contractType.endswith(ending):
                return kind
        what = f"{row.symbol} is of an unknown contractType {row.contractType!r}"
        raise DataError(f"{url}: {what}; update the plugin")


def _pages(http: Http, face: Face) -> Iterator[list[Instrument]]:
    query = {} if face.market == "spot" else {"limit": "1000"}
    seen = set()
    while True:
        listing = face.ask(http, _PATH, query, Answer[Instrument]).result
        yield listing.rows
        # It comes percent-encoded, and is encoded once more where the query is.
        cursor = unquote(listing.nextPageCursor or "")
        if not cursor or not listing.rows:
            return
        if cursor in seen:
            raise MessageError(f"{face.url(_PATH)}: the cursor {cursor!r:.80} comes again")
        seen.add(cursor)
        query = {**query, "cursor": cursor}


def _steps(texts: Sequence[str], url: str, column: str) -> pa.Array:
    return decimals([text or None for text in texts], RATE_SCALE, url, column)


def _moments(texts: Sequence[str], url: str) -> pa.Array:
    known = iter(milliseconds([text for text in texts if text not in ("", "0")], url).tolist())
    made = [None if text in ("", "0") else next(known) for text in texts]
    return pa.array(made, pa.int64()).view(TIME)
