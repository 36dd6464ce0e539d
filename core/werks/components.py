"""What a plugin's classes must offer: protocols to satisfy, nothing to inherit.

A component is a frozen attrs class. Its fields are the options that a user may set in the pipeline
file, declared with `option`; its docstring is its help. Creating one does no I/O.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from datetime import date, timedelta
from typing import Any, BinaryIO, ClassVar, Literal, Protocol, runtime_checkable

import attrs
import pyarrow as pa

from .errors import ExchangeError

Seam = Literal["day", "never"]
Continuity = Literal["contiguous", "increasing", "unique", "none"]
State = dict[str, Any]
Receipt = dict[str, Any]


def option(
    default: Any = attrs.NOTHING,
    *,
    help: str,  # noqa: A002  (the word that every command-line tool uses)
    identity: bool = True,
    secret: bool = False,
    validator: Any = None,
) -> Any:
    """Declare an option of a component.

    `help` is one sentence for `werks describe`. An option with `identity=False` (a URL, a number of
    workers) does not change the rows, so changing it redoes nothing. A secret is never printed.
    """
    metadata = {"help": help, "identity": identity and not secret, "secret": secret}
    return attrs.field(
        default=default, metadata=metadata, repr=not secret, validator=validator, kw_only=True
    )


@attrs.frozen
class Stream:
    """One market's rows of one component, for example (bybit-inverse, BTCUSD, bybit.trades)."""

    exchange: str
    symbol: str
    component: str

    def __str__(self) -> str:
        return f"{self.exchange} {self.symbol}"


@attrs.frozen
class Window:
    """A whole UTC day of one stream; `day=None` is the remainder that is still open."""

    exchange: str
    symbol: str
    day: date | None

    @property
    def name(self) -> str:
        """The day as YYYY-MM-DD, or `open`."""
        return self.day.isoformat() if self.day else "open"


@attrs.frozen
class File:
    """A published file: a day, a month, of one symbol or of many.

    `start` and `stop` are the days that it covers, `stop` exclusive. `checksum` is
    `sha256:<hex>` or the URL of a file that holds one, empty where none is published.
    """

    url: str
    start: date
    stop: date
    symbols: tuple[str, ...]
    checksum: str = ""

    @property
    def name(self) -> str:
        """The last part of the URL."""
        return self.url.rsplit("/", 1)[-1]


@attrs.frozen
class RateLimit:
    """What an exchange lets one address ask for: so many weights within so many seconds.

    `used` and `left` name the headers, if there are any, in which answers say how many weights of
    the running interval are used or left.
    """

    weights: float
    seconds: float
    used: str = ""
    left: str = ""


@attrs.frozen
class Request:
    """A GET: its address, its query, and what it weighs against the limit of its host.

    Headers may hold a key: they are never printed.
    """

    url: str
    query: Mapping[str, str] = attrs.field(factory=dict)
    weight: float = 1.0
    limit: RateLimit | None = None
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)


# What an answer (HTTP status, body) means by the exchange's own words: an error to raise
# (UnavailableError and RateLimitError are tried again), or None where the status says it all.
Refusal = Callable[[int, bytes], ExchangeError | None]


class Http(Protocol):
    """What a plugin may ask of the core's HTTP client; it throttles, retries, raises our errors."""

    def text(self, url: str, **query: str) -> str:
        """Return the body of a GET as text; MissingError where there is nothing."""
        ...

    def json(self, request: Request, kind: Any, refusal: Refusal | None = None) -> Any:
        """Return the answer as data of a type that msgspec knows: structs, lists, Decimal, Raw.

        MessageError if it is not JSON of that type; such an answer is kept aside as it came.
        """
        ...


@runtime_checkable
class Source(Protocol):
    """What every door of an exchange states, as attributes or properties, never as options."""

    @property
    def exchange(self) -> str:
        """The market's name: `bitmex`, `bybit-linear`, …."""
        ...

    @property
    def schema(self) -> pa.Schema:
        """The schema of the rows, with the market's scales."""
        ...

    @property
    def continuity(self) -> Continuity:
        """What trade ids prove: only `contiguous` ids prove that nothing is missing."""
        ...

    @property
    def blind_spots(self) -> Sequence[str]:
        """What cannot be proven here, in words."""
        ...


