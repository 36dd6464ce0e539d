"""Columns of amounts made ready to be summed again and again."""

from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from ..amounts import (
    INT64_MAX,
    Ints,
    Limbs,
    Starts,
    added,
    bounded,
    from_ints,
    integer,
    ints,
    narrow,
    sums,
    widen,
)

Mask = npt.NDArray[np.bool_]
# All bits of a row that is kept, none of one that is not.
Bits = npt.NDArray[np.int64]


@attrs.frozen(eq=False)
class Addends:
    """Amounts as whole numbers of a unit where 64 bits hold all their sums, else as limbs."""

    values: Ints | Limbs
    unit: int = 1

    @classmethod
    def of(cls, values: Limbs) -> "Addends":
        """Return the addends of limbs."""
        narrowed = narrow(values)
        return cls(*narrowed) if narrowed else cls(values)

    @classmethod
    def of_ints(cls, values: npt.NDArray[Any]) -> "Addends":
        """Return the addends of integers, given as int64 or as an array of Python's integers."""
        if values.dtype != object and bounded(values, 1):
            return cls(values)
        return cls.of(from_ints(values))

    @property
    def narrow(self) -> bool:
        """Whether these are whole numbers of a unit, of which no sum overflows."""
        return self.values.ndim == 1

    def limbs(self) -> Limbs:
        """Return the amounts as limbs."""
        return widen(self.values, self.unit) if self.narrow else self.values

    def sums(self, starts: Starts) -> "Addends":
        """Return the exact sum of each group; `starts` holds each group's first row, from 0 on."""
        if self.narrow:
            return Addends(added(self.values, starts), self.unit)
        return Addends(sums(self.values, starts))

    def where(self, keep: Bits) -> "Addends":
        """Return these with zeros in the rows that are not kept."""
        return Addends(self.values & (keep if self.narrow else keep[:, None]), self.unit)

    def after(self, amount: int) -> "Addends":
        """Return these with one amount in front of them."""
        number, rest = divmod(amount, self.unit)
        if self.narrow and not rest and abs(number) <= INT64_MAX:
            both = np.concatenate((np.array([number], np.int64), self.values))
            if bounded(both, self.unit):
                return Addends(both, self.unit)
        first = from_ints(np.array([amount], dtype=object))
        return Addends.of(np.concatenate((first, self.limbs())))

    def at(self, row: int) -> int:
        """Return one amount."""
        value = self.values[row]
        return int(value) * self.unit if self.narrow else integer(value)

    def to(self, stop: int) -> "Addends":
        """Return the rows before `stop`."""
        return Addends(self.values[:stop], self.unit)

    def at_least(self, amount: int) -> Mask:
        """Tell which amounts are not below one."""
        if not self.narrow:
            return np.asarray(ints(self.values) >= amount, bool)
        least = -(-amount // self.unit)
        return self.values >= least if least <= INT64_MAX else np.zeros(len(self.values), bool)
