"""The rules of the REST doors' rows can fail: each is broken by a door that is wrong in one way."""

import attrs
import pyarrow as pa
import pytest

from werks.errors import DataError, RejectedError
from werks.schema import nanoseconds, times
from werks_sim import History

MINUTE = 60_000_000_000


def _put(rows, name, column):
    arrays = [*rows.columns]
    arrays[rows.schema.get_field_index(name)] = column
    return pa.RecordBatch.from_arrays(arrays, schema=rows.schema)


def _each(change):
    """Return a change of every page out of a change of its rows."""
    return lambda pages: ((change(rows), cursor) for rows, cursor in pages)


def _skipping(pages):
    for rows, cursor in pages:
        yield rows, str(int(cursor) + 1)


def _by_time(pages):
    """Leave out what has the last time of the page before, as one that pages by time would."""
    last = -1
    for rows, cursor in pages:
        stamps = nanoseconds(rows["timestamp"])
        yield rows.filter(pa.array(stamps > last)), cursor
        last = int(stamps[-1])


def _swallowing(pages):
    try:
        yield from pages
    except RejectedError:
        return


def _other(rows):
    return _put(rows, "symbol", pa.DictionaryArray.from_arrays(rows["symbol"].indices, ["OTHER"]))


def _turned(rows):
    return rows.take(pa.array(range(len(rows) - 1, -1, -1), pa.int64()))


def _sides(rows):
    return _put(rows, "tick_rule", pa.array([2] * len(rows), pa.int8()))


def _later(rows):
    return _put(rows, "timestamp", times(nanoseconds(rows["timestamp"]) + 1))


def _renamed(old, new):
    return lambda rows: _put(rows, new, rows[old].cast(rows[new].type))


def _nothing(name):
    return lambda rows: _put(rows, name, pa.nulls(len(rows), rows[name].type))


def _bare(rows):
    return rows.replace_schema_metadata({})


TRADES = {
    "test_rows_have_the_schema": _each(_bare),
    "test_every_row_comes_once_and_in_order": _each(lambda rows: rows.slice(1)),
    "test_the_tape_takes_several_pages": lambda pages: list(pages)[:2],
    "test_pages_come_oldest_first": _each(_turned),
    "test_a_page_is_of_the_symbol": _each(_other),
    "test_rows_of_one_time_are_all_there_where_a_page_ends": _by_time,
    "test_it_goes_on_where_a_span_ended": lambda pages: ((r, f"{int(c) + 40}") for r, c in pages),
    "test_a_span_gives_just_its_rows": _each(lambda rows: rows.slice(0, len(rows) - 1)),
    "test_a_span_before_the_first_row_ends": _each(lambda rows: rows.slice(1)),
    "test_it_ends_where_the_exchange_has_no_more": lambda pages: list(pages)[1:],
    "test_a_trade_is_whole": _each(_sides),
    "test_a_notional_is_price_times_size": _each(_nothing("notional")),
}
CANDLES = {
    "test_a_candle_is_labelled_by_its_start": _each(_later),
    "test_prices_lie_between_low_and_high": _each(_renamed("low", "high")),
    "test_volume_is_in_base_and_notional_in_quote": _each(_renamed("volume", "notional")),
    "test_counts_are_not_negative": _each(
        lambda rows: _put(rows, "trades", pa.array([0] * len(rows), pa.int64()))
    ),
}


@pytest.mark.parametrize("rule", TRADES)
def test_a_rule_of_trades_finds_the_wrong_ones(trades, rule):
    trades().run(rule)
    with pytest.raises((AssertionError, TypeError, DataError)):  # some are refused at the door
        trades(TRADES[rule]).run(rule)


@pytest.mark.parametrize("rule", CANDLES)
def test_a_rule_of_candles_finds_the_wrong_ones(candles, rule):
    candles().run(rule)
    with pytest.raises(AssertionError):
        candles(CANDLES[rule]).run(rule)


@pytest.mark.parametrize(
    ("rule", "fact"),
    [
        ("test_open_is_as_stated", {"opens": "previous"}),
        ("test_minutes_without_trades_are_as_stated", {"empty": "carry"}),
        ("test_a_candle_is_labelled_by_its_start", {"interval": "5m"}),
        ("test_it_states_what_its_candles_are", {"empty": "sometimes"}),
    ],
)
def test_facts_that_are_not_so_are_found(candles, rule, fact):
    candles().run(rule)
    with pytest.raises(AssertionError):
        candles(**fact).run(rule)


def test_a_candle_that_runs_is_found(candles, loopback):
    class Eager:
        def __getattr__(self, name):
            return getattr(candles().door, name)

        def read(self, http, symbol, after, until):
            return candles().door.read(http, symbol, after, until + MINUTE)

    case = candles()
    case.run("test_a_candle_that_runs_is_left_out")
    case.door = Eager()
    with pytest.raises(AssertionError):
        case.run("test_a_candle_that_runs_is_left_out")


def test_a_cursor_that_skips_a_row_is_found(trades):
    trades().run("test_it_goes_on_from_every_cursor")
    case = trades()
    case.door = Skipping(trades_per_day=400, page_size=20, rest_url=case.loopback.url)
    with pytest.raises(AssertionError, match="rows are lost behind"):
        case.run("test_it_goes_on_from_every_cursor")


@attrs.frozen
class Skipping(History):
    """A door whose cursors leave out a trade; it can be pickled."""

    def read(self, *given):
        return _skipping(History.read(self, *given))


def test_an_unknown_symbol_that_is_passed_over_is_found(trades):
    rule = "test_a_symbol_that_there_is_not_is_rejected"
    trades().run(rule)
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        trades(_swallowing).run(rule)


INSTRUMENTS = {
    "test_every_instrument_is_there_once": lambda rows: rows.slice(1),
    "test_values_are_as_published": _renamed("lot_size", "tick_size"),
    "test_kind_and_status_are_stated": _nothing("status"),
}


@pytest.mark.parametrize("rule", INSTRUMENTS)
def test_a_rule_of_instruments_finds_the_wrong_ones(markets, rule):
    markets().run(rule)
    with pytest.raises(AssertionError):
        markets(INSTRUMENTS[rule]).run(rule)
