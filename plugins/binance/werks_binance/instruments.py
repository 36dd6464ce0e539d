"""All instruments of a market as they are now."""

from collections.abc import Sequence
from typing import ClassVar, Literal

import attrs
import msgspec
import numpy as np
import pyarrow as pa

from werks.components import Continuity, Http, option
from werks.schema import RATE_SCALE, batch, schema, times, word
from werks.wire import decimals, epoch

from . import days, rest

_PATHS = {"spot": "/api/v3/exchangeInfo", "usdm": "/fapi/v1/exchangeInfo"}
_WEIGHTS = {"spot": 20, "usdm": 1}
# What stands for "never" as the day of delivery: 2100-12-25.
_NEVER = 4_133_404_800_000


class _Filter(msgspec.Struct, rename="camel"):
    filter_type: str
    tick_size: str | None = None
    step_size: str | None = None
    min_qty: str | None = None
    min_notional: str | None = None
    notional: str | None = None


class _Symbol(msgspec.Struct, rename="camel"):
    symbol: str
    status: str
    base_asset: str
    quote_asset: str
    filters: list[_Filter]
    contract_type: str | None = None
    margin_asset: str | None = None
    onboard_date: int | None = None
    delivery_date: int | None = None

    def rule(self, filter_type: str, name: str) -> str | None:
        """Return a number of a filter; null where there is none, or 0, which is no rule."""
        for each in self.filters:
            if each.filter_type == filter_type:
                value: str | None = getattr(each, name)
                return value if value and value.strip("0.") else None
        return None

    @property
    def kind(self) -> str:
        """`spot`, `perpetual` or `future`."""
        if self.contract_type is None:
            return "spot"
        odd = not self.contract_type and self.expiry is None
        return "perpetual" if odd or self.contract_type.endswith("PERPETUAL") else "future"

    @property
    def expiry(self) -> int | None:
        """The time of delivery in ms, or null."""
        return None if self.delivery_date == _NEVER else self.delivery_date


class _Answer(msgspec.Struct):
    symbols: list[_Symbol]


@attrs.frozen
class Instruments:
    """All markets of spot or of USD-M with their rules: the steps of the filters.

    Contracts are in base, so each has a value of 1. USD-M leaves out a contract once it is gone.
    """

    market: Literal["spot", "usdm"] = option("spot", help="spot or usdm (USD-M futures)")
    rest_url: str = option("", help=rest.URL_HELP, identity=False)

    continuity: ClassVar[Continuity] = "none"
    blind_spots: ClassVar[Sequence[str]] = ("spot does not state when a market was opened",)

    @property
    def exchange(self) -> str:
        """`binance` or `binance-usdm`."""
        return days.EXCHANGES[self.market]

    @property
    def schema(self) -> pa.Schema:
        """INSTRUMENT with the market's scales."""
        return schema("INSTRUMENT", days.SCALES)

    def read(self, http: Http) -> pa.RecordBatch:
        """Return all markets, in the exchange's order."""
        host = rest.Host(self.market, self.rest_url)
        request = host.request(_PATHS[self.market], _WEIGHTS[self.market], {})
        answer: _Answer = rest.ask(http, request, _Answer)
        rows, url = answer.symbols, request.url
        notional = [
            row.rule("NOTIONAL", "min_notional")
            or row.rule("MIN_NOTIONAL", "min_notional")
            or row.rule("MIN_NOTIONAL", "notional")
            for row in rows
        ]
        return batch(
            self.schema,
            exchange=word(self.exchange, len(rows)),
            symbol=pa.array([row.symbol for row in rows], pa.string()).dictionary_encode(),
            kind=[row.kind for row in rows],
            status=["trading" if row.status == "TRADING" else row.status for row in rows],
            base=[row.base_asset for row in rows],
            quote=[row.quote_asset for row in rows],
            settle=[row.margin_asset or row.quote_asset for row in rows],
            tick_size=_steps([row.rule("PRICE_FILTER", "tick_size") for row in rows], url),
            lot_size=_steps([row.rule("LOT_SIZE", "step_size") for row in rows], url),
            min_size=_steps([row.rule("LOT_SIZE", "min_qty") for row in rows], url),
            min_notional=_steps(notional, url),
            contract_value=_steps(["1"] * len(rows), url),
            inverse=[False] * len(rows),
            listed=_times([row.onboard_date for row in rows], url),
            expiry=_times([row.expiry for row in rows], url),
        )


def _steps(values: Sequence[str | None], url: str) -> pa.Array:
    return decimals(values, RATE_SCALE, url, "a filter's number")


def _times(values: Sequence[int | None], url: str) -> pa.Array:
    """Return times in ms as a column; null where there is none."""
    known = np.array([bool(value) for value in values], bool)
    found = np.zeros(len(values), np.int64)
    found[known] = epoch([value for value in values if value], rest.MS, url)
    whole = times(found)
    return pa.compute.if_else(pa.array(known), whole, pa.scalar(None, whole.type))
