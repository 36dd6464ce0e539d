"""The words that doors, transforms and sinks share: streams, windows, files."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Literal

import attrs

Seam = Literal["day", "never"]
Continuity = Literal["contiguous", "increasing", "unique", "none"]
State = dict[str, Any]
Receipt = dict[str, Any]


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
class Proof:
    """What the rows of a node in a window must be: how many, from where to where, sums, a hash.

    Sums are exact decimal text, by column. Ids are null where rows have none, or where there are
    no rows. The hash covers every column and the order, whatever batches the rows came in.
    """

    rows: int
    first_id: str | None
    last_id: str | None
    sums: Mapping[str, str]
    hash: str


def _text(file: "File", field: "attrs.Attribute[str]", value: Any) -> None:
    if not isinstance(value, str) or not (value or field.name == "checksum"):
        raise TypeError(f"a File's {field.name} is text, not {value!r}")


def _day(file: "File", field: "attrs.Attribute[date]", value: Any) -> None:
    # A datetime is a date, too, but cannot be compared with one.
    if not isinstance(value, date) or isinstance(value, datetime):
        raise TypeError(f"{file.url}: {field.name} of a File is a date, not {value!r}")


def _symbols(file: "File", field: "attrs.Attribute[tuple[str, ...]]", value: Any) -> None:
    # One look at each type that there is: a file may have thousands of symbols.
    if not isinstance(value, tuple) or not all(
        issubclass(kind, str) for kind in {*map(type, value)}
    ):
        raise TypeError(f"{file.url}: symbols of a File are a tuple of texts, not {value!r:.80}")


@attrs.frozen
class File:
    """A published file: a day, a month, of one symbol or of many.

    `start` and `stop` are the days that it covers, `stop` exclusive. Where a zip holds several
    files, the one that is meant stands behind a # in `url`. `checksum` is `sha256:<hex>` or the
    URL of a file that holds one, empty where none is published.
    """

    url: str = attrs.field(validator=_text)
    start: date = attrs.field(validator=_day)
    stop: date = attrs.field(validator=_day)
    symbols: tuple[str, ...] = attrs.field(validator=_symbols)
    checksum: str = attrs.field(default="", validator=_text)

    def __attrs_post_init__(self) -> None:
        if self.stop < self.start:
            raise ValueError(f"{self.url}: stop of a File is {self.stop}, before its start")

    @property
    def name(self) -> str:
        """The last part of the URL."""
        return self.url.rsplit("/", 1)[-1]
