"""The figures of one stream's rows in order: counts, exact sums, ids, and what is wrong."""

from collections.abc import Iterable
from typing import Any

import attrs
import numpy as np
import pyarrow as pa

from ..amounts import limbs, total
from ..order import Repeats, Rows
from ..schema import nanoseconds
from .ids import Covered, listed
from .kinds import KINDS, OTHER, TRADES
from .rules import Mask, broken, units

_HALF = 0.5


@attrs.frozen
class Expected:
    """What is known of a stream before its rows are read.

    `name` is what errors call it; `begin` and `end` bound its times (ns), None where nothing does;
    `numeric` tells whether ids are whole numbers that rise, `contiguous` whether none may lack.
    """

    name: str
    kind: str
    begin: int | None = None
    end: int | None = None
    numeric: bool = False
    contiguous: bool = False


class Tally:
    """Takes a stream's rows in order, repeats included; sums leave repeats out."""

    def __init__(self, expected: Expected, minutes: Any = None) -> None:
        self._expected, self._minutes = expected, minutes
        self.rows = 0
        self.span: tuple[int, int] | None = None
        self.sums: dict[str, int] = {}
        self.scales: dict[str, int] = {}
        self.ids: Covered | None = None
        self._kind = KINDS.get(expected.kind, OTHER)
        if expected.numeric and self._kind.ids:
            self.ids = Covered(expected.name, *self._kind.ids)
        self._repeats = Repeats() if expected.kind in TRADES else None
        self._doubles = 0
        self._before: pa.RecordBatch | None = None
        self._wrong: dict[str, tuple[int, str]] = {}
        self._units = (0, 0, "")
        self._cut_off = 0

    @property
    def contiguous(self) -> bool:
        """Whether ids may prove that something lacks."""
        return self._expected.contiguous and self.ids is not None

    @property
    def repeats(self) -> int:
        """How many rows repeat an earlier one."""
        return self._repeats.found if self._repeats is not None else self._doubles

    @property
    def minutes(self) -> Any:
        """The minutes of the rows, if they were asked for."""
        return self._minutes

    def take(self, batch: pa.RecordBatch) -> None:
        """Take rows that follow those before."""
        if not len(batch):
            return
        time, kind = nanoseconds(batch["timestamp"]), self._expected.kind
        self.rows += len(batch)
        first, last = int(time.min()), int(time.max())
        before = self.span or (first, last)
        self.span = min(first, before[0]), max(last, before[1])
        for what, rows in (*self._outside(batch), *broken(batch, kind), *self._after(batch)):
            self._note(what, rows, batch)
        self._judge_units(batch)
        if self._repeats is not None:
            batch = self._repeats.without(batch)
            if not len(batch):
                return
        self._add(batch)

    def _add(self, batch: pa.RecordBatch) -> None:
        for name in self._kind.sums:
            column = batch[name]
            if pa.types.is_decimal(column.type):  # floats have no exact sum
                self.scales[name] = column.type.scale
                self.sums[name] = self.sums.get(name, 0) + total(limbs(column.drop_null()))
        if "complete" in batch.schema.names:
            self._cut_off += len(batch) - int(np.count_nonzero(batch["complete"].to_numpy(False)))
        if self.ids is not None:
            self.ids.count(batch)
        if self._minutes is not None:
            self._minutes.push(batch)

    def _outside(self, batch: pa.RecordBatch) -> Iterable[tuple[str, Mask]]:
        begin, end = self._expected.begin, self._expected.end
        if begin is None or end is None:
            return
        time = nanoseconds(batch["timestamp"])
        wrong = (time < begin) | (time >= end)
        if self._expected.kind == "BAR":  # filed by the day that closes it, wherever it began
            time = nanoseconds(batch["end"])
            whole = batch["complete"].to_numpy(zero_copy_only=False)
            wrong = (time > end) | ((time < begin) & whole)
        yield "rows outside of the file's days", np.asarray(wrong, bool)

    def _after(self, batch: pa.RecordBatch) -> Iterable[tuple[str, Mask]]:
        """Yield bars that overlap the one before; count rows that repeat the one before."""
        if self._repeats is not None:
            return
        both = batch.select([*self._kind.keys])
        new = self._before is None
        if self._before is not None:
            both = pa.concat_batches([self._before, both])
        self._before = both.slice(len(both) - 1)
        same = np.ones(len(both) - 1, bool)
        for column in both.columns:
            code = _codes(column)
            same &= code[1:] == code[:-1]
        self._doubles += int(np.count_nonzero(same))
        if self._expected.kind == "BAR":
            begins, ends = nanoseconds(both["timestamp"]), nanoseconds(both["end"])
            overlaps = (begins[1:] < ends[:-1]) & ~same
            yield (
                "bars that begin before the one above has ended",
                np.append(np.zeros(int(new), bool), overlaps),
            )

    def _judge_units(self, batch: pa.RecordBatch) -> None:
        found = units(batch, self._expected.kind)
        if found is not None and found[0].any():
            off, swapped, where = self._units
            wrong = int(np.count_nonzero(found[0]))
            turned = int(np.count_nonzero(found[0] & found[1]))
            self._units = (off + wrong, swapped + turned, where or _where(batch, found[0]))

    def _note(self, what: str, rows: Mask, batch: pa.RecordBatch) -> None:
        count = int(np.count_nonzero(rows))
        if count:
            before, where = self._wrong.get(what, (0, ""))
            self._wrong[what] = (before + count, where or _where(batch, rows))

    @property
    def problems(self) -> list[str]:
        """What is wrong, a sentence each."""
        found = [f"{what}: {count:,} ({at})" for what, (count, at) in self._wrong.items()]
        if self.repeats:
            found.append(f"rows that repeat an earlier one: {self.repeats:,}")
        off, swapped, where = self._units
        if off and swapped > _HALF * self.rows:
            found.append("size and notional are swapped: notional × price is the size")
        elif off and off <= _HALF * self.rows:
            found.append(f"rows with a notional that is not price × size: {off:,} ({where})")
        return [*found, *self._ids_wrong()]

    def _ids_wrong(self) -> Iterable[str]:
        if self.ids is None or self.ids.found is None:
            return
        if self.contiguous and self.ids.found.holes:
            spans = listed(self.ids.found.jumps)
            yield f"missing trade ids: {self.ids.found.holes:,}{f' ({spans})' if spans else ''}"
        if self.ids.back:
            yield f"trade ids that go back: {self.ids.back:,} ({self.ids.first_back})"

    @property
    def notes(self) -> list[str]:
        """What is worth knowing and not wrong."""
        off, swapped, _ = self._units
        found = []
        if off > _HALF * self.rows and swapped <= _HALF * self.rows:
            found.append("notional is not price × size: the units are the contract's own")
        if self._cut_off and self._expected.begin is not None:
            found.append(f"bars cut off by `reset`, or by a gap: {self._cut_off:,}")
        return found

    @property
    def whole_bars(self) -> int:
        """How many bars are complete."""
        return self.rows - self._cut_off


def _codes(column: pa.Array) -> Rows:
    """Return a number for each different value of a column, null included."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    found: Rows = column.dictionary_encode("encode").indices.to_numpy()
    return found


def _where(batch: pa.RecordBatch, rows: Mask) -> str:
    row = int(np.argmax(rows))
    stamp = np.datetime64(int(nanoseconds(batch["timestamp"])[row]), "ns")
    name = next((n for n in ("trade_id", "first_trade_id") if n in batch.schema.names), None)
    said = f", id {batch[name][row].as_py()}" if name else ""
    return f"the first at {stamp}Z{said}"
