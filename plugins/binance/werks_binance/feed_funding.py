"""The funding rates of USD-M at the times when they are paid, out of the mark price's stream."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, ClassVar, Literal

import attrs
import msgspec
import pyarrow as pa

from werks.components import Continuity, Http, RateLimit, option
from werks.schema import RATE_SCALE, schema, times
from werks.wire import Times, decimals, epoch

from . import days, feed, rest

_MS_A_SECOND = 1000


class Mark(
    msgspec.Struct,
    gc=False,
    tag_field="e",
    tag="markPriceUpdate",
    rename={"symbol": "s", "time": "E", "rate": "r", "due": "T"},
):
    """The payload of @markPrice; `due` is when the rate will be paid, 0 for dated futures."""

    symbol: str
    time: int
    rate: str
    due: int


class Frame(msgspec.Struct, gc=False):
    """A frame of @markPrice."""

    data: Mark


@attrs.frozen
class Payment:
    """A rate that was due, with the seconds since the payment before if that is known."""

    symbol: str
    rate: str
    due: int
    interval: int | None


@attrs.frozen
class FundingFeed:
    """The funding rates of USD-M, each when it is paid: the last one that was stated before.

    A row comes once the next payment is announced. The interval is known from the second payment
    of a connection on; the mark price at the payment is not stated here.
    """

    market: Literal["usdm"] = option("usdm", help="usdm (USD-M futures): spot has none")
    ws_url: str = option("", help=feed.URL_HELP, identity=False)

    exchange: ClassVar[str] = days.EXCHANGES["usdm"]
    schema: ClassVar[pa.Schema] = schema("FUNDING", days.SCALES)
    continuity: ClassVar[Continuity] = "none"
    ping: ClassVar[None] = None
    most_symbols: ClassVar[int] = feed.MOST
    sends_per_second: ClassVar[float] = feed.SENDS
    stale_after: ClassVar[float] = feed.STALE
    connects: ClassVar[RateLimit] = feed.CONNECTS
    connection_lifetime: ClassVar[timedelta] = feed.LIFETIME
    disorder: ClassVar[timedelta] = timedelta(0)
    blind_spots: ClassVar[Sequence[str]] = (
        feed.SILENCE,
        "a payment while there was no connection does not come here",
        "that the rate which is paid is the last one stated before is not documented",
    )

    @property
    def url(self) -> str:
        """Where to connect to."""
        return feed.address(self.market, self.ws_url, "market")

    def converse(self, http: Http, symbols: Sequence[str]) -> feed.Conversation:
        """Return what is said on one new connection for these symbols."""
        channel = feed.Channel(
            self.url, "markPrice@1s", Frame, self.exchange, self.schema, _columns, _payments()
        )
        return feed.Conversation(tuple(symbols), channel)


def _payments() -> Callable[[list[Any], list[int]], tuple[list[Any], list[int]]]:
    """Return what makes payments of marks, and remembers the last mark of each symbol."""
    known: dict[str, Mark] = {}
    paid: dict[str, int] = {}

    def chosen(heard: list[Any], received: list[int]) -> tuple[list[Any], list[int]]:
        found: list[Any] = []
        moments: list[int] = []
        for mark, moment in zip(heard, received, strict=True):
            before = known.get(mark.symbol)
            if before is not None and before.due < mark.due:
                last = paid.get(mark.symbol)
                span = None if last is None else (before.due - last) // _MS_A_SECOND
                found.append(Payment(mark.symbol, before.rate, before.due, span))
                moments.append(moment)
                paid[mark.symbol] = before.due
            if mark.due > mark.time:  # at the payment, and for a future, no rate is announced
                known[mark.symbol] = mark
        return found, moments

    return chosen


def _columns(rows: Sequence[Any], received: Times, name: str) -> dict[str, Any]:
    return {
        "timestamp": times(epoch([row.due for row in rows], rest.MS, name)),
        "rate": decimals([row.rate for row in rows], RATE_SCALE, name, "rate"),
        "interval": pa.array([row.interval for row in rows], pa.int64()),
    }
