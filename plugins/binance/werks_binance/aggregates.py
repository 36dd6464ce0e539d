"""How aggregates are asked for: by id, or the first one since a time."""

from collections.abc import Iterator
from typing import Any

import attrs

from werks.components import Http, Request
from werks.schema import nanoseconds

from . import rest
from .records import Aggregate, columns, instant

_PATHS = {"spot": "/api/v3/aggTrades", "usdm": "/fapi/v1/aggTrades"}
PAGE = 1000
_WEIGHTS = {"spot": 4, "usdm": 20}
# USD-M gives two days, and no more than an hour at once where times are asked for.
REACH = 48 * 3_600_000 * rest.MS
_HOUR, _EVER = 3_600_000, 2**63 - 1


@attrs.frozen
class Aggregates:
    """The aggregates of one symbol, at one host."""

    host: rest.Host
    http: Http
    symbol: str
    size: int = PAGE

    def since(self, first: int) -> list[Aggregate]:
        """Return a page from an id on, in the order of the ids; USD-M takes no times beside it."""
        return self._asked(fromId=first, limit=self.size)

    def name(self, rows: list[Aggregate]) -> str:
        """Return the address that these rows can be had from."""
        return rest.name(self._request({"fromId": rows[0].id, "limit": self.size}))

    def first_since(self, start: int, until: int | None = None) -> Aggregate | None:
        """Return the first valid aggregate since a time (ns); on USD-M, before `until`."""
        for rows in self._entries(start // rest.MS, until):
            while rows:
                for row in rows:
                    if row.valid:
                        return row
                rows = self.since(rows[-1].id + 1)
        return None

    def _entries(self, start: int, until: int | None) -> Iterator[list[Aggregate]]:
        """Yield the rows that the exchange has from a time (ms) on, hour by hour on USD-M."""
        if self.host.market == "spot":
            yield self._window(start, None)
            return
        yield self._window(start, start + _HOUR - 1)
        newest = self._asked(limit=1)  # how far to look for one, and from where on
        if not newest:
            return
        last = instant(newest[-1])
        stop = last + 1 if until is None else min(until, last + 1)
        for hour in range(
            max(start + _HOUR, (last - REACH) // rest.MS), stop // rest.MS + 1, _HOUR
        ):
            yield self._window(hour, hour + _HOUR - 1)

    def _window(self, start: int, end: int | None) -> list[Aggregate]:
        query = {"startTime": start, "endTime": end, "limit": 1}
        rows = self._asked(**query)
        if rows:
            where = rest.name(self._request(query))
            found = nanoseconds(columns(rows, where)["timestamp"])  # an odd number is named, too
            stop = _EVER if end is None else (end + 1) * rest.MS
            rest.check_within(found, start * rest.MS, stop, where)
        return rows

    def _request(self, query: dict[str, Any]) -> Request:
        market = self.host.market
        return self.host.request(_PATHS[market], _WEIGHTS[market], {"symbol": self.symbol} | query)

    def _asked(self, **query: int | None) -> list[Aggregate]:
        rows: list[Aggregate] = rest.ask(self.http, self._request(query), list[Aggregate])
        return sorted(rows, key=lambda row: row.id)
