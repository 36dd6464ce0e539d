"""BitMEX for werks: the archive of trades at public.bitmex.com."""

from .trades import Trades, werks_archives

__all__ = ["Trades", "werks_archives"]
