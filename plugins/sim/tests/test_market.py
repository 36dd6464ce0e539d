"""The simulated market is the same everywhere, joins from day to day, and is lively."""

import hashlib
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pytest

from werks_sim.market import MARKETS, START, day_of, id_range, tape

PER_DAY = 30_000
LEAP_DAY = date(2024, 2, 29)


def _sums(trades):
    columns = (trades.ids, trades.times, trades.sides, trades.prices, trades.sizes)
    notional = int((trades.prices * trades.sizes).sum())
    return [len(trades), *(int(column.sum()) for column in columns[2:]), notional]


def _digest(trades):
    columns = (trades.times, trades.sides, trades.prices, trades.sizes)
    rows = b"".join(column.astype("<i8").tobytes() for column in columns)
    return hashlib.sha256(rows).hexdigest()[:16]


def _days(symbol, count):
    return [tape(1, symbol, START + timedelta(days=n), PER_DAY) for n in range(count)]


def _per_minute(trades):
    return np.bincount(trades.times // 60_000_000 % 1440, minlength=1440)


GOLDEN = {
    # first id, rows, Σ side, Σ price, Σ size, Σ price × size, digest of every row
    "BTCUSD": (1782121, 27000, -86, 11550009960, 4015046, 1717852683144, "758f03ed27f0eea6"),
    "ETHUSD": (1762951, 27390, -472, 5918888614, 3974449, 858939267874, "1e4cdd1ef5863b7b"),
    "DOGEUSD": (1755661, 29760, -534, 268281487, 434687900, 3918791985200, "397d7a688b159a41"),
}


@pytest.mark.parametrize("symbol", GOLDEN)
def test_a_day_is_the_same_on_every_machine(symbol):
    trades = tape(1, symbol, LEAP_DAY, PER_DAY)
    assert (int(trades.ids[0]), *_sums(trades), _digest(trades)) == GOLDEN[symbol]


def test_a_day_does_not_depend_on_the_days_made_before_it():
    alone = _sums(tape(3, "BTCUSD", LEAP_DAY, 1000))
    tape.cache_clear()
    for day in (START, LEAP_DAY - timedelta(days=1), LEAP_DAY + timedelta(days=1)):
        tape(3, "BTCUSD", day, 1000)
    assert _sums(tape(3, "BTCUSD", LEAP_DAY, 1000)) == alone


def test_seeds_and_symbols_and_days_differ():
    seen = [
        tape(1, "BTCUSD", START, 1000),
        tape(2, "BTCUSD", START, 1000),
        tape(1, "ETHUSD", START, 1000),
        tape(1, "BTCUSD", LEAP_DAY, 1000),
    ]
    assert len({tuple((each.times % 86_400_000_000).tolist()) for each in seen}) == len(seen)


@pytest.mark.parametrize("symbol", MARKETS)
def test_ids_go_on_from_day_to_day_without_a_gap(symbol):
    ids = np.concatenate([trades.ids for trades in _days(symbol, 4)])
    assert np.array_equal(ids, np.arange(1, len(ids) + 1))


@pytest.mark.parametrize("per_day", [1, 7, 30_000])
def test_the_day_of_an_id_is_found_without_making_trades(per_day):
    for day in (START, LEAP_DAY):
        for trade_id in id_range(1, "BTCUSD", day, per_day):
            assert day_of(1, "BTCUSD", trade_id, per_day) == day


@pytest.mark.parametrize("symbol", MARKETS)
def test_trades_are_in_order_inside_their_day(symbol):
    for n, trades in enumerate(_days(symbol, 3)):
        midnight = ((START - date(1970, 1, 1)).days + n) * 86_400_000_000
        assert np.all(np.diff(trades.times) >= 0)
        assert midnight <= trades.times[0]
        assert trades.times[-1] < midnight + 86_400_000_000


@pytest.mark.parametrize("symbol", MARKETS)
def test_amounts_are_above_zero_and_sides_are_known(symbol):
    for trades in _days(symbol, 3):
        assert trades.prices.min() > 0
        assert trades.sizes.min() > 0
        assert set(trades.sides.tolist()) == {-1, 1}


@pytest.mark.parametrize("symbol", MARKETS)
def test_a_close_joins_the_next_days_open(symbol):
    """To half a percent: between the two trades lie the spread and the noise of one order each."""
    for before, after in pairwise(_days(symbol, 5)):
        assert abs(int(after.prices[0]) - int(before.prices[-1])) * 200 < int(before.prices[-1])


@pytest.mark.parametrize("symbol", MARKETS)
def test_every_day_has_an_empty_minute_quiet_minutes_and_bursts(symbol):
    for trades in _days(symbol, 5):
        minutes = _per_minute(trades)
        assert minutes.min() == 0
        assert np.count_nonzero(minutes < np.median(minutes) / 4) >= 10
        assert minutes.max() > 10 * np.median(minutes)


def test_a_sweep_walks_the_price_at_one_moment():
    trades = tape(1, "BTCUSD", START, PER_DAY)
    starts = np.flatnonzero(np.diff(trades.times, prepend=-1, append=-1))
    begin, end = max(pairwise(starts), key=lambda edges: edges[1] - edges[0])
    sides, prices = trades.sides[begin:end], trades.prices[begin:end]
    assert end - begin > 20
    assert len(set(sides.tolist())) == 1
    assert np.all(np.diff(prices) * sides[0] >= 0)
    assert abs(int(prices[-1]) - int(prices[0])) > 50


def test_a_day_has_the_range_of_a_market():
    for trades in _days("BTCUSD", 5):
        low, high = int(trades.prices.min()), int(trades.prices.max())
        assert 1.005 < high / low < 1.10


def test_the_trades_of_a_day_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        tape(1, "BTCUSD", START, 1000).prices[0] = 0
