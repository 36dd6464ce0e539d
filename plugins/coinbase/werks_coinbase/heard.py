"""What was heard on a connection, kept until it is made into rows."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import attrs
import pyarrow as pa

from werks.errors import DataError, MessageError
from werks.schema import word

# Makes rows of what was heard, which an error calls by a symbol, and when (ns since 1970).
Build = Callable[[Sequence[Any], str, Sequence[int]], pa.RecordBatch]


@attrs.define(eq=False)
class Heard:
    """What was heard of a symbol since the last flush, and the last that was flushed.

    `wrong` is what no row could be made of the last time.
    """

    symbol: str
    kept: list[Any] = attrs.field(factory=list, init=False)
    received: list[int] = attrs.field(factory=list, init=False)
    flushed: Any = attrs.field(default=None, init=False)
    wrong: list[Any] = attrs.field(factory=list, init=False)

    @property
    def last(self) -> Any:
        """What was heard last; None if there is nothing yet."""
        return self.kept[-1] if self.kept else self.flushed

    def clear(self) -> None:
        """Forget all but the last."""
        self.flushed = self.last
        self.kept, self.received = [], []

    def sift(self, build: Build) -> list[str]:
        """Take out what no row can be made of, and return why."""
        kept, received = self.kept, self.received
        self.kept, self.received, self.wrong, why = [], [], [], []
        for each, at in zip(kept, received, strict=True):
            try:
                build([each], self.symbol, [at])
            except (DataError, MessageError) as error:
                self.wrong.append(each)
                why.append(str(error))
            else:
                self.kept.append(each)
                self.received.append(at)
        return why


def flush(heard: Iterable[Heard], build: Build) -> list[pa.RecordBatch]:
    """Return what was heard as rows, one symbol a batch, and forget it.

    MessageError where numbers or times are none: they are taken out, and what is left comes with
    the next call.
    """
    full = [each for each in heard if each.kept]
    if not full:
        return []
    # Built at once and then cut: the columns of a batch cost as much as those of some hundred rows.
    kept = [each for part in full for each in part.kept]
    received = [at for part in full for at in part.received]
    try:
        rows = build(kept, full[0].symbol, received)
    except (DataError, MessageError) as error:
        wrong = [why for part in full for why in part.sift(build)]
        raise MessageError("; ".join(wrong[:3]) or str(error)) from error
    place, batches, start = rows.schema.get_field_index("symbol"), [], 0
    for part in full:
        cut = rows.slice(start, len(part.kept))
        start += len(cut)
        symbol = word(part.symbol, len(cut))
        batches.append(cut.set_column(place, rows.schema.field(place), symbol))
        part.clear()
    return batches
