"""Amounts of contracts in base and in quote, where BitMEX states contracts only."""

from collections.abc import Sequence
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from werks import amounts
from werks.wire import decimals

from .columns import SCALES
from .feed_rows import Number
from .instruments import Instrument


def whole(counts: Sequence[Number | None], url: str, name: str) -> pa.Array:
    """Return numbers of contracts."""
    return decimals(counts, 0, url, name)


def base(contract: Instrument, counts: pa.Array, price: pa.Array) -> pa.Array:
    """Return contracts in base, cut to eight digits; null where the contract does not tell.

    An inverse contract is one unit of quote, of a linear one and of spot so many are one unit of
    base. What a quanto contract is in base changes with the price of XBT.
    """
    position = contract.underlyingToPositionMultiplier
    kind = pa.decimal128(38, SCALES.size)
    if not contract.isInverse and (contract.isQuanto or not position):
        return pa.nulls(len(counts), kind)
    there = pc.and_(counts.is_valid(), price.is_valid())
    count, paid = (
        amounts.ints(amounts.limbs(pc.fill_null(each, pa.scalar(Decimal(1), each.type))))
        for each in (counts, price)
    )
    if contract.isInverse:
        made = amounts.quotient(count, 10 ** (SCALES.size + SCALES.price), paid)
    else:
        made = amounts.quotient(
            count, 10**SCALES.size, np.full(len(counts), int(position or 1), np.int64)
        )
    return pc.if_else(there, amounts.column(made, SCALES.size), pa.scalar(None, kind))


def quote(contract: Instrument, counts: pa.Array, price: pa.Array) -> pa.Array:
    """Return contracts in quote: themselves if inverse, else base × price; null as in `base`."""
    kind = pa.decimal128(38, SCALES.notional)
    if contract.isInverse:
        return counts.cast(kind)
    size = base(contract, counts, price)
    if size.null_count:
        return pa.nulls(len(counts), kind)
    factors = (amounts.ints(amounts.limbs(each)) for each in (size, price))
    return amounts.column(amounts.product(*factors), SCALES.notional)
