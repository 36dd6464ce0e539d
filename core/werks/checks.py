"""Minutes that differ from the exchange's candles, as a source of CHECK rows."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import timedelta
from typing import ClassVar

import attrs
import numpy as np
import pyarrow as pa

from .components import Continuity, Http, Stream, option
from .hookspecs import hookimpl
from .ledger import Difference, Ledger
from .schema import Scales, batch, schema, times, word

_DAY = 86_400 * 10**9


@attrs.frozen
class Checks:
    """What `verify` found: a row for each field of a minute that differs, out of a ledger.

    Nothing is asked of an exchange. All days are read anew by each run, since a window may have
    been compared, or repaired, after it was read.
    """

    exchange: str = option(help="the market whose windows were compared, for example sim")
    component: str = option(help="what was compared, for example sim.trades")
    state: str = option("werks.db", help="the ledger: a path or a database URL", secret=True)
    pipeline: str = option("pipeline", help="the name of the pipeline that was compared")

    schema: ClassVar[pa.Schema] = schema("CHECK", Scales(0, 0))
    continuity: ClassVar[Continuity] = "none"
    blind_spots: ClassVar[Sequence[str]] = ("windows that were never compared have no rows either",)
    reach: ClassVar[timedelta | None] = None
    off: ClassVar[str] = ""
    changes: ClassVar[bool] = True

    def read(
        self, http: Http, symbol: str, after: int | str, until: int
    ) -> Iterator[tuple[pa.RecordBatch, str]]:
        """Yield the differences of each day, oldest first."""
        begin = int(after)
        stream = Stream(self.exchange, symbol, self.component)
        with closing(Ledger(self.state, self.pipeline)) as ledger:
            found = ledger.differences()
        rows = [
            each
            for (of, _), days in sorted(found.items(), key=_day)
            if of == stream
            for each in days
            if begin <= each.minute < until
        ]
        if rows:
            yield self._rows(symbol, rows), str(rows[-1].minute + 1)

    def _rows(self, symbol: str, rows: Sequence[Difference]) -> pa.RecordBatch:
        texts = {
            name: [getattr(each, name) for each in rows]
            for name in ("field", "ours", "theirs", "reason")
        }
        return batch(
            self.schema,
            exchange=word(self.exchange, len(rows)),
            symbol=word(symbol, len(rows)),
            timestamp=times(np.array([each.minute for each in rows], np.int64)),
            **texts,
        )


def _day(item: tuple[tuple[Stream, object], object]) -> str:
    return str(item[0][1])


@hookimpl
def werks_histories() -> Mapping[str, type]:
    """Offer `checks`."""
    return {"checks": Checks}
