"""What is counted of the rows that a window was given: repeats, ids, sums, minutes."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import attrs
import pyarrow as pa

from ..amounts import decimal, limbs, total
from ..components import State
from ..order import Holes, Ids, Repeats
from ..verify.minutes import Minutes


class Tally:
    """Counts the rows of a source in one window, without their repeats."""

    def __init__(self, name: str, schema: pa.Schema, contiguous: bool, verify: bool) -> None:
        self._name, self._schema = name, schema
        # Rows without an id (candles, open interest) are told apart by their time, by the core.
        named = "trade_id" in schema.names
        self._repeats = Repeats() if named else None
        self._holes = Holes(name) if named and contiguous else None
        self.kept = Minutes(schema) if verify else None
        # Whether all rows of the window up to now are in those minutes.
        self.whole = True
        self._sums = dict.fromkeys({"size", "notional"} & set(schema.names), 0)
        self.rows = 0
        self.first_id: str | None = None
        self.last_id: str | None = None

    def follow(self, last_id: int | None) -> None:
        """Take note of the greatest id of the window before."""
        if self._holes is not None:
            self._holes = Holes(self._name, last_id)

    def take(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, list[int]]:
        """Return rows without repeats, and those of them before which ids are left out."""
        if self._repeats is not None:
            batch = self._repeats.without(batch)
            if not len(batch):
                return batch, []
            ids = batch["trade_id"]
            if not self.rows:
                self.first_id = ids[0].as_py()
            self.last_id = ids[len(ids) - 1].as_py()
        torn = self._holes.count(batch) if self._holes is not None else []
        if self.kept is not None:
            self.kept.push(batch)
        self.rows += len(batch)
        for name in self._sums:
            self._sums[name] += total(limbs(batch[name]))
        return batch, torn

    @property
    def repeats(self) -> int:
        """How many rows were left out because their id had come."""
        return self._repeats.found if self._repeats is not None else 0

    @property
    def ids(self) -> Ids | None:
        """What numeric ids tell; None where they do not count."""
        return self._holes.found if self._holes is not None else None

    @property
    def sums(self) -> Mapping[str, str]:
        """The exact sums of size and notional, as far as there are such columns."""
        return {
            name: format(decimal(value, self._schema.field(name).type.scale), "f")
            for name, value in self._sums.items()
        }

    def minutes(self, until: int) -> bytes | None:
        """Return the minutes to be compared with candles; None if they are not asked for."""
        return self.kept.packed(until) if self.kept and self.whole else None

    def state(self) -> State:
        """Return all but the minutes, as plain data; they are had from the rows again."""
        ids = self.ids
        return {
            "rows": self.rows,
            "repeats": self.repeats,
            "first_id": self.first_id,
            "last_id": self.last_id,
            "sums": {name: str(value) for name, value in self._sums.items()},
            "ids": attrs.asdict(ids) if ids else None,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned; the minutes before lack until `refold` has them."""
        self.rows, self.first_id, self.last_id = (
            state[name] for name in ("rows", "first_id", "last_id")
        )
        self._sums = {name: int(value) for name, value in state["sums"].items()}
        if self._repeats is not None:
            self._repeats.found = state["repeats"]
        if self._holes is not None and state["ids"] is not None:
            jumps = tuple((first, last) for first, last in state["ids"]["jumps"])
            self._holes.restore(Ids(**{**state["ids"], "jumps": jumps}), self.rows)
        self.whole = False

    def refold(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield all rows of the window up to now, which were stored, and have their minutes."""
        for batch in batches:
            if self.kept is not None and len(batch):
                self.kept.push(batch)
            yield batch
        self.whole = True
