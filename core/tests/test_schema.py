"""The shapes of the rows: the columns that the design names, exact types, a version."""

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from werks.schema import (
    TIME,
    VERSION,
    WORD,
    Scales,
    batch,
    empty,
    kind,
    nanoseconds,
    same,
    scales,
    schema,
    times,
    version,
    word,
)

COLUMNS = {
    "TRADE": "exchange symbol timestamp received trade_id tick_rule price size notional flag",
    "TICK": "exchange symbol timestamp received trade_id last_trade_id tick_rule price size "
    "notional open high low ticks",
    "SIGNIFICANT": "exchange symbol timestamp received trade_id last_trade_id tick_rule price size "
    "notional open high low ticks total_size total_buy_size total_notional total_buy_notional "
    "total_ticks total_buy_ticks",
    "BAR": "exchange symbol timestamp end open high low close volume notional buy_volume "
    "buy_notional ticks buy_ticks realized_variance first_trade_id last_trade_id complete",
}
KINDS = pytest.mark.parametrize("name", list(COLUMNS))
SCALES = Scales(2, 8)


@KINDS
def test_columns_are_those_of_the_design(name):
    assert schema(name, SCALES).names == COLUMNS[name].split()


@KINDS
def test_kind_version_and_scales_can_be_read_back(name):
    of = schema(name, SCALES)
    assert (kind(of), version(of), scales(of)) == (name, VERSION, SCALES)


@KINDS
def test_amounts_are_exact_in_the_scales_of_the_market(name):
    digits = {
        2: {"price", "open", "high", "low", "close"},
        8: {"size", "volume", "buy_volume", "total_size", "total_buy_size"},
        10: {"notional", "buy_notional", "total_notional", "total_buy_notional"},
        18: {"realized_variance"},
    }
    for field in schema(name, SCALES):
        assert not pa.types.is_floating(field.type)
        if pa.types.is_decimal(field.type):
            assert field.type == pa.decimal128(38, field.type.scale)
            assert field.name in digits[field.type.scale]


@KINDS
def test_keys_are_words_and_times_have_nanoseconds(name):
    of = schema(name, SCALES)
    assert [of.field(column).type for column in ("exchange", "symbol")] == [WORD, WORD]
    assert of.field("timestamp").type == TIME == pa.timestamp("ns", tz="UTC")


def test_another_schema_is_of_no_kind():
    foreign = pa.schema([("price", pa.decimal128(10, 2))])
    assert (kind(foreign), version(foreign)) == ("", 0)
    assert (kind(foreign.with_metadata({"a": "b"})), version(foreign)) == ("", 0)


def test_notional_has_the_digits_of_price_and_size_together():
    assert Scales(1, 8).notional == 9


def test_a_batch_has_its_schema_and_null_where_nothing_was_given():
    of = schema("TRADE", SCALES)
    made = batch(of, symbol=word("XBTUSD", 2), trade_id=["1", "2"], tick_rule=np.array([1, -1]))
    assert made.schema.equals(of, check_metadata=True)
    assert made["trade_id"].to_pylist() == ["1", "2"]
    assert made["tick_rule"].type == pa.int8()
    assert made["exchange"].null_count == made["price"].null_count == 2
    made.validate(full=True)


def test_a_column_that_the_schema_does_not_have_is_named():
    with pytest.raises(TypeError, match=r"^TRADE has no column colour, prize$"):
        batch(schema("TRADE", SCALES), price=[], prize=[], colour=[])


def test_amounts_are_never_rounded():
    of = schema("TRADE", SCALES)
    with pytest.raises(
        TypeError, match=r"^TRADE.price: decimal128\(38, 2\) is expected, not double$"
    ):
        batch(of, price=pa.array([0.305]))
    with pytest.raises(pa.ArrowInvalid, match="data loss"):
        batch(of, price=pa.array([Decimal("0.305")], pa.decimal128(38, 3)))
    assert batch(of, price=pa.array([Decimal("0.3")]))["price"].to_pylist() == [Decimal("0.30")]


@KINDS
def test_an_empty_batch_has_its_schema(name):
    made = empty(schema(name, SCALES))
    assert len(made) == 0
    assert made.schema.equals(schema(name, SCALES), check_metadata=True)


def test_times_are_nanoseconds():
    given = np.array([0, 1, 1_714_521_600_123_456_789, -1])
    column = times(given)
    assert column.type == TIME
    assert nanoseconds(column).tolist() == given.tolist()
    assert nanoseconds(column.slice(2)).tolist() == given[2:].tolist()


def test_a_word_is_the_same_in_every_row():
    column = word("XBTUSD", 3)
    assert column.type == WORD
    assert column.to_pylist() == ["XBTUSD"] * 3
    assert word("", 0).to_pylist() == []
    column.validate(full=True)


def test_rows_of_a_text_are_found():
    column = pa.array(["rpi", None, "off_book", "off"])
    assert same(column, "off_book").tolist() == [False, False, True, False]
    assert same(column.slice(2), "off_book").tolist() == [True, False]
    assert same(pa.array([], pa.string()), "x").tolist() == []
    assert same(pa.nulls(2, pa.string()), "x").tolist() == [False, False]
