"""Binance for werks: the archive at data.binance.vision, spot and USD-M futures."""

from collections.abc import Mapping

from werks.hookspecs import hookimpl

from .aggtrades import AggTrades
from .trades import Trades

__all__ = ["AggTrades", "Trades", "werks_archives"]


@hookimpl
def werks_archives() -> Mapping[str, type]:
    """Offer `binance.trades` and `binance.aggtrades`."""
    return {"trades": Trades, "aggtrades": AggTrades}
