"""BitMEX for werks: trades out of day files and by REST, candles, funding, instruments."""

from collections.abc import Mapping

from werks.hookspecs import hookimpl

from .candles import Candles
from .funding import Funding
from .history import TradesRest
from .instruments import Instruments
from .trades import Trades

__all__ = ["Candles", "Funding", "Instruments", "Trades", "TradesRest"]


@hookimpl
def werks_archives() -> Mapping[str, type]:
    """Offer `bitmex.trades` out of day files."""
    return {"trades": Trades}


@hookimpl
def werks_histories() -> Mapping[str, type]:
    """Offer `bitmex.trades` by REST, `bitmex.candles` and `bitmex.funding`."""
    return {"trades": TradesRest, "candles": Candles, "funding": Funding}


@hookimpl
def werks_snapshots() -> Mapping[str, type]:
    """Offer `bitmex.instruments`."""
    return {"instruments": Instruments}
