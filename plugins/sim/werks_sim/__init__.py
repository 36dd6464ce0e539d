"""A simulated exchange for werks: the same made-up trades by archive, REST and websocket.

It has two sides. The exchange's own, which a real plugin does not have: `market` (what happens),
`exchange`, `pages` and `words` (how it is told: by files, REST and websocket), `course` (all of
that as its time goes by), `faults` (what goes wrong). And the plugin's, to be copied: `wire` and
`rest` (the words that the doors share), `trades`, `history`, `candles`, `interest`, `instruments`
and `feed` (one door each).
"""

from .candles import Candles
from .course import Course
from .exchange import Exchange
from .feed import Feed, werks_feeds
from .history import History, werks_histories
from .instruments import Instruments, werks_snapshots
from .interest import OpenInterest
from .pages import answers
from .trades import Trades, werks_archives
from .words import Words

__all__ = [
    "Candles",
    "Course",
    "Exchange",
    "Feed",
    "History",
    "Instruments",
    "OpenInterest",
    "Trades",
    "Words",
    "answers",
    "werks_archives",
    "werks_feeds",
    "werks_histories",
    "werks_snapshots",
]
