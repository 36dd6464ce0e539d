"""The funding rates of Bitfinex's derivatives."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import ClassVar

import attrs
import numpy as np
import pyarrow as pa
from attrs.validators import and_, ge, le

from werks.components import Continuity, Http, option
from werks.errors import DataError
from werks.schema import RATE_SCALE, batch, schema, times, word
from werks.wire import decimals, epoch

from . import rest
from .status import MOST, Status, pages

_SCHEMA = schema("FUNDING", rest.SCALES)
_EVERY = 8 * 3_600_000
# How much earlier than a turn a row may already tell of the one behind it.
_EARLY = 60_000


@attrs.frozen
class Funding:
    """The funding of derivatives such as tBTCF0:USTF0, at the turn of each eight hours.

    A status states the funding that is applied in the eight hours that are running, and when they
    end: the row stands at their beginning.
    """

    page_size: int = option(
        MOST,
        help=f"rows of status to ask for at once, {MOST} at most",
        identity=False,
        validator=and_(ge(1), le(MOST)),
    )
    rest_url: str = option(rest.URL, help=rest.URL_HELP, identity=False)

    exchange: ClassVar[str] = rest.EXCHANGE
    schema: ClassVar[pa.Schema] = _SCHEMA
    continuity: ClassVar[Continuity] = "none"
    reach: ClassVar[timedelta | None] = None
    off: ClassVar[str] = ""
    blind_spots: ClassVar[Sequence[str]] = (
        "that funding is applied each eight hours, and the current one since the last turn, is not"
        " in the rows (unverified); one that tells of a turn farther away is an error",
        "eight hours in which no status was taken have no row",
        "rates are rounded to 18 digits; the mark price at the turn is not stated",
    )

    def read(
        self, http: Http, symbol: str, after: int | str, until: int
    ) -> Iterator[tuple[pa.RecordBatch, str]]:
        """Yield (rates, cursor) page by page; pages without a turn are passed over.

        The cursor is the time of the next row of status and the last turn that was given, in ms.
        """
        start, known = max(-(-after // rest.MS), 0) if isinstance(after, int) else 0, 0
        if isinstance(after, str):
            start, known = (int(part) for part in after.split(":"))
        span = (start, -(-until // rest.MS))
        for found, asked in pages(http, self.rest_url, symbol, self.page_size, span):
            fresh = turns(found, known, rest.name(asked))
            if fresh:
                known = max(fresh)
                yield (
                    rows(list(fresh.items()), symbol, rest.name(asked)),
                    f"{found[-1].time + 1}:{known}",
                )


def turns(found: Sequence[Status], known: int, name: str) -> dict[int, Status]:
    """Return the first status behind each turn that is later than the one that is known."""
    fresh: dict[int, Status] = {}
    for row, each in enumerate(found, 1):
        if each.next_funding is None or each.current_funding is None:
            continue
        if each.next_funding <= each.time:  # it does not tell yet what comes behind the turn
            continue
        turn = each.next_funding - _EVERY
        if turn > each.time + _EARLY:
            what = f"funding at {each.next_funding} is more than eight hours away"
            raise DataError(f"{name}: row {row}, oldest first: {what}: update the plugin")
        if turn > known:
            fresh.setdefault(turn, each)
            known = turn
    return fresh


def rows(
    found: Sequence[tuple[int, Status]],
    symbol: str,
    name: str,
    received: Sequence[int] | None = None,
) -> pa.RecordBatch:
    """Return the rates at turns, in ms; `received` is when they were heard."""
    rates = [each.current_funding for _, each in found]
    return batch(
        _SCHEMA,
        exchange=word(rest.EXCHANGE, len(found)),
        symbol=word(symbol, len(found)),
        timestamp=times(epoch([turn for turn, _ in found], rest.MS, name)),
        received=None if received is None else times(np.array(received, np.int64)),
        rate=decimals(rates, RATE_SCALE, name, "current funding", True),
        interval=pa.array([_EVERY // 1000] * len(found), pa.int64()),
    )
