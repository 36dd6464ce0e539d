"""Bitfinex for werks: the public REST interface and websocket, version 2."""

from collections.abc import Mapping

from werks.hookspecs import hookimpl

from .candles import Candles
from .feed_candles import CandlesFeed
from .feed_liquidations import LiquidationsFeed
from .feed_quotes import QuotesFeed
from .feed_status import FundingFeed, OpenInterestFeed
from .feed_trades import TradesFeed
from .funding import Funding
from .instruments import Instruments
from .open_interest import OpenInterest
from .trades import Trades

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
    "werks_feeds",
    "werks_histories",
    "werks_snapshots",
]


@hookimpl
def werks_histories() -> Mapping[str, type]:
    """Offer what REST gives of the past."""
    return {
        "trades": Trades,
        "candles": Candles,
        "open_interest": OpenInterest,
        "funding": Funding,
    }


@hookimpl
def werks_feeds() -> Mapping[str, type]:
    """Offer what the websocket tells."""
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
    """Offer `bitfinex.instruments`."""
    return {"instruments": Instruments}
