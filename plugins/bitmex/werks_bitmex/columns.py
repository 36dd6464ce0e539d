"""BitMEX's rows as columns of TRADE: what the archive and the REST door have in common."""

from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from werks import amounts
from werks.schema import Scales, batch, nanoseconds, same, schema, word

from .text import Rows

EXCHANGE = "bitmex"
# TRXU21 has ten digits (capture of 2021-07-22: 0.0000016425); a satoshi is the eighth of size.
SCALES = Scales(price=10, size=8)
SCHEMA = schema("TRADE", SCALES)
# What a row without an id is named by: how many of them there were at a time of a symbol.
Nameless = Counter[tuple[str, int]]
_WHOLE = pa.decimal128(38, 0)
_PRICE = pa.decimal128(38, SCALES.price)
_UNIT = float(10**SCALES.size)
# A float's noise, and far less than a tick of any price.
_SAME = 1e-9
NO_IDS = ("", "00000000-0000-0000-0000-000000000000")
_NO_ID = pa.array(NO_IDS)


def trades(symbol: str, rows: Rows, moments: pa.Array, nameless: Nameless) -> pa.RecordBatch:
    """Return the trades of one symbol, in the order of the rows."""
    size, notional = _amounts(rows)
    settled = _settled(rows)
    return batch(
        SCHEMA,
        exchange=word(EXCHANGE, len(rows)),
        symbol=word(symbol, len(rows)),
        timestamp=moments,
        trade_id=_ids(rows["trdMatchID"], symbol, nanoseconds(moments), nameless),
        tick_rule=_taker(rows, settled),
        price=rows.typed("price", _PRICE),
        size=size,
        notional=notional,
        flag=_flags(rows, settled),
    )


def _amounts(rows: Rows) -> tuple[pa.Array, pa.Array]:
    contracts, gross = (
        amounts.ints(amounts.limbs(rows.typed(name, _WHOLE))) for name in ("size", "grossValue")
    )
    home, foreign = (
        rows.typed(name, pa.float64()).to_numpy() for name in ("homeNotional", "foreignNotional")
    )
    # Digits of a float's noise need no look where the whole numbers tell both amounts.
    if _inverse((contracts, gross), (home, foreign)).all():
        return _columns(gross, amounts.ints(amounts.rescaled(contracts, SCALES.size)))
    own = _own(rows, "homeNotional"), _own(rows, "foreignNotional")
    return chosen((contracts, gross), own)


def chosen(whole: tuple[Any, Any], own: tuple[Any, Any]) -> tuple[pa.Array, pa.Array]:
    """Return base and quote amount: an inverse contract's from whole numbers, else the row's own.

    Whole numbers are the contracts and their value; the row's own are homeNotional and
    foreignNotional in 1e-8. An inverse contract is one unit of quote, so foreignNotional is size,
    and homeNotional is grossValue in XBT. Where another contract's row happens to fulfil both, the
    amounts are equal.
    """
    (contracts, gross), (home, foreign) = whole, own
    quote = amounts.ints(amounts.rescaled(contracts, SCALES.size))
    inverse = _inverse(whole, (home / _UNIT, foreign / _UNIT))
    return _columns(np.where(inverse, gross, home), np.where(inverse, quote, foreign))


def _columns(base: npt.NDArray[Any], quote: npt.NDArray[Any]) -> tuple[pa.Array, pa.Array]:
    return (
        amounts.column(amounts.from_ints(base), SCALES.size),
        amounts.column(amounts.rescaled(quote, SCALES.notional - SCALES.size), SCALES.notional),
    )


def _inverse(whole: tuple[Any, Any], stated: tuple[Any, Any]) -> npt.NDArray[np.bool_]:
    """Tell which rows are of inverse contracts, by what they state as floats."""
    (contracts, gross), (home, foreign) = whole, stated
    return _close(foreign, contracts) & _close(home * _UNIT, gross)


def _own(rows: Rows, column: str) -> npt.NDArray[Any]:
    return amounts.ints(amounts.limbs(rows.rounded(column, SCALES.size)))


def _close(stated: npt.NDArray[np.float64], whole: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    other = whole.astype(np.float64)
    with np.errstate(invalid="ignore"):  # what is no number is not close to one
        close: npt.NDArray[np.bool_] = np.abs(stated - other) <= _SAME * np.abs(other)
    return close


def _settled(rows: Rows) -> npt.NDArray[np.bool_]:
    """Tell which rows are settlements at expiry: without a side, and in newer files marked so."""
    settled = same(rows["side"], "")
    if "trdType" in rows.block.schema.names:
        settled |= same(rows["trdType"], "Settlement")
    return settled


def _taker(rows: Rows, settled: npt.NDArray[np.bool_]) -> npt.NDArray[np.int8]:
    """Return +1 where the taker bought, −1 where the taker sold, 0 for settlements."""
    bought, sold = (same(rows["side"], side) for side in ("Buy", "Sell"))
    rows.check(
        bought | sold | settled, lambda bad: f"side cannot be {rows['side'][bad].as_py()!r:.40}"
    )
    signs: npt.NDArray[np.int8] = bought.astype(np.int8) - sold.astype(np.int8)
    signs[settled] = 0
    return signs


def _flags(rows: Rows, settled: npt.NDArray[np.bool_]) -> pa.Array:
    """Return `off_book` for settlements, `block` for block trades, null for all others."""
    flags = pa.nulls(len(rows), pa.string())
    if "trdType" in rows.block.schema.names:
        block = pc.match_substring(rows["trdType"], "block", ignore_case=True)
        flags = pc.if_else(block, pa.scalar("block", pa.string()), flags)
    if not settled.any():
        return flags
    return pc.if_else(pa.array(settled), pa.scalar("off_book", pa.string()), flags)


def _ids(
    given: pa.Array, symbol: str, moments: npt.NDArray[np.int64], nameless: Nameless
) -> pa.Array:
    """Return the ids; a row without one is named by its time and its place among such rows."""
    without = pc.is_in(given, _NO_ID).to_numpy(zero_copy_only=False)
    if not without.any():
        return given
    ids = given.to_numpy(zero_copy_only=False)
    for row in np.flatnonzero(without):  # a few rows of a day, if any
        moment = int(moments[row])
        ids[row] = f"{moment}-{nameless[symbol, moment]}"
        nameless[symbol, moment] += 1
    return pa.array(ids, pa.string())
