"""Open interest and funding of Bybit's contracts, out of the tickers."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar, Literal

import attrs
import msgspec
import pyarrow as pa

from werks.components import Continuity, Http, RateLimit, option
from werks.schema import RATE_SCALE, schema, times
from werks.wire import Times, decimals, epoch

from . import feed
from .interest import _INTERVALS
from .rest import CONTRACT_HELP, MS, Contract
from .trades import SCALES

_MINUTE_MS = 60_000


class Ticker(msgspec.Struct, gc=False, rename="camel"):
    """What of a ticker is wanted; what has not changed is left out, what is not known is empty."""

    symbol: str
    open_interest: str = ""
    funding_rate: str = ""
    next_funding_time: str = ""


class Message(msgspec.Struct, gc=False):
    """A message of tickers."""

    topic: str
    type: Literal["snapshot", "delta"]
    ts: int
    data: Ticker


class Value(msgspec.Struct, gc=False):
    """An open interest, or a rate, at a time in milliseconds."""

    symbol: str
    time: int
    text: str


@attrs.frozen
class _Turns:
    """The open interest of each symbol, told at each turn of an interval."""

    length: int
    known: dict[str, Value] = attrs.field(factory=dict)

    def take(self, message: Message) -> Sequence[Value]:
        """Return the open interest at the turn that lies between this ticker and the one before."""
        ticker, found = message.data, []
        before = self.known.get(ticker.symbol)
        if before is not None and before.time // self.length < message.ts // self.length:
            turn = message.ts // self.length * self.length
            exact = ticker.open_interest if turn == message.ts else ""
            found = [Value(ticker.symbol, turn, exact or before.text)]
        text = ticker.open_interest or (before.text if before is not None else "")
        if text:
            self.known[ticker.symbol] = Value(ticker.symbol, message.ts, text)
        return found


@attrs.frozen
class _Payments:
    """The rate of each symbol that will be paid next, told once it is paid."""

    known: dict[str, Value] = attrs.field(factory=dict)

    def take(self, message: Message) -> Sequence[Value]:
        """Return the payment if the next one has been announced."""
        ticker, found = message.data, []
        due = int(ticker.next_funding_time or 0)
        before = self.known.get(ticker.symbol)
        if before is not None and due > before.time:
            found = [before]
        due = due or (before.time if before is not None else 0)
        rate = ticker.funding_rate or (before.text if before is not None else "")
        if due > message.ts and rate:  # dated futures have neither; at the payment a new one begins
            self.known[ticker.symbol] = Value(ticker.symbol, due, rate)
        return found


@attrs.frozen
class OpenInterestFeed:
    """The open interest of Bybit's contracts, both sides added up, at each turn of an interval.

    That of linear contracts is in base (`open_interest`), that of inverse ones in US dollars
    (`open_interest_notional`). It is the last one stated before the turn.
    """

    market: Contract = option("linear", help=CONTRACT_HELP)
    interval: Literal["5m", "15m", "30m", "1h", "4h", "1d"] = option(
        "5m", help="how far apart the values are"
    )
    ws_url: str = option("", help=feed.URL_HELP, identity=False)

    schema: ClassVar[pa.Schema] = schema("OPEN_INTEREST", SCALES)
    continuity: ClassVar[Continuity] = "none"
    ping: ClassVar[tuple[str, float]] = feed.PING
    most_symbols: ClassVar[int] = feed.MOST
    sends_per_second: ClassVar[float] = feed.SENDS
    stale_after: ClassVar[float] = feed.STALE
    connects: ClassVar[RateLimit] = feed.CONNECTS
    connection_lifetime: ClassVar[timedelta | None] = None
    disorder: ClassVar[timedelta] = timedelta(0)
    blind_spots: ClassVar[Sequence[str]] = (
        "Bybit adds up both sides: halve it to compare it with an exchange that counts one",
        "that the value by REST is that of the tickers at the turn is unverified",
        "a turn while there was no connection does not come here",
    )

    @property
    def exchange(self) -> str:
        """`bybit-linear` or `bybit-inverse`."""
        return f"bybit-{self.market}"

    @property
    def url(self) -> str:
        """Where to connect to."""
        return feed.address(self.market, self.ws_url)

    def converse(self, http: Http, symbols: Sequence[str]) -> feed.Conversation:
        """Return what is said on one new connection for these symbols."""
        turns = _Turns(_INTERVALS[self.interval][1] * _MINUTE_MS)
        channel = feed.Channel(
            url=self.url,
            name="tickers",
            message=Message,
            take=turns.take,
            exchange=self.exchange,
            schema=self.schema,
            columns=self._columns,
        )
        return feed.Conversation(tuple(symbols), channel)

    def _columns(self, rows: Sequence[Any], received: Times, name: str) -> dict[str, Any]:
        base = self.market == "linear"
        scale = SCALES.size if base else SCALES.notional
        values = decimals([row.text for row in rows], scale, name, "openInterest")
        return {
            "timestamp": times(epoch([row.time for row in rows], MS, name)),
            "open_interest" if base else "open_interest_notional": values,
        }


@attrs.frozen
class FundingFeed:
    """The funding rates of Bybit's perpetual contracts, each when it is paid.

    It is the last rate that was stated before, and comes once the next payment is announced.
    """

    market: Contract = option("linear", help=CONTRACT_HELP)
    ws_url: str = option("", help=feed.URL_HELP, identity=False)

    schema: ClassVar[pa.Schema] = schema("FUNDING", SCALES)
    continuity: ClassVar[Continuity] = "none"
    ping: ClassVar[tuple[str, float]] = feed.PING
    most_symbols: ClassVar[int] = feed.MOST
    sends_per_second: ClassVar[float] = feed.SENDS
    stale_after: ClassVar[float] = feed.STALE
    connects: ClassVar[RateLimit] = feed.CONNECTS
    connection_lifetime: ClassVar[timedelta | None] = None
    disorder: ClassVar[timedelta] = timedelta(0)
    blind_spots: ClassVar[Sequence[str]] = (
        "that the rate which is paid is the last one stated before is unverified",
        "a payment while there was no connection does not come here",
    )

    @property
    def exchange(self) -> str:
        """`bybit-linear` or `bybit-inverse`."""
        return f"bybit-{self.market}"

    @property
    def url(self) -> str:
        """Where to connect to."""
        return feed.address(self.market, self.ws_url)

    def converse(self, http: Http, symbols: Sequence[str]) -> feed.Conversation:
        """Return what is said on one new connection for these symbols."""
        channel = feed.Channel(
            url=self.url,
            name="tickers",
            message=Message,
            take=_Payments().take,
            exchange=self.exchange,
            schema=self.schema,
            columns=_rates,
        )
        return feed.Conversation(tuple(symbols), channel)


def _rates(rows: Sequence[Any], received: Times, name: str) -> dict[str, Any]:
    return {
        "timestamp": times(epoch([row.time for row in rows], MS, name)),
        "rate": decimals([row.text for row in rows], RATE_SCALE, name, "fundingRate"),
    }
