"""Aggregate folds the fills of one order into one tick, and loses nothing of them."""

from decimal import Decimal

import pyarrow as pa
import pytest

from werks.errors import ConfigError
from werks.schema import Scales, schema
from werks.testing.streams import DAY, Work, trades
from werks.transforms.aggregate import Aggregate

NOON = 1_714_521_600 * 10**9 + DAY // 2
SCALES = Scales(1, 2)


def fills(*given):
    """Return trades out of (nanoseconds after noon, side, price, size) in the least units."""
    names = ("time", "tick_rule", "price", "size")
    rows = [dict(zip(names, (NOON + time, *rest), strict=True)) for time, *rest in given]
    return trades(rows, SCALES)


def ticks(rows):
    """Return all ticks of rows as dicts, amounts as Decimal and times as nanoseconds."""
    work = Work(Aggregate(), rows.schema)
    work.push(rows)
    return [*work.closed().to_pylist(), *work.open().to_pylist()]


def column(rows, name):
    return [row[name] for row in rows]


def test_a_sweep_is_one_tick_that_keeps_its_first_price():
    (tick,) = ticks(fills((5, 1, 1000, 10), (5, 1, 1003, 20), (5, 1, 1001, 30)))
    assert tick == {
        "exchange": "bazaar",
        "symbol": "XBTUSD",
        "timestamp": NOON + 5,
        "received": None,
        "trade_id": "1",
        "last_trade_id": "3",
        "tick_rule": 1,
        "price": Decimal("100.1"),
        "size": Decimal("0.60"),
        "notional": Decimal("60.090"),
        "open": Decimal("100.0"),
        "high": Decimal("100.3"),
        "low": Decimal("100.0"),
        "ticks": 3,
    }


def test_a_falling_sweep_keeps_its_first_price():
    (tick,) = ticks(fills((5, -1, 1000, 1), (5, -1, 990, 1), (5, -1, 980, 1)))
    assert [tick[name] for name in ("open", "high", "low", "price")] == [100, 100, 98, 98]


def test_another_side_in_between_makes_three_ticks():
    found = ticks(fills((0, 1, 1000, 1), (0, -1, 999, 2), (0, 1, 1000, 4)))
    assert column(found, "tick_rule") == [1, -1, 1]
    assert column(found, "size") == [Decimal("0.01"), Decimal("0.02"), Decimal("0.04")]
    assert column(found, "trade_id") == column(found, "last_trade_id") == ["1", "2", "3"]


def test_an_unknown_side_is_a_side_of_its_own():
    found = ticks(fills((0, 0, 1000, 1), (0, 0, 1001, 1), (0, 1, 1001, 1), (0, -1, 1001, 1)))
    assert column(found, "tick_rule") == [0, 1, -1]
    assert column(found, "ticks") == [2, 1, 1]


def test_one_nanosecond_parts_two_ticks():
    found = ticks(fills((0, 1, 1000, 1), (1, 1, 1000, 1)))
    assert column(found, "timestamp") == [NOON, NOON + 1]


def test_sums_beyond_64_bits_are_exact():
    (tick,) = ticks(fills((0, 1, 3 * 10**15, 7 * 10**12), (0, 1, 1, 1), (0, 1, 10**15, 10**18)))
    assert tick["notional"] == Decimal("1000021000000000000000000000000.001")
    assert tick["size"] == Decimal("10000070000000000.01")


def test_the_last_time_of_receipt_is_kept():
    rows = [{"time": NOON, "price": 1, "size": 1, "received": NOON + n} for n in (7, 9)]
    assert column(ticks(trades(rows, SCALES)), "received") == [NOON + 9]


def test_off_book_rows_are_left_out_and_part_nothing():
    flags = ("off_book", None, "off_book", "block", "rpi", "liquidation")
    rows = [{"time": NOON, "price": 5 + n, "size": 1, "flag": f} for n, f in enumerate(flags)]
    (tick,) = ticks(trades(rows, SCALES))
    assert (tick["trade_id"], tick["last_trade_id"], tick["ticks"]) == ("2", "6", 4)
    assert (tick["open"], tick["size"]) == (Decimal("0.6"), Decimal("0.04"))


def test_rows_off_the_book_alone_give_nothing():
    assert ticks(trades([{"time": NOON, "price": 1, "size": 1, "flag": "off_book"}], SCALES)) == []


def test_ticks_are_folded_like_trades():
    rows = fills((0, 1, 10, 1), (0, 1, 12, 1), (0, -1, 11, 1), (3, -1, 9, 1), (3, -1, 8, 5))
    work = Work(Aggregate(), rows.schema)
    for place in range(len(rows)):
        work.push(rows.slice(place, 1))
        work.advance(10**18)  # long ago
    again = Work(Aggregate(), work.schema)
    again.push(*work.out, *work.step.flush())
    assert [*again.closed().to_pylist(), *again.open().to_pylist()] == ticks(rows)


def test_halves_of_a_tick_become_one():
    halves = [fills((0, 1, 10, 1), (0, 1, 12, 2)), fills((0, 1, 9, 4))]
    work = Work(Aggregate(), schema("TICK", SCALES))
    for half in halves:
        given = Work(Aggregate(), half.schema)
        given.push(half)
        work.push(*given.step.flush())
    (tick,) = work.open().to_pylist()
    assert [tick[name] for name in ("ticks", "open", "high", "low", "price", "size")] == [
        *(3, 1, Decimal("1.2"), Decimal("0.9"), Decimal("0.9"), Decimal("0.07"))
    ]


def test_a_tick_stays_open_until_its_time_is_over():
    work = Work(Aggregate(), schema("TRADE", SCALES))
    work.push(fills((0, 1, 10, 1)))
    work.advance(NOON)
    assert not len(work.closed())
    work.push(fills((0, 1, 11, 1)))
    work.advance(NOON + 1)
    assert work.closed()["ticks"].to_pylist() == [2]
    assert not len(work.open())


def test_a_tick_does_not_run_across_a_gap():
    work = Work(Aggregate(), schema("TRADE", SCALES))
    work.push(fills((0, 1, 10, 1)))
    work.cut()
    work.push(fills((0, 1, 10, 1)))
    assert work.closed()["ticks"].to_pylist() == [1]
    assert work.open()["ticks"].to_pylist() == [1]


@pytest.mark.parametrize("kind", ["SIGNIFICANT", "BAR"])
def test_rows_that_are_no_trades_are_refused_by_name(kind):
    with pytest.raises(ConfigError, match=f"^aggregate takes TRADE, TICK and not {kind} of big$"):
        Aggregate().output({"big": schema(kind, SCALES)})


def test_inputs_of_other_scales_are_refused_by_name():
    inputs = {"one": schema("TRADE", SCALES), "two": schema("TRADE", Scales(1, 3))}
    with pytest.raises(ConfigError, match=r"^aggregate cannot mix one, two: their rows or scales"):
        Aggregate().output(inputs)


def test_scales_are_passed_on():
    found = Aggregate().output({"rows": schema("TRADE", SCALES)})
    assert found.equals(schema("TICK", SCALES), check_metadata=True)
    assert found.field("notional").type == pa.decimal128(38, 3)
