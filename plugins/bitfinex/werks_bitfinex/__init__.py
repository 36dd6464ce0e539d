"""Bitfinex for werks: the public REST interface, version 2."""

from collections.abc import Mapping

from werks.hookspecs import hookimpl

from .candles import Candles
from .funding import Funding
from .instruments import Instruments
from .open_interest import OpenInterest
from .trades import Trades

__all__ = [
    "Candles",
    "Funding",
    "Instruments",
    "OpenInterest",
    "Trades",
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
def werks_snapshots() -> Mapping[str, type]:
    """Offer `bitfinex.instruments`."""
    return {"instruments": Instruments}
