"""A simulated exchange for werks: the same made-up trades by archive, REST and websocket.

It has two sides. The exchange's own, which a real plugin does not have: `market` (what happens),
`exchange` and `pages` (how it is published), `faults` (what goes wrong). And the plugin's, to be
copied: `wire` and `rest` (the words that the doors share), `trades`, `history`, `candles`,
`interest`, `instruments` and `feed` (one door each).
"""

from .candles import Candles
from .exchange import Exchange
from .feed import Feed, werks_feeds
from .history import History, werks_histories
from .instruments import Instruments, werks_snapshots
from .interest import OpenInterest
from .pages import answers
from .trades import Trades, werks_archives

__all__ = [
    "Candles",
    "Exchange",
    "Feed",
    "History",
    "Instruments",
    "OpenInterest",
    "Trades",
    "answers",
    "werks_archives",
    "werks_feeds",
    "werks_histories",
    "werks_snapshots",
]
