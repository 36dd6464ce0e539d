"""The columns of each kind of rows, by the scales of a market."""

from collections.abc import Callable, Mapping

import attrs
import pyarrow as pa

VARIANCE_SCALE = RATE_SCALE = 18
TIME = pa.timestamp("ns", tz="UTC")
WORD = pa.dictionary(pa.int32(), pa.string())


@attrs.frozen
class Scales:
    """How many digits after the point the prices and sizes of a market have at most."""

    price: int
    size: int

    @property
    def notional(self) -> int:
        """The digits that the product of a price and a size can have."""
        return self.price + self.size


def _amount(scale: int) -> pa.DataType:
    return pa.decimal128(38, scale)


def _trade(scales: Scales) -> dict[str, pa.DataType]:
    price, size, notional = map(_amount, (scales.price, scales.size, scales.notional))
    return {
        "exchange": WORD,
        "symbol": WORD,
        "timestamp": TIME,
        "received": TIME,
        "trade_id": pa.string(),
        "tick_rule": pa.int8(),
        "price": price,
        "size": size,
        "notional": notional,
        "flag": pa.string(),
    }


def _tick(scales: Scales) -> dict[str, pa.DataType]:
    price, size, notional = map(_amount, (scales.price, scales.size, scales.notional))
    return {
        "exchange": WORD,
        "symbol": WORD,
        "timestamp": TIME,
        "received": TIME,
        "trade_id": pa.string(),
        "last_trade_id": pa.string(),
        "tick_rule": pa.int8(),
        "price": price,
        "size": size,
        "notional": notional,
        "open": price,
        "high": price,
        "low": price,
        "ticks": pa.int64(),
    }


def _significant(scales: Scales) -> dict[str, pa.DataType]:
    size, notional = map(_amount, (scales.size, scales.notional))
    return _tick(scales) | {
        "total_size": size,
        "total_buy_size": size,
        "total_notional": notional,
        "total_buy_notional": notional,
        "total_ticks": pa.int64(),
        "total_buy_ticks": pa.int64(),
    }


def _bar(scales: Scales) -> dict[str, pa.DataType]:
    price, size, notional = map(_amount, (scales.price, scales.size, scales.notional))
    return {
        "exchange": WORD,
        "symbol": WORD,
        "timestamp": TIME,
        "end": TIME,
        "open": price,
        "high": price,
        "low": price,
        "close": price,
        "volume": size,
        "notional": notional,
        "buy_volume": size,
        "buy_notional": notional,
        "ticks": pa.int64(),
        "buy_ticks": pa.int64(),
        "realized_variance": _amount(VARIANCE_SCALE),
        "first_trade_id": pa.string(),
        "last_trade_id": pa.string(),
        "complete": pa.bool_(),
    }


def _candle(scales: Scales) -> dict[str, pa.DataType]:
    price, size, notional = map(_amount, (scales.price, scales.size, scales.notional))
    return {
        "exchange": WORD,
        "symbol": WORD,
        "timestamp": TIME,
        "interval": WORD,
        "open": price,
        "high": price,
        "low": price,
        "close": price,
        "volume": size,
        "notional": notional,
        "trades": pa.int64(),
    }


def _check(scales: Scales) -> dict[str, pa.DataType]:
    return {
        "exchange": WORD,
        "symbol": WORD,
        "timestamp": TIME,
        "field": pa.string(),
        "ours": pa.string(),
        "theirs": pa.string(),
        "reason": pa.string(),
    }


def _open_interest(scales: Scales) -> dict[str, pa.DataType]:
    return {
        "exchange": WORD,
        "symbol": WORD,
        "timestamp": TIME,
        "received": TIME,
        "open_interest": _amount(scales.size),
        "open_interest_notional": _amount(scales.notional),
    }


def _funding(scales: Scales) -> dict[str, pa.DataType]:
    return {
        "exchange": WORD,
        "symbol": WORD,
        "timestamp": TIME,
        "received": TIME,
        "rate": _amount(RATE_SCALE),
        "interval": pa.int64(),
        "mark_price": _amount(scales.price),
    }


def _quote(scales: Scales) -> dict[str, pa.DataType]:
    price, size = _amount(scales.price), _amount(scales.size)
    return {
        "exchange": WORD,
        "symbol": WORD,
        "timestamp": TIME,
        "received": TIME,
        "bid": price,
        "bid_size": size,
        "ask": price,
        "ask_size": size,
    }


def _liquidation(scales: Scales) -> dict[str, pa.DataType]:
    price, size, notional = map(_amount, (scales.price, scales.size, scales.notional))
    return {
        "exchange": WORD,
        "symbol": WORD,
        "timestamp": TIME,
        "received": TIME,
        "tick_rule": pa.int8(),
        "price": price,
        "size": size,
        "notional": notional,
    }


def _instrument(scales: Scales) -> dict[str, pa.DataType]:
    step = _amount(RATE_SCALE)
    return {
        "exchange": WORD,
        "symbol": WORD,
        "timestamp": TIME,
        "kind": pa.string(),
        "status": pa.string(),
        "base": pa.string(),
        "quote": pa.string(),
        "settle": pa.string(),
        "tick_size": step,
        "lot_size": step,
        "min_size": step,
        "min_notional": step,
        "contract_value": step,
        "inverse": pa.bool_(),
        "listed": TIME,
        "expiry": TIME,
    }


KINDS: Mapping[str, Callable[[Scales], dict[str, pa.DataType]]] = {
    "TRADE": _trade,
    "TICK": _tick,
    "SIGNIFICANT": _significant,
    "BAR": _bar,
    "CANDLE": _candle,
    "CHECK": _check,
    "OPEN_INTEREST": _open_interest,
    "FUNDING": _funding,
    "INSTRUMENT": _instrument,
    "LIQUIDATION": _liquidation,
    "QUOTE": _quote,
}
