"""Random but valid streams of trades for hypothesis, and transforms at work on rows."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from fractions import Fraction
from itertools import islice, pairwise
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from ..amounts import column, from_ints
from ..components import State, Step, Transform
from ..schema import Scales, batch, kind, nanoseconds, schema, times, word
from ..transforms.aggregate import Aggregate
from ..transforms.columns import DAY, on_book
from ..transforms.filter import Filter

__all__ = [
    "DAY",
    "NODE",
    "SUMS",
    "Work",
    "cuts",
    "days",
    "difference",
    "equal",
    "inputs",
    "midnight",
    "nanosecond",
    "plain",
    "sound",
    "streams",
    "totals",
    "trades",
]

NODE = "rows"
Row = Mapping[str, Any]

_SECOND, _MINUTE = 10**9, 60 * 10**9
# Rows that are cut one by one, now and then.
_FEW = 12
# What lies between trades: nanoseconds to wait, then a border to go on to, or to 1 ns before it.
_WAITS = (*(0,) * 8, 1, 1_000, 10**6, 20 * _SECOND, _MINUTE, 11 * _MINUTE, 240 * _MINUTE)
_LONG_WAITS = (DAY, 3 * DAY, 9 * DAY)
_BORDERS = (*(None,) * 12, (_MINUTE, 0), (_MINUTE, 1), (DAY, 0), (DAY, 1))
_PRICES = (1, 829_750, 829_751, 829_800, 10**13 + 7, 3 * 10**19)
_SIZES = (1, 7, 100, 10**8, 12_345_678_901, 10**15)
_SIDES = (1, 1, 1, -1, -1, -1, 0)
_FLAGS = (*(None,) * 9, "off_book", "off_book", "block", "rpi", "liquidation")
_STARTS = tuple(
    int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * _SECOND
    for text in ("2024-02-29T23:59:30", "2024-03-03T12:00:00", "2024-12-31T23:50:01")
)


def trades(rows: Sequence[Row], scales: Scales) -> pa.RecordBatch:
    """Return TRADE rows: `time` in nanoseconds, `price` and `size` as integers in their scales.

    `tick_rule` (1), `trade_id` (counted from 1), `received` (null) and `flag` (null) may be left
    out; notional = price × size.
    """
    price, size = ([row[name] for row in rows] for name in ("price", "size"))
    notional = [one * other for one, other in zip(price, size, strict=True)]
    return batch(
        schema("TRADE", scales),
        exchange=word("bazaar", len(rows)),
        symbol=word("XBTUSD", len(rows)),
        timestamp=times(np.array([row["time"] for row in rows], np.int64)),
        received=pa.array([row.get("received") for row in rows], pa.int64()).view(
            schema("TRADE", scales).field("received").type
        ),
        trade_id=[row.get("trade_id", str(number)) for number, row in enumerate(rows, 1)],
        tick_rule=[row.get("tick_rule", 1) for row in rows],
        price=_amounts(price, scales.price),
        size=_amounts(size, scales.size),
        notional=_amounts(notional, scales.notional),
        flag=[row.get("flag") for row in rows],
    )


def _amounts(values: list[int], scale: int) -> pa.Array:
    return column(from_ints(np.array(values, dtype=object)), scale)


def _market(random: Random, most: int) -> Iterator[Row]:
    """Yield rows of trades: ties, sweeps, equal rows, jumps over borders and of magnitudes."""
    time, price, size, side = random.choice(_STARTS), 829_750, 100, 1
    for _ in range(most):
        wait = random.choice(_WAITS if random.random() < 0.97 else _LONG_WAITS)
        border = random.choice(_BORDERS) if wait else None
        time += wait
        if border:
            time = max(time, time + -time % border[0] - border[1])
        side = random.choice(_SIDES) if random.random() < 0.5 else side
        price = random.choice(
            (price, price, price + 1, random.choice(_PRICES), random.randint(1, 10**6))
        )
        size = random.choice((size, random.choice(_SIZES), random.randint(1, 10**9)))
        row: dict[str, Any] = {"time": time, "price": price, "size": size, "tick_rule": side}
        row["received"] = time + 5_000_000 if wait else None
        row["flag"] = random.choice(_FLAGS)
        yield from [row] * random.choice((1, 1, 1, 1, 2, 3))


@st.composite
def streams(draw: st.DrawFn, scales: Scales, most: int = 60) -> pa.RecordBatch:
    """Draw TRADE rows of one stream in order; they shrink to fewer rows.

    There are ties, sweeps, equal rows under different ids, prices and sizes of very different
    magnitudes, notionals beyond 64 bits, off-book rows, and the borders of minutes and days.
    """
    seed, count = draw(st.integers(0, 2**32)), draw(st.integers(1, most))
    market = _market(Random(seed), most)  # noqa: S311  (a test's market, no secret)
    return trades(list(islice(market, count)), scales)


@st.composite
def inputs(draw: st.DrawFn, what: str, scales: Scales) -> pa.RecordBatch:
    """Draw rows of a kind: TRADE, TICK as aggregated from them, or SIGNIFICANT as filtered."""
    rows = draw(streams(scales).filter(lambda rows: len(on_book(rows))))
    if what == "TRADE":
        return rows
    ticks = _whole(Aggregate(), rows)
    if what == "TICK":
        return ticks
    least = draw(st.sampled_from(ticks["notional"].to_pylist()))
    return _whole(Filter(min_notional=least, window=draw(st.sampled_from(("7s", "1m")))), ticks)


def _whole(component: Transform, rows: pa.RecordBatch) -> pa.RecordBatch:
    work = Work(component, rows.schema)
    work.push(rows)
    return pa.concat_batches([*work.out, *work.step.flush()])


@st.composite
def cuts(draw: st.DrawFn, rows: pa.RecordBatch) -> list[pa.RecordBatch]:
    """Draw a way to cut rows into batches, in order: single rows and empty batches among them."""
    count = len(rows)
    places = st.lists(st.integers(0, count), max_size=4).map(sorted)
    if count <= _FEW:
        places |= st.just([*range(count + 1)])
    bounds = [0, *draw(places), count]
    return [rows.slice(begin, end - begin) for begin, end in pairwise(bounds)]


class Work:
    """A transform at work on one stream; `out` holds all batches that have come out of it."""

    def __init__(self, component: Transform, given: pa.Schema) -> None:
        self._component = component
        self._schemas = {NODE: given}
        self.schema = component.output(self._schemas)
        self.step: Step = component.start(self._schemas, None)
        self.out: list[pa.RecordBatch] = []

    def push(self, *batches: pa.RecordBatch) -> None:
        """Push batches one after the other."""
        for rows in batches:
            self.out += self.step.push(rows, NODE)

    def advance(self, time: int) -> None:
        """Tell the step the time."""
        self.out += self.step.advance(time)

    def cut(self) -> None:
        """Tell the step that rows are missing here."""
        self.out += self.step.cut()

    def resume(self) -> None:
        """Stop, put the state through JSON and go on from it with a step of its own."""
        state: State = json.loads(json.dumps(self.step.state()))
        self.step = self._component.start(self._schemas, state)

    def closed(self) -> pa.Table:
        """Return the rows that have come out, made plain."""
        return plain(self.out, self.schema)

    def open(self) -> pa.Table:
        """Return the rows that are still open, made plain."""
        return plain(self.step.flush(), self.schema)


def plain(batches: Iterable[pa.RecordBatch], of: pa.Schema) -> pa.Table:
    """Return rows as one table with words as text and times as nanoseconds, to be compared."""
    table = pa.Table.from_batches(list(batches), of)
    for place, field in enumerate(of):
        if pa.types.is_dictionary(field.type):
            table = table.set_column(place, field.name, table[field.name].cast(pa.string()))
        elif pa.types.is_timestamp(field.type):
            table = table.set_column(place, field.name, table[field.name].cast(pa.int64()))
    return table


def difference(one: pa.Table, other: pa.Table) -> str:
    """Return where two plain tables differ, in words; empty where they do not."""
    if one.equals(other, check_metadata=True):
        return ""
    if one.schema != other.schema:
        return "their columns differ"
    for number, (left, right) in enumerate(zip(one.to_pylist(), other.to_pylist(), strict=False)):
        for name in left:
            if left[name] != right[name]:
                return f"row {number}: {name}: {left[name]} and {right[name]}"
    return f"{len(one)} rows and {len(other)} rows"


def equal(work: Work, expected: Work) -> None:
    """Assert that the same rows came out, bit for bit, and that the same rows are open."""
    found = difference(work.closed(), expected.closed())
    assert not found, f"what has come out differs: {found}"
    found = difference(work.open(), expected.open())
    assert not found, f"what is still open differs: {found}"


# The columns of size, notional and ticks, all and bought; a trade has no ticks and tells its side.
SUMS: Mapping[str, Sequence[str]] = {
    "TRADE": ("size", "notional"),
    "TICK": ("size", "notional", "ticks"),
    "SIGNIFICANT": (
        *("total_size", "total_notional", "total_ticks"),
        *("total_buy_size", "total_buy_notional", "total_buy_ticks"),
    ),
    "BAR": ("volume", "notional", "ticks", "buy_volume", "buy_notional", "buy_ticks"),
}


def totals(batches: Iterable[pa.RecordBatch], of: pa.Schema) -> list[Fraction]:
    """Return exact sums of size, notional and ticks, all and bought, of rows on the book."""
    sums = [Fraction(0)] * 6
    for row in plain(batches, of).to_pylist():
        if row.get("flag") == "off_book":
            continue
        values = [Fraction(row[name]) for name in SUMS[kind(of)]]
        if len(values) < len(sums):
            values = [*values, Fraction(1)][:3]
            values += values if row["tick_rule"] == 1 else [Fraction(0)] * 3
        sums = [one + other for one, other in zip(sums, values, strict=True)]
    return sums


_WITHIN = ("open", "price", "close")
_PARTS = {
    "total_buy_size": "total_size",
    "total_buy_notional": "total_notional",
    "total_buy_ticks": "total_ticks",
    "size": "total_size",
    "notional": "total_notional",
    "ticks": "total_ticks",
    "buy_volume": "volume",
    "buy_notional": "notional",
    "buy_ticks": "ticks",
}


def sound(row: Row) -> bool:
    """Tell whether prices lie between low and high, and parts are not above their whole."""
    prices = [row[name] for name in _WITHIN if name in row] if "low" in row else []
    pairs = [(row.get(part), row.get(whole)) for part, whole in _PARTS.items()]
    return all(row["low"] <= price <= row["high"] for price in prices) and all(
        part <= whole for part, whole in pairs if part is not None and whole is not None
    )


def nanosecond(rows: pa.RecordBatch, row: int) -> int:
    """Return the time of one row."""
    return int(nanoseconds(rows["timestamp"])[row])


def midnight(rows: pa.RecordBatch) -> int:
    """Return the end of the last row's day."""
    last = nanosecond(rows, -1)
    return last - last % DAY + DAY


def days(rows: pa.RecordBatch) -> list[pa.RecordBatch]:
    """Return the rows of each UTC day that has any."""
    day = nanoseconds(rows["timestamp"]) // DAY
    bounds = [0, *(np.flatnonzero(np.diff(day)) + 1).tolist(), len(rows)]
    return [rows.slice(begin, end - begin) for begin, end in pairwise(bounds)]
