"""Kraken for werks: spot trades and candles by REST, and the history that is published as zips."""

from collections.abc import Mapping

from werks.hookspecs import hookimpl

from .candles import Candles
from .history import History
from .instruments import Instruments
from .trades import Trades

__all__ = [
    "Candles",
    "History",
    "Instruments",
    "Trades",
    "werks_archives",
    "werks_histories",
    "werks_snapshots",
]


@hookimpl
def werks_archives() -> Mapping[str, type]:
    """Offer `kraken.history` out of downloaded zips."""
    return {"history": History}


@hookimpl
def werks_histories() -> Mapping[str, type]:
    """Offer `kraken.trades` and `kraken.candles` by REST."""
    return {"trades": Trades, "candles": Candles}


@hookimpl
def werks_snapshots() -> Mapping[str, type]:
    """Offer `kraken.instruments`."""
    return {"instruments": Instruments}
