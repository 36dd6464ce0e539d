"""The exchanges that storms befall: their doors, course of time, words and limits."""

import importlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import attrs
import pyarrow as pa

import werks_sim
from werks.testing import Words
from werks.testing.loopback import Answer
from werks.testing.socket import Venue

from .drawn import drawn

_PLUGINS = Path(__file__).parent.parent / "plugins"
# No connection loses a message and goes on, so that ids tell nothing of it where they do not count.
UNSEEN = ("lose",)
Hastened = Iterable[tuple[object, str, object]]


class Course(Protocol):
    """An exchange in the course of its time, all in its own wire format, nothing later than `now`.

    As `werks_sim.Course` is.
    """

    now: int

    def advance(self, until: int) -> Iterator[pa.RecordBatch]:
        """Go on to a time and yield the trades since `now`, a batch of each market."""
        ...

    def trades(self, symbol: str, start: int, stop: int) -> pa.Table:
        """Return all trades from a time to before another, as they should come out."""
        ...

    def published(self, start: date) -> Iterable[tuple[str, bytes]]:
        """Yield (path, body) of what the archive has published since this was last asked for."""
        ...

    def answers(self) -> Mapping[str, Answer]:
        """Return what REST answers at each path."""
        ...


@attrs.frozen
class Stormed:
    """An exchange in a storm.

    `source` are the lines of its source in a pipeline file, with {rest} and {ws} for the servers.
    `course` takes the times between which there are many trades; some few are on the day before
    that, whose file is published by then. `paths` are those of REST that faults
    befall, `spared` the strikes that nobody could see and heal, `past` the doors of a quiet run.
    `lag` is after how long the archive has a day for certain. `hastened` gives attributes of
    modules and classes that are to be set to make its times those of a market so much faster.
    A market with few trades a minute is followed for `stretch` times as long, as much faster.
    """

    source: str
    symbols: tuple[str, ...]
    course: Callable[[int, int], Course]
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


def _course(plugin: str, *symbols: str) -> Callable[[int, int], Course]:
    """Return what makes a plugin's course of drawn markets."""

    def made(begin: int, until: int) -> Course:
        markets = {symbol: drawn(symbol, begin, until) for symbol in symbols}
        course: Course = beside(plugin, f"course_{plugin}").Course(markets, begin)
        return course

    return made


def _own(plugin: str) -> Callable[[int, int], Course]:
    """Return what makes a plugin's course, which draws its markets itself."""
    return lambda begin, until: beside(plugin, f"course_{plugin}").Course(begin, until)


def _words(plugin: str) -> Callable[[Venue], Words]:
    return lambda venue: beside(plugin, f"ws_{plugin}").Words(venue)


def _hastened(plugin: str, speed: float) -> Hastened:
    """Give what a plugin states of the exchange's times: silence, and how often it may be asked."""
    feed: Any = importlib.import_module(f"werks_{plugin}").TradesFeed
    yield feed, "stale_after", 1.5
    rest: Any = importlib.import_module(f"werks_{plugin}.rest")
    if hasattr(rest, "LIMIT"):
        yield rest, "LIMIT", attrs.evolve(rest.LIMIT, seconds=rest.LIMIT.seconds / speed)


def _sim_course(begin: int, until: int) -> Any:
    exchange = werks_sim.Exchange(trades_per_day=8_000)
    return werks_sim.Course(exchange, ("BTCUSD", "ETHUSD"), begin)


EXCHANGES = {
    "sim": Stormed(
        'type = "sim.trades"\ntrades_per_day = 8_000\nstale_after = 1.5\n'
        'rest_url = "{rest}"\nws_url = "{ws}"\narchive_url = "{rest}"',
        ("BTCUSD", "ETHUSD"),
        _sim_course,
        partial(werks_sim.Words, snapshot=20),
        ("/trades",),
        stretch=12,
    ),
    "binance": Stormed(
        'type = "binance.trades"\nrest_url = "{rest}"\nws_url = "{ws}"\n'
        'archive_url = "{rest}"\nlisting_url = "{rest}/"',
        ("BTCUSDT", "ETHUSDT"),
        _course("binance", "BTCUSDT", "ETHUSDT"),
        _words("binance"),
        ("/api/v3/historicalTrades", "/api/v3/aggTrades"),
        lag=timedelta(days=2),
        hastened=partial(_hastened, "binance"),
    ),
    "bybit": Stormed(
        'type = "bybit.trades"\nrest_url = "{rest}"\nws_url = "{ws}"\narchive_url = "{rest}"',
        ("BTCUSDT", "ETHUSDT"),
        _course("bybit", "BTCUSDT", "ETHUSDT"),
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
        _course("bitmex", "XBTUSD", "ETHUSD"),
        _words("bitmex"),
        ("/api/v1/trade",),
        spared=UNSEEN,
        lag=timedelta(days=3),
        hastened=partial(_hastened, "bitmex"),
    ),
    "coinbase": Stormed(
        'type = "coinbase.trades"\npage_size = 200\nrest_url = "{rest}"\nws_url = "{ws}"',
        ("BTC-USD", "ETH-USD"),
        _own("coinbase"),
        _words("coinbase"),
        ("/products/BTC-USD/trades", "/products/ETH-USD/trades"),
        past=("rest",),
        hastened=partial(_hastened, "coinbase"),
    ),
    "kraken": Stormed(
        'type = "kraken.trades"\nrest_url = "{rest}"\nws_url = "{ws}"',
        ("BTC/USD", "ETH/USD"),
        _own("kraken"),
        _words("kraken"),
        ("/0/public/Trades",),
        past=("rest",),
        hastened=partial(_hastened, "kraken"),
    ),
    "bitfinex": Stormed(
        'type = "bitfinex.trades"\nrest_url = "{rest}/v2"\nws_url = "{ws}"',
        ("tBTCUSD", "tETHUSD"),
        _own("bitfinex"),
        _words("bitfinex"),
        ("/v2/trades/tBTCUSD/hist", "/v2/trades/tETHUSD/hist"),
        past=("rest",),
        hastened=partial(_hastened, "bitfinex"),
    ),
}
