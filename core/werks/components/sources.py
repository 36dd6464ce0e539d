"""What a source has to offer, by its door: published files, a REST interface, a list."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from typing import BinaryIO, ClassVar, Literal, Protocol, runtime_checkable

import pyarrow as pa

from .plain import Continuity, File
from .web import Http


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
    #   recognises(path) -> File | None    which file lies at a path (with /, of a copy on disk), by
    #       its name and its folders as far as they tell; None if it is none of this door's. Where
    #       `symbols` is empty, `read` without symbols yields all that are in the file


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

    # Optional, used where they are there, for what stands beside live bars:
    #   settled: timedelta   how long after its time a row may still come
    #   every: timedelta     rows lie at whole multiples of it, so that nothing comes in between


class Candles(History, Protocol):
    """The exchange's own candles; what they are made of, so that they can be compared with ours.

    `timestamp` is the candle's start, whatever the exchange labels it by; `volume` is in base and
    `notional` in quote, null where the exchange states none. A candle that ends after `until` is
    left out: it is running, and comes from the cursor later.
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
