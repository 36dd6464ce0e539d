"""All products of Coinbase Exchange as they are now."""

from collections.abc import Sequence
from typing import ClassVar

import attrs
import msgspec
import pyarrow as pa

from werks.components import Continuity, Http, option
from werks.schema import RATE_SCALE, batch, schema, word
from werks.wire import decimals

from . import rest

_SCHEMA = schema("INSTRUMENT", rest.SCALES)


class _Product(msgspec.Struct, gc=False):
    id: str
    base_currency: str
    quote_currency: str
    base_increment: str
    quote_increment: str
    status: str
    min_market_funds: str | None = None
    base_min_size: str | None = None  # until 2022
    trading_disabled: bool = False
    cancel_only: bool = False
    post_only: bool = False

    @property
    def state(self) -> str:
        """`trading`, or by which of Coinbase's words it is not."""
        if self.status != "online":
            return self.status
        for name in ("trading_disabled", "cancel_only", "post_only"):
            if getattr(self, name):
                return name
        return "trading"


@attrs.frozen
class Instruments:
    """All products of Coinbase Exchange, delisted ones included; all are spot."""

    rest_url: str = option(rest.URL, help=rest.URL_HELP, identity=False)

    exchange: ClassVar[str] = rest.EXCHANGE
    schema: ClassVar[pa.Schema] = _SCHEMA
    continuity: ClassVar[Continuity] = "none"
    blind_spots: ClassVar[Sequence[str]] = (
        "when a product was listed or delisted is not stated",
        "since 2022-06-30 a smallest size is not stated, only a smallest value",
        "that a product of USDC shares its book with one of USD is not stated",
    )

    def read(self, http: Http) -> pa.RecordBatch:
        """Return all products, in the exchange's order."""
        asked = rest.request(self.rest_url, "products", {})
        found: list[_Product] = rest.ask(http, asked, list[_Product])
        count, url = len(found), asked.url
        quotes = [each.quote_currency for each in found]
        return batch(
            _SCHEMA,
            exchange=word(rest.EXCHANGE, count),
            symbol=pa.array([each.id for each in found], pa.string()).dictionary_encode(),
            kind=["spot"] * count,
            status=[each.state for each in found],
            base=[each.base_currency for each in found],
            quote=quotes,
            settle=quotes,
            tick_size=_steps([each.quote_increment for each in found], url, "quote_increment"),
            lot_size=_steps([each.base_increment for each in found], url, "base_increment"),
            min_size=_steps([each.base_min_size for each in found], url, "base_min_size"),
            min_notional=_steps([each.min_market_funds for each in found], url, "min_market_funds"),
            contract_value=_steps(["1"] * count, url, "contract value"),
            inverse=[False] * count,
        )


def _steps(values: Sequence[str | None], url: str, column: str) -> pa.Array:
    """Return numbers as a column; null where there is none, or 0, which is no rule."""
    known = [value if value and value.strip("0.") else None for value in values]
    return decimals(known, RATE_SCALE, url, column)
