"""What the audit must know of each kind of rows."""

from collections.abc import Mapping

import attrs

TRADES = ("TRADE", "TICK", "SIGNIFICANT")


@attrs.frozen
class Kind:
    """Which columns hold the ids of a row's first and last trade, its sums, and may be null.

    `keys` tell rows without a trade id of their own apart.
    """

    ids: tuple[str, str] | None = None
    sums: tuple[str, ...] = ()
    nullable: tuple[str, ...] = ()
    keys: tuple[str, ...] = ("timestamp",)


_RUN = ("trade_id", "last_trade_id")
_SOLE = ("size", "notional", "tick_rule", "ticks")  # null where no tick stands for itself
_BAR = ("first_trade_id", "last_trade_id")

KINDS: Mapping[str, Kind] = {
    "TRADE": Kind(("trade_id", "trade_id"), ("size", "notional"), ("received", "flag")),
    "TICK": Kind(_RUN, ("size", "notional"), ("received",)),
    "SIGNIFICANT": Kind(_RUN, ("total_size", "total_notional"), ("received", *_SOLE)),
    "BAR": Kind(_BAR, ("volume", "notional"), _BAR, ("timestamp", "end", *_BAR)),
    "CANDLE": Kind(None, ("volume", "notional"), ("notional", "trades"), ("timestamp", "interval")),
}
OTHER = Kind()
