"""The words that all doors of the exchange share: its name, its scales, a trade in JSON."""

from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from werks import amounts
from werks.errors import MessageError
from werks.schema import Scales, batch, same, schema, times, word

EXCHANGE = "sim"
# The most digits that any market has: DOGEUSD's prices, BTCUSD's sizes.
SCALES = Scales(price=5, size=3)
SCHEMA = schema("TRADE", SCALES)
PRICE, SIZE = SCHEMA.field("price").type, SCHEMA.field("size").type
# Times are whole microseconds since 1970.
TIME_UNIT = 1_000


@attrs.frozen
class Trade:
    """A trade as JSON spells it; `received` is our clock in ns, None for what is past."""

    symbol: str
    id: int
    time: int
    side: str
    price: str
    size: str
    received: int | None = None


def trades(spelt: Any, symbol: str, source: str, received: int | None = None) -> list[Trade]:
    """Return the trades of a JSON list; MessageError, naming the source, if it is none."""
    try:
        return [
            Trade(symbol, e["id"], e["time"], e["side"], e["price"], e["size"], received)
            for e in spelt
        ]
    except (TypeError, KeyError) as error:
        raise MessageError(f"{source}: {str(spelt)[:200]} is no list of trades") from error


def columns(heard: Sequence[Trade], source: str) -> pa.RecordBatch:
    """Return trades as rows of TRADE; MessageError, naming the source, if a field is unreadable."""
    try:
        price = pa.array([each.price for each in heard], pa.string()).cast(PRICE)
        size = pa.array([each.size for each in heard], pa.string()).cast(SIZE)
        stamps = np.array([each.time for each in heard], np.int64)
        sides = pa.array([each.side for each in heard], pa.string())
    except (pa.ArrowInvalid, pa.ArrowTypeError, TypeError, ValueError) as error:
        raise MessageError(f"{source}: a trade cannot be read: {error}") from error
    taker = signs(sides)
    if not taker.all():
        odd = sides[int(np.argmin(np.abs(taker)))]
        raise MessageError(f"{source}: side cannot be {odd.as_py()!r:.40}")
    received = [each.received for each in heard if each.received is not None]
    return batch(
        SCHEMA,
        exchange=word(EXCHANGE, len(heard)),
        symbol=pa.array([each.symbol for each in heard], pa.string()).dictionary_encode(),
        timestamp=times(stamps * TIME_UNIT),
        received=times(np.array(received, np.int64)) if received else None,
        trade_id=[str(each.id) for each in heard],
        tick_rule=taker,
        price=price,
        size=size,
        notional=notionals(price, size),
    )


def signs(sides: pa.Array) -> npt.NDArray[np.int8]:
    """Return +1 where the taker bought, −1 where it sold, 0 where the word is neither."""
    bought, sold = (same(sides, side).astype(np.int8) for side in ("buy", "sell"))
    taker: npt.NDArray[np.int8] = bought - sold
    return taker


def notionals(price: pa.Array, size: pa.Array) -> pa.Array:
    """Return price × size, exactly."""
    factors = (amounts.ints(amounts.limbs(column)) for column in (price, size))
    return amounts.column(amounts.product(*factors), SCALES.notional)
