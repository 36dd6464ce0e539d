"""Bybit for werks: trades out of day files, the latest by REST, candles, open interest, …."""

from collections.abc import Mapping

from werks.hookspecs import hookimpl

from .candles import Candles
from .funding import Funding
from .instruments import Instruments
from .interest import OpenInterest
from .recent import TradesRest
from .trades import Trades, werks_archives

__all__ = [
    "Candles",
    "Funding",
    "Instruments",
    "OpenInterest",
    "Trades",
    "TradesRest",
    "werks_archives",
]


@hookimpl
def werks_histories() -> Mapping[str, type]:
    """Offer the latest `bybit.trades` by REST, and what contracts and markets have besides."""
    return {
        "trades": TradesRest,
        "candles": Candles,
        "open_interest": OpenInterest,
        "funding": Funding,
    }


@hookimpl
def werks_snapshots() -> Mapping[str, type]:
    """Offer `bybit.instruments`."""
    return {"instruments": Instruments}
