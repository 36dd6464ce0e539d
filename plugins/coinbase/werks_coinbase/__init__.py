"""Coinbase for werks: the public REST interface of Coinbase Exchange."""

from collections.abc import Mapping

from werks.hookspecs import hookimpl

from .candles import Candles
from .instruments import Instruments
from .trades import Trades

__all__ = ["Candles", "Instruments", "Trades", "werks_histories", "werks_snapshots"]


@hookimpl
def werks_histories() -> Mapping[str, type]:
    """Offer `coinbase.trades` and `coinbase.candles` by REST."""
    return {"trades": Trades, "candles": Candles}


@hookimpl
def werks_snapshots() -> Mapping[str, type]:
    """Offer `coinbase.instruments`."""
    return {"instruments": Instruments}