class Archive(Source, Protocol):
    """A door that reads published files. `lag` is how long after its day a file may come out."""

    lag: ClassVar[timedelta]

    def files(self, symbols: Sequence[str], start: date, stop: date, http: Http) -> Iterable[File]:
        """Yield the files that are published for these symbols and days, `stop` exclusive."""
        ...

    def read(
        self, file: File, stream: BinaryIO, symbols: Sequence[str]
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a decompressed file in the file's order, one symbol a batch."""
        ...

    # Optional, used where they are there:
    #   content(file) -> Iterable[bytes]   the bytes of a file that lies neither on HTTP nor on disk
    #   known_missing: Mapping[date, str]  days that were never published, with the reason


class History(Source, Protocol):
    """A door that asks a REST interface for the past of one symbol, oldest first."""

    @property
    def reach(self) -> timedelta | None:
        """How far back it goes from now; None: to the very beginning."""
        ...

    @property
    def off(self) -> str:
        """Why the door cannot be used as it is configured (no key is set); empty if it can."""
        ...

    def read(
        self, http: Http, symbol: str, after: int | str, until: int
    ) -> Iterator[tuple[pa.RecordBatch, str]]:
        """Yield (rows, cursor) page by page, from a time or after a cursor, to before `until`.

        Times are in nanoseconds since 1970, UTC. All rows from `after` to `until` must come, some
        before and behind them may; a page may repeat rows of the page before, and no row may be
        skipped where several have one time at a page's edge. A cursor is opaque text: given as
        `after`, it goes on with the rows behind its page. It ends when the exchange has no more.
        """
        ...


class Candles(History, Protocol):
    """The exchange's own candles; what they are made of, so that they can be compared with ours.

    `timestamp` is the candle's start, whatever the exchange labels it by; `volume` is in base and
    `notional` in quote, null where the exchange states none. The running candle is left out.
    """

    interval: str

    @property
    def opens(self) -> Literal["first", "previous"]:
        """Whether `open` is the first trade's price or the close of the candle before."""
        ...

    @property
    def empty(self) -> Literal["omit", "carry"]:
        """Whether a minute without trades has no candle, or one at the last close."""
        ...

    @property
    def settled(self) -> timedelta:
        """How long after its end a candle may still change."""
        ...


class Snapshot(Source, Protocol):
    """A door that reads a whole list as it is now, for example of all instruments."""

    def read(self, http: Http) -> pa.RecordBatch:
        """Return the list; `timestamp` may be null in every row, the core sets it."""
        ...


class Step(Protocol):
    """A transform at work on one stream: rows in, rows out; no clock, no I/O."""

    def push(self, batch: pa.RecordBatch, node: str) -> Iterable[pa.RecordBatch]:
        """Take rows of an input node, oldest first, and yield the rows that they complete."""
        ...

    def advance(self, time: int) -> Iterable[pa.RecordBatch]:
        """Take note that all rows before `time` (ns since 1970, UTC) have been pushed."""
        ...

    def cut(self) -> Iterable[pa.RecordBatch]:
        """Take note that rows are missing here: close what must not run across the gap."""
        ...

    def flush(self) -> Iterable[pa.RecordBatch]:
        """Yield the rows that are still open, as they stand; `state` must be taken before."""
        ...

    def state(self) -> State:
        """Return all that is carried, as plain data that JSON can hold."""
        ...


class Transform(Protocol):
    """Rows in, rows out. `seam` is `day` where nothing is carried over midnight, else `never`."""

    @property
    def seam(self) -> Seam:
        """Whether the node, as it is configured, carries state over midnight."""
        ...

    def output(self, schemas: Mapping[str, pa.Schema]) -> pa.Schema:
        """Return the schema of the rows out; ConfigError if an input cannot be taken."""
        ...

    def start(self, schemas: Mapping[str, pa.Schema], state: State | None) -> Step:
        """Return a step for one stream, fresh or going on from a state."""
        ...


class Writer(Protocol):
    """A sink at work: takes the rows of all its nodes; nothing is visible before `commit`."""

    def write(self, window: Window, node: str, batch: pa.RecordBatch) -> None:
        """Take rows of a node for a window (or for the open remainder, `window.day` None)."""
        ...

    def commit(self, window: Window, nodes: Sequence[str]) -> Receipt:
        """Put what was written for the window in place of what was there; return the receipt.

        `nodes` are all that were written or might have been: one without rows is emptied. The open
        remainder (`window.day` None) is committed by itself. The receipt has an entry a node.
        """
        ...

    def abort(self) -> None:
        """Throw away what was written and not committed."""
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...


class Sink(Protocol):
    """A place for rows. `replaces` is whether a window that is written again replaces the first."""

    replaces: ClassVar[bool]

    def open(self, schemas: Mapping[str, pa.Schema]) -> Writer:
        """Return a writer for these nodes; SinkError if the place cannot be written to."""
        ...

    def holds(self, window: Window, node: str, receipt: Receipt) -> bool:
        """Tell whether what the receipt says of a node is still there."""
        ...


class ExecutorChoice(Protocol):
    """A way to run tasks; `executor` is asked for a `concurrent.futures.Executor` once a run."""

    def executor(self, workers: int) -> Executor:
        """Return an executor that runs up to `workers` tasks side by side."""
        ...
