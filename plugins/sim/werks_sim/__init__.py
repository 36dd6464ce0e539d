"""A simulated exchange for werks: the same made-up trades by archive, REST and websocket.

It has two sides. The exchange's own, which a real plugin does not have: `market` (what happens),
`exchange` (how it is published), `faults` (what goes wrong). And the plugin's, to be copied:
`wire` (the words that the doors share), `trades`, `history` and `feed` (one door each).
"""

from .exchange import Exchange
from .feed import Feed, werks_feeds
from .history import History, werks_histories
from .trades import Trades, werks_archives

__all__ = [
    "Exchange",
    "Feed",
    "History",
    "Trades",
    "werks_archives",
    "werks_feeds",
    "werks_histories",
]
