"""The exchange's REST interface: what it answers, as functions of a query."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from functools import partial
from typing import Any

import attrs
import numpy as np

from werks import amounts
from werks.errors import MissingError

from .exchange import Exchange, spelt, table
from .market import MARKETS, MICROSECONDS, START, Draws, Ints, Tape

Query = Mapping[str, str]
Answer = tuple[int, bytes, Mapping[str, str]]
Rows = list[dict[str, Any]]

MOST = 1000
LENGTHS = {"1m": 60 * MICROSECONDS, "5m": 300 * MICROSECONDS, "1h": 3600 * MICROSECONDS}
_DAY, _DAY_LONG = timedelta(days=1), 86_400 * MICROSECONDS
_EPOCH = date(1970, 1, 1)


def answers(exchange: Exchange) -> dict[str, Callable[[Query], Answer]]:
    """Return what is answered at each path; `werks.testing.Loopback.answer` serves it."""
    made = {"trades": trades, "candles": candles, "interest": interest, "instruments": instruments}
    return {f"/{name}": partial(_answer, exchange, page) for name, page in made.items()}


def _answer(exchange: Exchange, page: Callable[[Exchange, Query], Rows], query: Query) -> Answer:
    try:
        said: Any = {"rows": page(exchange, query)}
        status = 200
    except MissingError as error:
        said, status = {"error": "no_such_market", "reason": str(error)}, 400
    return status, json.dumps(said).encode(), {}


def trades(exchange: Exchange, query: Query) -> Rows:
    """Return a page of trades, oldest first: `symbol`, `limit`, and `start` (µs) or `after`.

    `after` is the id of a trade that the page follows. A page ends where a day ends.
    """
    if "after" in query:
        first = int(query["after"]) + 1
        day = exchange.day_of(query["symbol"], first)
        tape = exchange.tape(query["symbol"], day)
        begin = first - int(tape.ids[0])
    else:
        day, tape = _tape(exchange, query)
        begin = int(np.searchsorted(tape.times, int(query["start"])))
    while day in exchange.lost_days or begin == len(tape):
        day, begin = day + _DAY, 0
        tape = exchange.tape(query["symbol"], day)
    return spelt(table(tape).slice(begin, _limit(query)))


def candles(exchange: Exchange, query: Query) -> Rows:
    """Return a page of candles, oldest first: `symbol`, `interval`, `limit`, `start` (µs).

    They are made of all trades, those of lost days too; where there were none, there is no candle.
    A page ends where a day ends.
    """
    length = LENGTHS[query["interval"]]
    day, tape = _tape(exchange, query)
    if int(query["start"]) > tape.times[-1] // length * length:
        tape = exchange.tape(query["symbol"], day + _DAY)
    return _page(_candles(tape, length), query)


def _candles(tape: Tape, length: int) -> dict[str, Sequence[Any]]:
    starts = tape.times // length * length
    first = np.flatnonzero(np.diff(starts, prepend=-1))
    last = np.append(first[1:], len(tape)) - 1
    price, size = tape.market.price_digits, tape.market.size_digits
    return {
        "time": starts[first].tolist(),
        "open": _texts(tape.prices[first], price),
        "high": _texts(np.maximum.reduceat(tape.prices, first), price),
        "low": _texts(np.minimum.reduceat(tape.prices, first), price),
        "close": _texts(tape.prices[last], price),
        "volume": _texts(np.add.reduceat(tape.sizes, first), size),
        "turnover": _texts(np.add.reduceat(tape.prices * tape.sizes, first), price + size),
        "trades": (last - first + 1).tolist(),
    }


def interest(exchange: Exchange, query: Query) -> Rows:
    """Return a page of open interest, a value each five minutes: `symbol`, `limit`, `start` (µs).

    A page ends where a day ends; a day's values lead on to those of the next.
    """
    day, tape = _tape(exchange, query)
    step = LENGTHS["5m"]
    midnight = (day - _EPOCH).days * _DAY_LONG
    if int(query["start"]) > midnight + _DAY_LONG - step:
        day, midnight = day + _DAY, midnight + _DAY_LONG
    draws = Draws(exchange.seed, query["symbol"], (day - START).days)
    places = np.arange(_DAY_LONG // step)
    opened, closed = (_level(attrs.evolve(draws, day=draws.day + n)) for n in (0, 1))
    lots = opened + (closed - opened) * places // len(places)
    lots += draws.below("interest", len(places), 2000)
    sizes = _texts(lots * tape.market.size, tape.market.size_digits)
    return _page({"time": (midnight + step * places).tolist(), "amount": sizes}, query)


def _level(draws: Draws) -> int:
    return 1_000_000 + int(draws.below("level", 1, 500_000)[0])


def instruments(exchange: Exchange, query: Query) -> Rows:
    """Return all markets; a query is not needed."""
    return [
        {
            "symbol": symbol,
            "base": symbol.removesuffix("USD"),
            "quote": "USD",
            "status": "trading",
            "tick": str(amounts.decimal(1, each.price_digits)),
            "lot": str(amounts.decimal(each.size, each.size_digits)),
            "listed": (START - _EPOCH).days * _DAY_LONG,
        }
        for symbol, each in MARKETS.items()
    ]


def _tape(exchange: Exchange, query: Query) -> tuple[date, Tape]:
    """Return the day that a query begins on, and its trades; the market begins with 2024."""
    day = max(START, _EPOCH + timedelta(microseconds=int(query["start"])))
    return day, exchange.tape(query["symbol"], day)


def _page(columns: Mapping[str, Sequence[Any]], query: Query) -> Rows:
    """Return rows from the time that is asked for, as many as are asked for."""
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return [row for row in rows if row["time"] >= int(query["start"])][: _limit(query)]


def _limit(query: Query) -> int:
    return min(MOST, int(query.get("limit", MOST)))


def _texts(values: Ints, digits: int) -> list[str]:
    """Return whole numbers of the last digit as decimals in text."""
    return [str(amounts.decimal(value, digits)) for value in values.tolist()]
