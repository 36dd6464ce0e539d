"""BitMEX for werks: day files, REST and websocket."""

from collections.abc import Mapping

from werks.hookspecs import hookimpl

from .candles import Candles
from .feed_candles import CandlesFeed
from .feed_funding import FundingFeed
from .feed_interest import OpenInterestFeed
from .feed_liquidations import LiquidationsFeed
from .feed_quotes import QuotesFeed
from .feed_trades import TradesFeed
from .funding import Funding
from .history import TradesRest
from .instruments import Instruments
from .trades import Trades

__all__ = [
    "Candles",
    "CandlesFeed",
    "Funding",
    "FundingFeed",
    "Instruments",
    "LiquidationsFeed",
    "OpenInterestFeed",
    "QuotesFeed",
    "Trades",
    "TradesFeed",
    "TradesRest",
]


@hookimpl
def werks_archives() -> Mapping[str, type]:
    """Offer `bitmex.trades` out of day files."""
    return {"trades": Trades}


@hookimpl
def werks_histories() -> Mapping[str, type]:
    """Offer `bitmex.trades` by REST, `bitmex.candles` and `bitmex.funding`."""
    return {"trades": TradesRest, "candles": Candles, "funding": Funding}


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
    """Offer `bitmex.instruments`."""
    return {"instruments": Instruments}
