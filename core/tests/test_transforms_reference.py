"""Every transform against a slow one: a loop over rows in plain Python and Decimal.

The slow ones share nothing with the fast ones but the names of the columns.
"""

from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_CEILING, Context, Decimal, localcontext
from itertools import groupby, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from werks.schema import Scales, kind
from werks.testing.streams import DAY, Work, cuts, inputs, nanosecond, plain, trades
from werks.transforms.aggregate import Aggregate
from werks.transforms.bars import Bars
from werks.transforms.filter import Filter

often = settings(max_examples=18 * settings.default.max_examples)
SCALES = st.sampled_from((Scales(2, 8), Scales(0, 0), Scales(8, 10)))
SUMS = ("size", "notional", "ticks", "buy_size", "buy_notional", "buy_ticks")
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
EXACT = Context(prec=200)


def cells(rows):
    """Return the rows on the book as dicts that hold their own sums, whatever their kind."""
    found = []
    for row in plain([rows], rows.schema).to_pylist():
        if row.get("flag") == "off_book":
            continue
        cell = {"own": row, "time": row["timestamp"], "price": row["price"]}
        for name in ("open", "high", "low"):
            cell[name] = row.get(name, row["price"])
        cell["first"], cell["last"] = row["trade_id"], row.get("last_trade_id", row["trade_id"])
        bought = row["tick_rule"] == 1
        for name in ("size", "notional", "ticks"):
            if kind(rows.schema) == "SIGNIFICANT":
                cell[name], cell[f"buy_{name}"] = row[f"total_{name}"], row[f"total_buy_{name}"]
            else:
                cell[name] = row.get(name, 1)
                cell[f"buy_{name}"] = cell[name] if bought else 0
        found.append(cell)
    return found


def folded(group):
    """Return what rows come to together."""
    first, last = group[0], group[-1]
    with localcontext(EXACT):
        sums = {name: sum(cell[name] for cell in group) for name in SUMS}
    return sums | {
        "open": first["open"],
        "high": max(cell["high"] for cell in group),
        "low": min(cell["low"] for cell in group),
        "price": last["price"],
        "trade_id": first["first"],
        "last_trade_id": last["last"],
    }


def ticks_of(rows):
    found = []
    for (time, rule), group in groupby(
        cells(rows), lambda cell: (cell["time"], cell["own"]["tick_rule"])
    ):
        run = list(group)
        names = ("open", "high", "low", "price", "trade_id", "last_trade_id", *SUMS[:3])
        tick = {name: folded(run)[name] for name in names}
        tick |= {"timestamp": time, "tick_rule": rule, "received": run[-1]["own"]["received"]}
        found.append(tick)
    return found


def window_of(time, width):
    """Return (start, end) of the window of at most a day, found by counting from midnight."""
    start = time - time % DAY
    midnight = start + DAY
    while start + width <= time:
        start += width
    return start, min(start + width, midnight)


def segments_of(rows, by, least, width):
    found, segment, window = [], [], None
    for cell in [*cells(rows), None]:
        here = cell and window_of(cell["time"], width)
        if segment and here != window:
            found.append((segment, False))
            segment = []
        window = here
        if cell:
            segment.append(cell)
            own = cell["own"][by]
            if own is not None and own >= least:
                found.append((segment, True))
                segment = []
    return [segment_row(*each) for each in found]


def segment_row(segment, significant):
    total, own = folded(segment), segment[-1]["own"]
    row = {name: total.pop(name) for name in ("open", "high", "low", "price")}
    row |= {name: total.pop(name) for name in ("trade_id", "last_trade_id")}
    row |= {f"total_{name}": value for name, value in total.items()}
    for name in ("tick_rule", "size", "notional", "ticks"):
        row[name] = own.get(name, 1) if significant else None
    return row | {"timestamp": segment[-1]["time"], "received": own["received"]}


def bar(group, start, end, complete):
    row = folded(group)
    names = {"size": "volume", "buy_size": "buy_volume", "price": "close"}
    row = {names.get(name, name): value for name, value in row.items()}
    row["first_trade_id"] = row.pop("trade_id")
    row["realized_variance"] = variance([cell["price"] for cell in group])
    return row | {"timestamp": start, "end": end, "complete": complete}


def variance(prices):
    """Return Σ (ln next / ln before)², each rounded to 18 decimals."""
    found = Decimal(0)
    with localcontext(Context(prec=60)):
        for before, after in pairwise(prices):
            if before != after:
                found += ((after / before).ln() ** 2).quantize(Decimal("1E-18"))
    return found


