"""What happens on the simulated exchange: a pure function of seed, symbol and day.

Nothing here is float, clock or state: only integers, drawn from the raw 64-bit stream of PCG64,
which numpy promises to keep. So the same day is the same to the last digit on every machine, and
any day can be made without the days before it.

A day is made from the large to the small: opening prices of the days, regimes of half an hour,
minutes, orders, and the trades that an order sweeps through.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from functools import lru_cache

import attrs
import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

START = date(2024, 1, 1)
MICROSECONDS = 1_000_000
_MINUTES, _MINUTE = 1440, 60 * MICROSECONDS
_EPOCH = date(1970, 1, 1)
# Prices move in 1/1024 of a tick; what is traded is cut to whole ticks.
_FINE = 10
# By regime: how wild it is, how many trades it has, where it drifts to. Calm ones are more likely.
_WILD = np.array([2, 2, 2, 3, 3, 4, 4, 7])
_BUSY = np.array([1, 2, 2, 3, 3, 5, 5, 9])
_DRIFT = np.array([0, 0, 0, 1, -1, 2, -2, 0])
# Trailing zeros of the numbers below 128: a geometric distribution, for sizes with a heavy tail.
_HEAVY = np.array([7, *((n & -n).bit_length() - 1 for n in range(1, 128))])


@attrs.frozen
class Market:
    """A market: its first price in ticks, its usual size in lots, and the digits of both."""

    price: int
    price_digits: int
    size: int
    size_digits: int


MARKETS = {
    "BTCUSD": Market(price=423_000, price_digits=1, size=1, size_digits=3),
    "ETHUSD": Market(price=228_500, price_digits=2, size=1, size_digits=2),
    "DOGEUSD": Market(price=8_950, price_digits=5, size=100, size_digits=0),
}


@attrs.frozen(eq=False)
class Tape:
    """The trades of a day, oldest first: times in µs since 1970, prices in ticks, sizes in lots.

    `sides` are +1 where the taker bought, −1 where it sold. Ids go on from day to day without a
    gap.
    """

    symbol: str
    market: Market
    ids: Ints
    times: Ints
    sides: Ints
    prices: Ints
    sizes: Ints

    def __len__(self) -> int:
        return len(self.ids)


@attrs.frozen
class Draws:
    """Random numbers that depend on nothing but these four; each `topic` has numbers of its own."""

    seed: int
    symbol: str
    day: int = -1

    def raw(self, topic: str, count: int) -> npt.NDArray[np.uint64]:
        """Return 64 random bits for each."""
        words = [int.from_bytes(text.encode()) for text in (self.symbol, topic)]
        entropy = [self.seed, *words, self.day + 1]
        return np.random.PCG64(np.random.SeedSequence(entropy)).random_raw(count)

    def below(self, topic: str, count: int, bound: int) -> Ints:
        """Return whole numbers from 0 to below a bound, which is less than 2**31."""
        high = self.raw(topic, count) >> np.uint64(32)
        numbers: Ints = (high * np.uint64(bound) >> np.uint64(32)).astype(np.int64)
        return numbers

    def bell(self, topic: str, count: int, width: int) -> Ints:
        """Return whole numbers from −width to width, those near zero more often."""
        sums: Ints = self.below(topic, 4 * count, width + 1).reshape(count, 4).sum(axis=1)
        return sums // 2 - width


@attrs.frozen(eq=False)
class _Minutes:
    """The minutes of a day: how wild, their shares of trades, the prices at their edges (1441)."""

    wild: Ints
    shares: Ints
    edges: Ints


@lru_cache(maxsize=8)
def tape(seed: int, symbol: str, day: date, per_day: int) -> Tape:
    """Return the trades of a day; `per_day` is how many a day has, give or take a tenth."""
    market = MARKETS[symbol]
    draws = Draws(seed, symbol, (day - START).days)
    first, last = id_range(seed, symbol, day, per_day)
    ids = np.arange(first, last + 1)
    minutes = _minutes(draws, market)
    times, order = _moments(draws, minutes, len(ids))
    sides, prices = _deals(draws, minutes, times, order)
    heavy = _HEAVY[draws.below("heavy", len(ids), len(_HEAVY))]
    sizes = market.size * (1 + draws.below("size", len(ids), 64)) << heavy
    midnight = (day - _EPOCH).days * _MINUTES * _MINUTE
    columns = (ids, midnight + times, sides, prices, sizes)
    for column in columns:
        column.setflags(write=False)  # the next caller gets the same arrays
    return Tape(symbol, market, *columns)


def id_range(seed: int, symbol: str, day: date, per_day: int) -> tuple[int, int]:
    """Return the first and the last trade id of a day, without making any trade."""
    days = (day - START).days
    counts = _counts(seed, symbol, days + 1, per_day)
    first = 1 + int(counts[:-1].sum())
    return first, first + int(counts[-1]) - 1


def day_of(seed: int, symbol: str, trade_id: int, per_day: int) -> date:
    """Return the day of a trade id."""
    days = 2 + trade_id // max(1, per_day * 9 // 10)
    ends = np.cumsum(_counts(seed, symbol, days, per_day))
    return START + timedelta(days=int(np.searchsorted(ends, trade_id)))


def _counts(seed: int, symbol: str, days: int, per_day: int) -> Ints:
    tenths = Draws(seed, symbol).below("count", days, 201)
    return np.maximum(1, per_day * (900 + tenths) // 1000)


def _levels(seed: int, symbol: str, days: int) -> Iterator[int]:
    """Yield the opening prices of the first days in ticks; they are drawn back to the first one."""
    level = first = MARKETS[symbol].price
    for step in Draws(seed, symbol).bell("level", days, 500).tolist():
        yield level
        level = max(1, level + level * step // 10_000 + (first - level) // 50)


def _minutes(draws: Draws, market: Market) -> _Minutes:
    """Return the minutes of a day, in regimes that last for half an hour on average."""
    block = np.cumsum(draws.below("block", _MINUTES, 32) == 0)
    regime = draws.below("regime", _MINUTES, len(_WILD))[block]
    *_, opened, closed = _levels(draws.seed, draws.symbol, draws.day + 2)
    edges = _path(draws, regime, opened << _FINE, closed << _FINE)
    return _Minutes(_WILD[regime], _shares(draws, regime), edges)


def _shares(draws: Draws, regime: Ints) -> Ints:
    """Return each minute's share of the day's trades: bursts, quiet minutes, an empty one."""
    # Most trades come at 14:30 UTC, fewest twelve hours later.
    away = np.abs((np.arange(_MINUTES) - 870 + 720) % _MINUTES - 720)
    shares: Ints = (1100 - away) * _BUSY[regime] * (4 + draws.below("share", _MINUTES, 8))
    mood = draws.below("mood", _MINUTES, 120)
    shares = np.where(mood == 0, 12 * shares, shares)
    shares = np.where(mood > 117, shares // 20, shares)
    shares[1 + int(draws.below("empty", 1, _MINUTES - 2)[0])] = 0
    return shares


def _path(draws: Draws, regime: Ints, opened: int, closed: int) -> Ints:
    """Return the prices at the edges of the minutes: a walk that is pulled towards the close."""
    steps = draws.bell("step", _MINUTES, 1024) * 5 * _WILD[regime] + 512 * _DRIFT[regime]
    pulls = np.where(_DRIFT[regime] == 0, 1, 0)
    path = [opened]
    for minute, (step, pull) in enumerate(zip(steps.tolist(), pulls.tolist(), strict=True)):
        price = path[-1]
        goal = opened + (closed - opened) * minute // _MINUTES
        path.append(price + step * (price // 10_000) // 1024 + pull * ((goal - price) >> 7))
    # What is still missing at midnight is spread over the day: its close is the next day's open.
    missing: Ints = (closed - path[-1]) * np.arange(_MINUTES + 1) // _MINUTES
    return np.array(path) + missing


def _moments(draws: Draws, minutes: _Minutes, count: int) -> tuple[Ints, Ints]:
    """Return each trade's time of day in µs, ascending, and the first trade of its order."""
    ends = np.cumsum(minutes.shares)
    places = (2 * np.arange(count) + 1) * int(ends[-1]) // (2 * count)
    minute = np.searchsorted(ends, places, side="right")
    times = np.sort(minute * _MINUTE + draws.below("time", count, _MINUTE))
    order = _orders(draws, count)
    # All trades of an order happen at the moment of its first.
    return times[order], order


