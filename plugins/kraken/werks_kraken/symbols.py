"""The names of a market: the symbol is that of websocket v2, BTC/USD; REST says XBTUSD."""

from collections.abc import Mapping

from werks.errors import MissingError
from werks.schema import Scales

EXCHANGE = "kraken"
# Up to ten digits for prices (AssetPairs of 2021), eight for sizes, ten for those of some assets.
SCALES = Scales(price=10, size=10)
# All that REST and websocket v1 call otherwise: the 293 named pairs of the recorded AssetPairs that
# the recorded websocket list still has become its symbols by these two.
_OLD: Mapping[str, str] = {"BTC": "XBT", "DOGE": "XDG"}
_NEW: Mapping[str, str] = {old: new for new, old in _OLD.items()}


def pair(symbol: str) -> str:
    """Return what REST and the published files call a market (its altname): XBTUSD for BTC/USD.

    MissingError where the symbol is not spelt as the websocket spells it.
    """
    parts = symbol.split("/")
    if len(parts) != 2 or not all(parts):
        what = 'symbols are those of websocket v2, like "BTC/USD"'
        raise MissingError(f"{EXCHANGE}: there is no symbol {symbol!r}: {what}")
    if (today := renamed(symbol)) != symbol:
        raise MissingError(f"{EXCHANGE}: there is no symbol {symbol!r}: it is {today!r} now")
    return "".join(_OLD.get(part, part) for part in parts)


def renamed(wsname: str) -> str:
    """Return the symbol of a market that REST calls by its name of websocket v1: XBT/USD."""
    return "/".join(_NEW.get(part, part) for part in wsname.split("/"))