def clock_window(time, every):
    """Return (start, end) of the window of a duration such as 7m or 3d."""
    number, unit = int(every[:-1]), every[-1]
    width = number * UNITS[unit] * 10**9
    if width <= DAY:
        return window_of(time, width)
    monday, days = date(1970, 1, 5), number
    day = datetime.fromtimestamp(time // 10**9, UTC).date()
    start = day - timedelta(days=(day - monday).days % days)
    return [(start - date(1970, 1, 1)).days * DAY + n * days * DAY for n in (0, 1)]


def time_bars(rows, every, carry, until):
    """Return the bars of the clock, flat ones too, as they stand at a time."""
    found = []
    for (start, end), group in groupby(
        cells(rows), lambda cell: tuple(clock_window(cell["time"], every))
    ):
        if found and carry:
            found += flat(found[-1], every, start)
        found.append(bar(list(group), start, end, end <= until))
    if found and carry and found[-1]["complete"]:
        found += flat(found[-1], every, clock_window(until, every)[0])
    return found


def flat(last, every, until):
    found, start = [], last["end"]
    while start < until:
        row = dict.fromkeys(last, 0) | dict.fromkeys(
            ("open", "high", "low", "close"), last["close"]
        )
        start, end = clock_window(start, every)
        row |= {"timestamp": start, "end": end, "complete": True}
        found.append(row | {"first_trade_id": None, "last_trade_id": None})
        start = end
    return found


def period_of(time, reset):
    moment = datetime.fromtimestamp(time // 10**9, UTC)
    return {
        "never": 0,
        "day": moment.date(),
        "week": moment.isocalendar()[:2],
        "month": (moment.year, moment.month),
        "quarter": (moment.year, (moment.month + 2) // 3),
        "year": moment.year,
    }[reset]


def goal_of(day, first_day, sums, component, unit):
    """Return the threshold of a day: that of its last whole days, `every` until it has them."""
    wanted = component.adaptive["days"]
    if day - first_day < wanted:
        return None
    with localcontext(EXACT):
        total = sum(sums.get(past, 0) for past in range(day - wanted, day))
        bars = wanted * component.adaptive["per_day"]
        units = -(-int(total / unit) // bars)
        return max(units, 1) * unit


def threshold_bars(rows, component, unit):
    by = {"volume": "size"}.get(component.by, component.by)
    found, group, total, days, period = [], [], 0, {}, None
    goal = (component.every / unit).to_integral_value(ROUND_CEILING) * unit

    def close(complete):
        if group:
            found.append(bar(group, group[0]["time"], group[-1]["time"], complete))
        group.clear()

    for cell in cells(rows):
        day = cell["time"] // DAY
        if component.adaptive:
            goal = goal_of(day, min(days, default=day), days, component, unit) or goal
        if period not in (None, period_of(cell["time"], component.reset)):
            close(False)
            total = 0
        period = period_of(cell["time"], component.reset)
        group.append(cell)
        with localcontext(EXACT):
            days[day] = days.get(day, 0) + cell[by]
            total += cell[by]
            if total >= goal:
                close(True)
                total = total - goal if component.overshoot == "carry" else 0
    close(False)
    return found


def compare(found, expected):
    """Assert that rows are equal in all that the slow way gives; variances nearly."""
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.keys() - other.keys() <= {"exchange", "symbol"}
        for name, value in other.items():
            if name == "realized_variance":
                assert abs(one[name] - value) <= Decimal("5E-17") + value * Decimal("1E-12")
            else:
                assert one[name] == value, name


def run(component, pieces, schema, until=None):
    work = Work(component, schema)
    work.push(*pieces)
    if until is not None:
        work.advance(until)
    return [*work.closed().to_pylist(), *work.open().to_pylist()]


def end_of(rows):
    last = nanosecond(rows, -1)
    return last - last % DAY + DAY


KINDS = st.sampled_from(("TRADE", "TICK", "SIGNIFICANT"))
ROWS = st.tuples(KINDS, SCALES).flatmap(lambda drawn: inputs(*drawn))


@often
@given(
    st.tuples(st.sampled_from(("TRADE", "TICK")), SCALES).flatmap(lambda d: inputs(*d)), st.data()
)
def test_aggregate(rows, data):
    found = run(Aggregate(), data.draw(cuts(rows)), rows.schema)
    compare(found, ticks_of(rows))


@often
@given(
    ROWS,
    st.sampled_from(("size", "notional")),
    st.sampled_from(("1s", "1m", "7m", "1d")),
    st.data(),
)
@pytest.mark.long
def test_filter(rows, by, window, data):
    amounts = [value for value in rows[by].to_pylist() if value is not None]
    least = data.draw(st.sampled_from(amounts)) if amounts else Decimal(1)
    component = Filter(**{f"min_{by}": least}, window=window)
    found = run(component, data.draw(cuts(rows)), rows.schema)
    width = int(window[:-1]) * UNITS[window[-1]] * 10**9
    compare(found, segments_of(rows, by, least, width))


WIDTHS = ("1m", "7m", "1h", "5h", "4h", "1d", "2d", "3d", "7d")


@often
@given(ROWS, st.sampled_from(WIDTHS), st.data())
def test_time_bars(rows, every, data):
    found = run(Bars(by="time", every=every), data.draw(cuts(rows)), rows.schema, end_of(rows))
    compare(found, time_bars(rows, every, False, end_of(rows)))


@often
@given(ROWS, st.sampled_from(WIDTHS[2:]), st.integers(0, 8 * DAY), st.data())
@pytest.mark.long
def test_filled_time_bars(rows, every, later, data):
    component, until = Bars(by="time", every=every, empty="carry"), end_of(rows) + later
    found = run(component, data.draw(cuts(rows)), rows.schema, until)
    compare(found, time_bars(rows, every, True, until))


ADAPTIVE = st.none() | st.builds(
    lambda days, bars: {"days": days, "per_day": bars}, st.integers(1, 4), st.integers(1, 9)
)
RESETS = st.sampled_from(("never", "never", "day", "week", "month", "quarter", "year"))


@st.composite
def thresholds(draw, rows):
    """Draw options of threshold bars that give some bars, not one alone."""
    by = draw(st.sampled_from(("ticks", "volume", "notional")))
    name = {"volume": "size"}.get(by, by)
    with localcontext(EXACT):
        total = sum(Decimal(cell[name]) for cell in cells(rows))
        every = max(total / draw(st.sampled_from((1, 3, 10, 40, 10**6))), Decimal("1E-30"))
        every = Decimal(max(int(every), 1)) if by == "ticks" else every
    overshoot = draw(st.sampled_from(("absorb", "carry")))
    return Bars(
        by=by, every=every, overshoot=overshoot, reset=draw(RESETS), adaptive=draw(ADAPTIVE)
    )


def unit_of(rows, by):
    name = {"volume": "size"}.get(by, by)
    return Decimal(1) if by == "ticks" else Decimal(1).scaleb(-rows.schema.field(name).type.scale)


@often
@given(ROWS, st.data())
@pytest.mark.long
def test_threshold_bars(rows, data):
    component = data.draw(thresholds(rows))
    found = run(component, data.draw(cuts(rows)), rows.schema)
    with localcontext(EXACT):
        expected = threshold_bars(rows, component, unit_of(rows, component.by))
    compare(found, expected)


def long_stream(scale):
    """Return 4,000 trades over three days whose sizes have a scale of magnitude."""
    random = np.random.default_rng(scale % 2**32)
    start = 1_714_521_600 * 10**9
    waits = random.choice([0, 0, 10**6, 10**9, 130 * 10**9], 4_000)
    names = ("time", "price", "size", "tick_rule")
    columns = (
        (start + np.cumsum(waits)).tolist(),
        (10**6 + np.cumsum(random.integers(-3, 4, 4_000))).tolist(),
        [int(size) * scale for size in random.exponential(10**5, 4_000).astype(int) + 1],
        random.choice([-1, 0, 1], 4_000).tolist(),
    )
    rows = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    return trades(rows, Scales(2, 8))


@pytest.mark.parametrize("scale", [1, 10**6, 10**13])
@pytest.mark.parametrize("overshoot", ["absorb", "carry"])
@pytest.mark.parametrize(("by", "rows_a_bar"), [("notional", 3), ("volume", 50), ("ticks", 7)])
@pytest.mark.few(5)
def test_long_streams(scale, overshoot, by, rows_a_bar):
    """Thousands of rows in a batch, sums within 64 bits and far beyond."""
    rows = long_stream(scale)
    whole = threshold_total(rows, by)
    every = Decimal(rows_a_bar) if by == "ticks" else whole * rows_a_bar / 4_000
    component = Bars(by=by, every=every, overshoot=overshoot, reset="day")
    found = run(component, [rows.slice(0, 1500), rows.slice(1500)], rows.schema)
    with localcontext(EXACT):
        compare(found, threshold_bars(rows, component, unit_of(rows, by)))


def threshold_total(rows, by):
    with localcontext(EXACT):
        name = {"volume": "size"}.get(by, by)
        return sum(Decimal(cell[name]) for cell in cells(rows))
