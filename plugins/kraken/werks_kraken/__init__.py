"""Kraken for werks: the spot market by REST and websocket, and the history published as zips."""

from collections.abc import Mapping

from werks.hookspecs import hookimpl

from .candles import Candles
from .feed_candles import CandlesFeed
from .feed_quotes import QuotesFeed
from .feed_trades import TradesFeed
from .history import History
from .instruments import Instruments
from .trades import Trades

__all__ = [
    "Candles",
    "CandlesFeed",
    "History",
    "Instruments",
    "QuotesFeed",
    "Trades",
    "TradesFeed",
    "werks_archives",
    "werks_feeds",
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
def werks_feeds() -> Mapping[str, type]:
    """Offer `kraken.trades`, `kraken.quotes` and `kraken.candles` by websocket."""
    return {"trades": TradesFeed, "quotes": QuotesFeed, "candles": CandlesFeed}


@hookimpl
def werks_snapshots() -> Mapping[str, type]:
    """Offer `kraken.instruments`."""
    return {"instruments": Instruments}
