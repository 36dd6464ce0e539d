"""How BitMEX's REST interface is asked, what it answers, and what its refusals mean."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import attrs
import msgspec
import numpy as np

from werks.components import Http, RateLimit, Request
from werks.errors import (
    DataError,
    ExchangeError,
    MessageError,
    MissingError,
    RejectedError,
    UnavailableError,
)
from werks.wire import Times, iso, utc

HOST = "https://www.bitmex.com"
# Without a key 30 requests a minute; a key would have to be signed, and public data needs none.
LIMIT = RateLimit(30, 60.0, left="x-ratelimit-remaining")
MS = 1_000_000
_OK, _BANNED, _NOT_FOUND, _TOO_MANY, _SERVER = 200, 403, 404, 429, 500
_BAN = (
    "BitMEX refuses this address: for an hour or more after too many requests, or because of"
    " the country that it is in"
)


class _Reason(msgspec.Struct):
    message: str = ""


class _Refused(msgspec.Struct):
    error: _Reason


class _Known(msgspec.Struct):
    symbol: str


@attrs.frozen
class Table:
    """A table of one symbol that is read by time: its address, its query, the type of its rows."""

    rest_url: str
    path: str
    query: Mapping[str, str]
    kind: Any

    @property
    def url(self) -> str:
        """The address, which errors name."""
        return address(self.rest_url, self.path)

    @property
    def symbol(self) -> str:
        """The symbol that is asked for."""
        return self.query["symbol"]

    def rows(self, http: Http, since: int, **query: str) -> tuple[list[Any], Times]:
        """Return (rows, times) from a time on, as many as a page holds, oldest first.

        DataError names the row that is of another symbol or not in order.
        """
        rows = ask(http, self.url, {**self.query, **query, "startTime": stamp(since)}, self.kind)
        times = iso([row.timestamp for row in rows], self.url)
        for number, row in enumerate(rows, 1):
            if row.symbol != self.symbol:
                what = f"is of {row.symbol}, not of {self.symbol}: ask for {row.symbol}"
                raise DataError(f"{self.url}: row {number} {what}")
        late = np.flatnonzero(np.diff(times) < 0)
        if len(late):
            what = f"row {late[0] + 2} is older than the row above it"
            raise DataError(f"{self.url}: {what}: the rows are not oldest first")
        return rows, times

    def pages(self, http: Http, after: int | str) -> Iterator[tuple[list[Any], Times]]:
        """Yield (rows, times) page by page from a time or after a cursor, until there are no more.

        For tables in which no two rows have one time. RejectedError if there is no such symbol.
        """
        since = first = whole(after) if isinstance(after, int) else moment(after) + MS
        while True:
            rows, times = self.rows(http, since)
            if not rows:
                if since == first and isinstance(after, int):
                    self.demand(http)
                return
            if times[0] < since:
                what = f"rows from {stamp(since)} on were asked for, and {rows[0].timestamp} came"
                raise MessageError(f"{self.url}: {what}: the exchange repeats itself")
            yield rows, times
            since = int(times[-1]) + MS

    def demand(self, http: Http) -> None:
        """Raise RejectedError if BitMEX has no such symbol: it answers with no rows then."""
        url = address(self.rest_url, "instrument")
        if not ask(http, url, {"symbol": self.symbol, "count": "1"}, list[_Known]):
            raise RejectedError(f"{url}: BitMEX has no instrument {self.symbol}")


def address(rest_url: str, path: str) -> str:
    """Return where a table is."""
    return f"{rest_url.rstrip('/')}/api/v1/{path}"


def ask(http: Http, url: str, query: Mapping[str, str], kind: Any) -> Any:
    """Return the answer as data of a type; our errors where it is refused."""
    return http.json(Request(url, query, limit=LIMIT), kind, partial(refusal, url))


def stamp(time: int) -> str:
    """Return a time as BitMEX writes it, to the millisecond: 2019-05-03T12:00:09.576Z."""
    return utc(time).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def whole(time: int) -> int:
    """Return the first whole millisecond that is not before a time."""
    return -(-time // MS) * MS


def moment(text: str) -> int:
    """Return a time that BitMEX has written in nanoseconds; MessageError if it is none."""
    return int(iso([text], "cursor")[0])


def refusal(url: str, status: int, body: bytes) -> ExchangeError | None:
    """Return the error that BitMEX's own words mean; None where the status says it all."""
    if status == _TOO_MANY or (status == _OK and not body.startswith(b'{"error"')):
        return None  # with 429 a header says how long to wait
    try:
        said = msgspec.json.decode(body, type=_Refused).error.message
    except (msgspec.DecodeError, UnicodeDecodeError):
        said = ""
    if status == _BANNED:
        return RejectedError(f"{url}: {said or 'refused'} (HTTP 403): {_BAN}")
    if not said:
        return None
    kinds: dict[int, type[ExchangeError]] = {_NOT_FOUND: MissingError}
    kind = UnavailableError if status >= _SERVER else kinds.get(status, RejectedError)
    return kind(f"{url}: {said} (HTTP {status})")
