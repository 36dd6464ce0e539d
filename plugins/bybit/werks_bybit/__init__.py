"""Bybit for werks: trades out of day files, the latest by REST, candles, open interest, …."""

from collections.abc import Mapping

from werks.hookspecs import hookimpl

from .candles import Candles
from .feed_candles import CandlesFeed
from .feed_quotes import QuotesFeed
from .feed_tickers import FundingFeed, OpenInterestFeed
from .feed_trades import LiquidationsFeed, TradesFeed
from .funding import Funding
from .instruments import Instruments
from .interest import OpenInterest
from .recent import TradesRest
from .trades import Trades, werks_archives

__all__ = [
    "Candles",
    "CandlesFeed",
    "Funding",
    "FundingFeed",
    "Instruments",
    "LiquidationsFeed",
    "OpenInterest",
    "OpenInterestFeed",
    "QuotesFeed",
    "Trades",
    "TradesFeed",
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
def werks_feeds() -> Mapping[str, type]:
    """Offer what comes by websocket."""
    return {
        "trades": TradesFeed,
        "quotes": QuotesFeed,
        "candles": CandlesFeed,
        "liquidations": LiquidationsFeed,
        "open_interest": OpenInterestFeed,
        "funding": FundingFeed,
    }


@hookimpl
def werks_snapshots() -> Mapping[str, type]:
    """Offer `bybit.instruments`."""
    return {"instruments": Instruments}
