"""The words that all doors of the exchange share: its name, its scales, a trade in JSON."""

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from werks import amounts
from werks.errors import MessageError
from werks.schema import Scales, batch, same, schema, times, word
from werks.wire import decimals, epoch

EXCHANGE = "sim"
# The most digits that any market has: DOGEUSD's prices, BTCUSD's sizes.
SCALES = Scales(price=5, size=3)
SCHEMA = schema("TRADE", SCALES)
PRICE, SIZE = SCHEMA.field("price").type, SCHEMA.field("size").type
# Times are whole microseconds since 1970.
TIME_UNIT = 1_000


class Trade(msgspec.Struct, frozen=True):
    """A trade as JSON spells it; amounts are text, so that they stay exact."""

    id: int
    time: int
    side: str
    price: str
    size: str


def columns(
    trades: Sequence[Trade],
    symbols: Sequence[str],
    source: str,
    received: Sequence[int] | None = None,
) -> pa.RecordBatch:
    """Return trades as rows of TRADE; `received` is our clock in ns, left out for what is past.

    MessageError or DataError names the source if a field is not what it should be.
    """
    price = decimals([each.price for each in trades], SCALES.price, source, "price")
    size = decimals([each.size for each in trades], SCALES.size, source, "size")
    sides = pa.array([each.side for each in trades], pa.string())
    taker = signs(sides)
    if not taker.all():
        odd = sides[int(np.argmin(np.abs(taker)))]
        raise MessageError(f"{source}: side cannot be {odd.as_py()!r:.40}")
    return batch(
        SCHEMA,
        exchange=word(EXCHANGE, len(trades)),
        symbol=pa.array(symbols, pa.string()).dictionary_encode(),
        timestamp=times(epoch([each.time for each in trades], TIME_UNIT, source)),
        received=None if received is None else times(np.array(received, np.int64)),
        trade_id=[str(each.id) for each in trades],
        tick_rule=taker,
        price=price,
        size=size,
        notional=notionals(price, size),
    )


def since(nanoseconds: int) -> str:
    """Return a time as queries spell it, rounded up: whole microseconds since 1970."""
    return str(-(-nanoseconds // TIME_UNIT))


def signs(sides: pa.Array) -> npt.NDArray[np.int8]:
    """Return +1 where the taker bought, −1 where it sold, 0 where the word is neither."""
    bought, sold = (same(sides, side).astype(np.int8) for side in ("buy", "sell"))
    taker: npt.NDArray[np.int8] = bought - sold
    return taker


def notionals(price: pa.Array, size: pa.Array) -> pa.Array:
    """Return price × size, exactly."""
    factors = (amounts.ints(amounts.limbs(column)) for column in (price, size))
    return amounts.column(amounts.product(*factors), SCALES.notional)
