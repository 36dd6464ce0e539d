"""Binance for werks: the archive at data.binance.vision and REST, spot and USD-M futures."""

from collections.abc import Mapping

from werks.hookspecs import hookimpl

from .aggtrades import AggTrades
from .aggtrades_rest import AggTradesRest
from .candles import Candles
from .funding import Funding
from .instruments import Instruments
from .open_interest import OpenInterest
from .trades import Trades
from .trades_rest import TradesRest

__all__ = [
    "AggTrades",
    "AggTradesRest",
    "Candles",
    "Funding",
    "Instruments",
    "OpenInterest",
    "Trades",
    "TradesRest",
    "werks_archives",
    "werks_histories",
    "werks_snapshots",
]


@hookimpl
def werks_archives() -> Mapping[str, type]:
    """Offer the day files of `binance.trades` and `binance.aggtrades`."""
    return {"trades": Trades, "aggtrades": AggTrades}


@hookimpl
def werks_histories() -> Mapping[str, type]:
    """Offer what REST gives of the past."""
    return {
        "trades": TradesRest,
        "aggtrades": AggTradesRest,
        "candles": Candles,
        "open_interest": OpenInterest,
        "funding": Funding,
    }


@hookimpl
def werks_snapshots() -> Mapping[str, type]:
    """Offer `binance.instruments`."""
    return {"instruments": Instruments}
