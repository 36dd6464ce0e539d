"""The minutes that are compared with candles are the columns of one-minute bars."""

import numpy as np
import pyarrow as pa
import pytest

from werks.schema import Scales, batch, empty, schema, times, word
from werks.transforms.aggregate import Aggregate
from werks.transforms.bars import Bars
from werks.verify import Minutes, unpacked

_MINUTE = 60 * 10**9
_START = 28_575_360 * _MINUTE  # 2024-05-01
_NODE = "source"
_TRADE = schema("TRADE", Scales(2, 3))


def _trades(count=400):
    random = np.random.default_rng(5)
    time = _START + np.sort(random.integers(0, 40 * 60, count)) * 10**9
    flags = [None if each else "off_book" for each in random.integers(0, 20, count)]
    numbers = {
        name: pa.array([str(each / 100) for each in random.integers(100, 10**6, count)]).cast(
            _TRADE.field(name).type
        )
        for name in ("price", "size", "notional")
    }
    return batch(
        _TRADE,
        exchange=word("test", count),
        symbol=word("BTC", count),
        timestamp=times(time),
        trade_id=[str(each) for each in range(count)],
        tick_rule=random.choice(np.array([-1, 1], np.int8), count),
        **numbers,
        flag=pa.array(flags, pa.string()),
    )


def _bars(rows, until):
    step = Bars(by="time", every="1m").start({_NODE: rows.schema}, None)
    made = [*step.push(rows, _NODE), *step.advance(until)]
    return pa.concat_batches(made)


def _minutes(rows, cuts, until):
    found = Minutes(rows.schema)
    for begin, end in zip([0, *cuts], [*cuts, len(rows)], strict=True):
        found.push(rows.slice(begin, end - begin))
    return unpacked(found.packed(until))


@pytest.mark.parametrize("cuts", [[], [1, 2, 3, 200], list(range(1, 400))])
@pytest.mark.parametrize("short", [0, 1])
def test_minutes_are_the_bars_however_rows_are_cut(cuts, short):
    rows, until = _trades(), _START + 40 * _MINUTE - short
    bars, minutes = _bars(rows, until), _minutes(rows, cuts, until)
    assert len(minutes) == len(bars) > 30 - short
    for name in minutes.schema.names:
        assert minutes[name].equals(bars[name]), name


def test_ticks_give_the_minutes_of_their_trades():
    rows, until = _trades(), _START + 40 * _MINUTE
    step = Aggregate().start({_NODE: rows.schema}, None)
    ticks = pa.concat_batches([*step.push(rows, _NODE), *step.flush()])
    assert _minutes(ticks, [7], until).equals(_minutes(rows, [], until))


def test_no_rows_are_no_minutes():
    assert len(_minutes(empty(_TRADE), [], _START)) == 0
    assert len(unpacked(Minutes(_TRADE).packed(_START))) == 0
