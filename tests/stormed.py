"""The exchanges that storms befall: their doors, course of time, words and limits."""

import importlib
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs
import pyarrow as pa

import werks.testing
import werks_sim
from werks.testing import Words
from werks.testing.socket import Venue

from .drawn import drawn

_PLUGINS = Path(__file__).parent.parent / "plugins"
# No connection loses a message and goes on, so that ids tell nothing of it where they do not count.
UNSEEN = ("lose",)
# The simulated exchange's own markets, and what REST alone has of them before anybody listens.
_MARKETS = ("BTCUSD", "ETHUSD")
_BEFORE = 300 * 10**9
Hastened = Iterable[tuple[object, str, object]]
# The simulated exchange makes its trades a day at a time; at its doors it is as the others are.
Course = werks.testing.Course | werks_sim.Course


@attrs.frozen
class Stormed:
    """An exchange in a storm.

    `source` are the lines of its source in a pipeline file, with {rest} and {ws} for the servers.
    `course` takes the symbols and the times between which there are many trades; some few are on
    the day before that, whose file is published by then. `paths` are those of REST that faults
    befall, `spared` the strikes that nobody could see and heal, `past` the doors of a quiet run.
    `lag` is after how long the archive has a day for certain. `hastened` gives attributes of
    modules and classes that are to be set to make its times those of a market so much faster.
    A market with few trades a minute is followed for `stretch` times as long, as much faster.
    """

    source: str
    symbols: tuple[str, ...]
    course: Callable[[Sequence[str], int, int], Course]
    words: Callable[[Venue], Words]
    paths: tuple[str, ...]
    spared: Sequence[str] = ()
    past: Sequence[str] = ("archive", "rest")
    lag: timedelta = timedelta(0)
    hastened: Callable[[float], Hastened] = lambda _: ()
    stretch: int = 1


@cache
def beside(plugin: str, name: str) -> ModuleType:
    """Return a module of a plugin's tests, which may import those beside it."""
    package = f"stormed_{plugin}"
    if package not in sys.modules:
        sys.modules[package] = folder = ModuleType(package)
        folder.__path__ = [str(_PLUGINS / plugin / "tests")]
    return importlib.import_module(f"{package}.{name}")


def _drawn(plugin: str, symbols: Sequence[str], begin: int, until: int) -> Course:
    """Return a plugin's course of markets that are drawn."""
    return _course(plugin, {each: drawn(each, begin, until) for each in symbols}, begin)


def _simulated(plugin: str, symbols: Sequence[str], begin: int, until: int) -> Course:
    """Return a plugin's course of markets of the simulated exchange."""
    now = begin - _BEFORE
    sim = werks_sim.Course(werks_sim.Exchange(trades_per_day=100_000), (), now)
    markets = {}
    for symbol, market in zip(symbols, _MARKETS, strict=True):
        found = sim.trades(market, now, until)
        (markets[symbol],) = found.combine_chunks().to_batches()
    return _course(plugin, markets, now)


def _course(plugin: str, markets: Mapping[str, pa.RecordBatch], now: int) -> Course:
    made: Course = beside(plugin, f"course_{plugin}").course(markets, now)
    return made


def _words(plugin: str) -> Callable[[Venue], Words]:
    return lambda venue: beside(plugin, f"ws_{plugin}").Words(venue)


def _hastened(plugin: str, speed: float) -> Hastened:
    """Give what a plugin states of the exchange's times: silence, and how often it may be asked."""
    feed: Any = importlib.import_module(f"werks_{plugin}").TradesFeed
    yield feed, "stale_after", 1.5
    rest: Any = importlib.import_module(f"werks_{plugin}.rest")
    if hasattr(rest, "LIMIT"):
        yield rest, "LIMIT", attrs.evolve(rest.LIMIT, seconds=rest.LIMIT.seconds / speed)


def _sim(symbols: Sequence[str], begin: int, until: int) -> Course:
    return werks_sim.Course(werks_sim.Exchange(trades_per_day=8_000), symbols, begin)


EXCHANGES = {
    "sim": Stormed(
        'type = "sim.trades"\ntrades_per_day = 8_000\nstale_after = 1.5\n'
        'rest_url = "{rest}"\nws_url = "{ws}"\narchive_url = "{rest}"',
        _MARKETS,
        _sim,
        partial(werks_sim.Words, snapshot=20),
        ("/trades",),
        stretch=12,
    ),
    "binance": Stormed(
        'type = "binance.trades"\nrest_url = "{rest}"\nws_url = "{ws}"\n'
        'archive_url = "{rest}"\nlisting_url = "{rest}/"',
        ("BTCUSDT", "ETHUSDT"),
        partial(_drawn, "binance"),
        _words("binance"),
        ("/api/v3/historicalTrades", "/api/v3/aggTrades"),
        lag=timedelta(days=2),
        hastened=partial(_hastened, "binance"),
    ),
    "bybit": Stormed(
        'type = "bybit.trades"\nrest_url = "{rest}"\nws_url = "{ws}"\narchive_url = "{rest}"',
        ("BTCUSDT", "ETHUSDT"),
        partial(_drawn, "bybit"),
        _words("bybit"),
        ("/v5/market/recent-trade",),
        spared=UNSEEN,
        past=("archive",),
        lag=timedelta(days=2),
        hastened=partial(_hastened, "bybit"),
    ),
    "bitmex": Stormed(
        'type = "bitmex.trades"\nrest_url = "{rest}"\nws_url = "{ws}"\n'
        'archive_url = "{rest}"\nlisting_url = "{rest}/"',
        ("XBTUSD", "ETHUSD"),
        partial(_drawn, "bitmex"),
        _words("bitmex"),
        ("/api/v1/trade",),
        spared=UNSEEN,
        lag=timedelta(days=3),
        hastened=partial(_hastened, "bitmex"),
    ),
    "coinbase": Stormed(
        'type = "coinbase.trades"\npage_size = 200\nrest_url = "{rest}"\nws_url = "{ws}"',
        ("BTC-USD", "ETH-USD"),
        partial(_simulated, "coinbase"),
        _words("coinbase"),
        ("/products/BTC-USD/trades", "/products/ETH-USD/trades"),
        past=("rest",),
        hastened=partial(_hastened, "coinbase"),
    ),
    "kraken": Stormed(
        'type = "kraken.trades"\nrest_url = "{rest}"\nws_url = "{ws}"',
        ("BTC/USD", "ETH/USD"),
        partial(_simulated, "kraken"),
        _words("kraken"),
        ("/0/public/Trades",),
        past=("rest",),
        hastened=partial(_hastened, "kraken"),
    ),
    "bitfinex": Stormed(
        'type = "bitfinex.trades"\nrest_url = "{rest}/v2"\nws_url = "{ws}"',
        ("tBTCUSD", "tETHUSD"),
        partial(_simulated, "bitfinex"),
        _words("bitfinex"),
        ("/v2/trades/tBTCUSD/hist", "/v2/trades/tETHUSD/hist"),
        past=("rest",),
        hastened=partial(_hastened, "bitfinex"),
    ),
}
