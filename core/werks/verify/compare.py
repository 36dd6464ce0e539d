"""Our minutes against the exchange's candles: where they differ, and why if that can be told."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ..ledger import Difference
from ..schema import nanoseconds

_MINUTE = 60 * 10**9
# Our column of a BAR, and the exchange's of a CANDLE.
FIELDS = {
    "open": "open",
    "high": "high",
    "low": "low",
    "close": "close",
    "volume": "volume",
    "notional": "notional",
    "ticks": "trades",
}
_NONE = "none"
Mask = npt.NDArray[np.bool_]


@attrs.frozen
class Facts:
    """How an exchange makes its candles: see `components.Candles`.

    `tolerance` is how far a field may be off because the exchange rounds it, by field.
    """

    opens: str = "first"
    empty: str = "omit"
    tolerance: Mapping[str, Decimal] = attrs.field(factory=dict)

    @classmethod
    def of(cls, door: Any) -> "Facts":
        """Return what a door of candles states."""
        return cls(door.opens, door.empty, getattr(door, "tolerance", {}))


@attrs.frozen
class Comparison:
    """How many minutes there were to compare, and where they differ."""

    minutes: int
    differences: tuple[Difference, ...]


def compare(ours: pa.RecordBatch, theirs: pa.RecordBatch, facts: Facts) -> Comparison:
    """Return where minutes (BAR rows) differ from final candles (CANDLE rows) of the same time."""
    mine, candles = nanoseconds(ours["timestamp"]), nanoseconds(theirs["timestamp"])
    both, at_ours, at_theirs = np.intersect1d(mine, candles, return_indices=True)
    one, other = ours.take(pa.array(at_ours)), theirs.take(pa.array(at_theirs))
    if facts.opens == "previous":
        one = _opened_before(one, ours, at_ours)
    found = [
        *_alone(ours, ~np.isin(mine, candles)),
        *_unmatched(theirs, ~np.isin(candles, mine), facts),
    ]
    wrong = {name: _differs(one, other, name, facts) for name in FIELDS}
    for row in np.flatnonzero(np.any(list(wrong.values()), axis=0)).tolist():
        why = _Why(ours, one, other, row)
        for name in (name for name, rows in wrong.items() if rows[row]):
            pair = (_text(one[name][row]), _text(other[FIELDS[name]][row]))
            found.append(Difference(int(both[row]), FIELDS[name], *pair, why.of(name)))
    found.sort(key=lambda each: (each.minute, list(FIELDS.values()).index(each.field)))
    return Comparison(len(np.union1d(mine, candles)), tuple(_moved(found)))


def _opened_before(
    one: pa.RecordBatch, ours: pa.RecordBatch, at: npt.NDArray[np.intp]
) -> pa.RecordBatch:
    """Return minutes that open at our close before; null where there is none before."""
    closes = pa.concat_arrays([pa.nulls(1, ours["close"].type), ours["close"]])
    place = one.schema.get_field_index("open")
    return one.set_column(place, "open", closes.take(pa.array(at)))


def _differs(one: pa.RecordBatch, other: pa.RecordBatch, name: str, facts: Facts) -> Mask:
    """Return where a field differs; what the exchange does not state differs nowhere."""
    left, right = one[name], other[FIELDS[name]]
    if pa.types.is_decimal(left.type):
        kind = pa.decimal128(38, max(left.type.scale, right.type.scale))
        left, right = left.cast(kind), right.cast(kind)
    most = facts.tolerance.get(FIELDS[name])
    if most is None:
        unequal = pc.not_equal(left, right)
    else:
        unequal = pc.greater(pc.abs(pc.subtract(left, right)), pa.scalar(most))
    return np.asarray(pc.fill_null(unequal, False).to_numpy(zero_copy_only=False), bool)


def _alone(ours: pa.RecordBatch, alone: Mask) -> Iterator[Difference]:
    """Yield our minutes for which the exchange has no candle."""
    for row in np.flatnonzero(alone).tolist():
        minute, ticks = int(nanoseconds(ours["timestamp"])[row]), ours["ticks"][row].as_py()
        reason = f"no candle: {ticks} trades from id {ours['first_trade_id'][row]}"
        yield Difference(minute, "volume", _text(ours["volume"][row]), _NONE, reason)


def _unmatched(theirs: pa.RecordBatch, alone: Mask, facts: Facts) -> Iterator[Difference]:
    """Yield candles of minutes in which we have no trade, unless they are carried empty ones."""
    for row in np.flatnonzero(alone).tolist():
        volume, trades = theirs["volume"][row].as_py(), theirs["trades"][row].as_py()
        if facts.empty == "carry" and not volume and not trades:
            continue
        minute = int(nanoseconds(theirs["timestamp"])[row])
        reason = f"missing: {'some' if trades is None else trades} trades"
        yield Difference(minute, "volume", _NONE, _text(theirs["volume"][row]), reason)


class _Why:
    """What can be told of a minute that differs."""

    def __init__(
        self, ours: pa.RecordBatch, one: pa.RecordBatch, other: pa.RecordBatch, row: int
    ) -> None:
        self._one = {name: one[name][row].as_py() for name in (*FIELDS, "first_trade_id")}
        self._one["last_trade_id"] = one["last_trade_id"][row].as_py()
        self._other = {name: other[FIELDS[name]][row].as_py() for name in FIELDS}

    def of(self, name: str) -> str:
        """Return the reason of one field; empty if there is none to be told."""
        mine, theirs = self._one[name], self._other[name]
        if name in ("volume", "notional") and theirs == self._one[_other_unit(name)]:
            return f"unit: theirs is our {_other_unit(name)}"
        if name == "open" and theirs == self._one["close"] == self._other["close"]:
            return "boundary: theirs opens where it closes"
        if self._other["ticks"] is not None and self._other["ticks"] != self._one["ticks"]:
            return self._counted(self._other["ticks"] - self._one["ticks"])
        if isinstance(mine, Decimal) and abs(mine - theirs) <= _last_digit(theirs):
            return "rounding: less than a unit of their last digit"
        return ""

    def _counted(self, more: int) -> str:
        first, last = self._one["first_trade_id"], self._one["last_trade_id"]
        if more > 0:
            return f"missing: {more} trades, ids around {first} to {last}"
        return f"excluded: {-more} trades of ours are not in theirs, ids {first} to {last}"


def _other_unit(name: str) -> str:
    return "notional" if name == "volume" else "volume"


def _last_digit(value: Decimal) -> Decimal:
    """Return a unit of the last digit that is not a padded zero."""
    return Decimal(1).scaleb(int(value.normalize().as_tuple().exponent))


def _moved(found: list[Difference]) -> Iterator[Difference]:
    """Yield differences; where a volume lacks in one minute what the next has too much: late."""
    by_key = {(each.minute, each.field): each for each in found}
    for each in found:
        near = (by_key.get((each.minute + step, each.field)) for step in (-_MINUTE, _MINUTE))
        late = each.field in ("volume", "trades") and any(
            other is not None and _delta(each) + _delta(other) == 0 for other in near
        )
        yield attrs.evolve(each, reason="late trade: in the minute beside it") if late else each


def _delta(each: Difference) -> Decimal:
    ours, theirs = (Decimal(0 if text == _NONE else text) for text in (each.ours, each.theirs))
    return ours - theirs


def _text(value: pa.Scalar) -> str:
    plain = value.as_py()
    if isinstance(plain, Decimal):
        text = format(plain, "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    return str(plain)
