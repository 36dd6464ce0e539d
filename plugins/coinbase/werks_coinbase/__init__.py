"""Coinbase for werks: the public REST interface and websocket of Coinbase Exchange."""

from collections.abc import Mapping

from werks.hookspecs import hookimpl

from .candles import Candles
from .feed_quotes import QuotesFeed
from .feed_trades import TradesFeed
from .instruments import Instruments
from .trades import Trades

__all__ = [
    "Candles",
    "Instruments",
    "QuotesFeed",
    "Trades",
    "TradesFeed",
    "werks_feeds",
    "werks_histories",
    "werks_snapshots",
]


@hookimpl
def werks_histories() -> Mapping[str, type]:
    """Offer `coinbase.trades` and `coinbase.candles` by REST."""
    return {"trades": Trades, "candles": Candles}


@hookimpl
def werks_feeds() -> Mapping[str, type]:
    """Offer `coinbase.trades` and `coinbase.quotes` by websocket."""
    return {"trades": TradesFeed, "quotes": QuotesFeed}


@hookimpl
def werks_snapshots() -> Mapping[str, type]:
    """Offer `coinbase.instruments`."""
    return {"instruments": Instruments}
