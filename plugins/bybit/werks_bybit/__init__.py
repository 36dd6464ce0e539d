"""Bybit for werks: the archive of trades at public.bybit.com (spot, linear, inverse)."""

from .trades import Trades, werks_archives

__all__ = ["Trades", "werks_archives"]