def _orders(draws: Draws, count: int) -> Ints:
    """Return for each trade which one is the first of its order.

    Of 16 stretches of 32 trades one is of long sweeps, the others are of short orders.
    """
    sweeping = draws.below("stretch", count // 32 + 1, 16) == 0
    likely = np.where(sweeping, 240, 70)[np.arange(count) // 32]
    fresh = draws.below("fresh", count, 256) >= likely
    first: Ints = np.maximum.accumulate(np.where(fresh, np.arange(count), 0))
    return first


def _deals(draws: Draws, minutes: _Minutes, times: Ints, order: Ints) -> tuple[Ints, Ints]:
    """Return the sides and the prices in ticks; a sweep walks the price its own way."""
    count = len(times)
    minute, within = np.divmod(times, _MINUTE)
    begin, move = minutes.edges[minute], np.diff(minutes.edges)[minute]
    # In a minute that rises more takers buy.
    point = begin // 10_000
    lean = np.clip(40 * move // np.maximum(1, 8 * point), -40, 40)
    sides = np.where(draws.below("side", count, 256)[order] < 128 + lean, 1, -1)

    noise = draws.bell("noise", count, 256)[order] * point * minutes.wild[minute] // 256
    middle = (begin + move * within // _MINUTE + noise) >> _FINE
    steps = draws.below("walk", count, 2) * np.maximum(1, middle // 40_000)
    walked = np.cumsum(np.where(order == np.arange(count), 0, steps))
    away = 1 + middle // 80_000 + walked - walked[order]
    return sides, np.maximum(1, middle + sides * away)
