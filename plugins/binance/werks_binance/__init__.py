"""Binance for werks: the archive at data.binance.vision, REST, websocket; spot and USD-M."""

from collections.abc import Mapping

from werks.hookspecs import hookimpl

from .aggtrades import AggTrades
from .aggtrades_rest import AggTradesRest
from .candles import Candles
from .feed_candles import CandlesFeed
from .feed_funding import FundingFeed
from .feed_liquidations import LiquidationsFeed
from .feed_quotes import QuotesFeed
from .feed_trades import AggTradesFeed, TradesFeed
from .funding import Funding
from .instruments import Instruments
from .open_interest import OpenInterest
from .raw import RawAggTrades, RawTrades
from .raw_feed import RawAggTradesFeed, RawTradesFeed
from .trades import Trades
from .trades_rest import TradesRest

__all__ = [
    "AggTrades",
    "AggTradesFeed",
    "AggTradesRest",
    "Candles",
    "CandlesFeed",
    "Funding",
    "FundingFeed",
    "Instruments",
    "LiquidationsFeed",
    "OpenInterest",
    "QuotesFeed",
    "RawAggTrades",
    "RawAggTradesFeed",
    "RawTrades",
    "RawTradesFeed",
    "Trades",
    "TradesFeed",
    "TradesRest",
    "werks_archives",
    "werks_feeds",
    "werks_histories",
    "werks_snapshots",
]


@hookimpl
def werks_archives() -> Mapping[str, type]:
    """Offer the day files, as rows of our own and as Binance writes them."""
    return {
        "trades": Trades,
        "aggtrades": AggTrades,
        "raw_trades": RawTrades,
        "raw_aggtrades": RawAggTrades,
    }


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
def werks_feeds() -> Mapping[str, type]:
    """Offer what comes by websocket."""
    return {
        "trades": TradesFeed,
        "aggtrades": AggTradesFeed,
        "raw_trades": RawTradesFeed,
        "raw_aggtrades": RawAggTradesFeed,
        "quotes": QuotesFeed,
        "candles": CandlesFeed,
        "liquidations": LiquidationsFeed,
        "funding": FundingFeed,
    }


@hookimpl
def werks_snapshots() -> Mapping[str, type]:
    """Offer `binance.instruments`."""
    return {"instruments": Instruments}
