"""A live source without a connection, whose rows and events a test puts into its inbox."""

from contextlib import closing
from datetime import date

from werks.ledger import Ledger
from werks.live import ROOM, Arrived, Connected, Disconnected, Inbox, Told
from werks.pipeline import Report, Until, load
from werks.pipeline.listening import Listening
from werks.pipeline.livesource import LiveSource

from .stormed import EXCHANGES
from .storming import MIDNIGHT, MINUTE

SYMBOL = "BTCUSDT"
DAY = date(2024, 1, 3)  # which begins at MIDNIGHT
PIPELINE = """
[pipeline]
name = "events"
state = "{root}/werks.db"

[sources.trades]
type = "bybit.trades"
symbols = ["BTCUSDT"]
start = 2024-01-03
via = ["live"]
ws_url = "ws://127.0.0.1:1"

[sinks.db]
type = "sqlite"
path = "{root}/rows.db"
timeout = 0.05
"""
FILES = """
[sinks.apart]
type = "feather"
path = "{root}/disk/data"
"""


class Heard:
    """A live source without a connection; `told` is called with what the run shows."""

    def __init__(self, root, stack, told, more="", now=MIDNIGHT + 20 * MINUTE):
        (file := root / "p.toml").write_text((PIPELINE + more).format(root=root))
        self.graph, self.inbox, self.report = load(file), Inbox(), Report("events")
        settings = self.graph.config.settings
        self.until = Until(clock=lambda: now, show=told)
        self.ledger = stack.enter_context(closing(Ledger(settings.state, settings.name)))
        given = self.graph, self.ledger, self.until
        self.source = LiveSource(self.graph.branches[0], given, stack)

    def run(self):
        given = self.graph, self.ledger, (self.report, self.until)
        Listening(*given, self.inbox).run([self.source])

    def put(self, *items):
        for item in items:
            self.inbox.put(item)


def trades(begin, until):
    """Return trades whose ids do not count, so that they tell of no hole."""
    return EXCHANGES["bybit"].course([SYMBOL], begin, until).trades(SYMBOL, begin, until)


def came(rows):
    return Arrived(ROOM, rows.combine_chunks().to_batches()[0])


def connected(number=ROOM):
    return Connected(number, (SYMBOL,))


def acked(number=ROOM):
    return Told(number, SYMBOL, "acked", "")


def lost(number=ROOM):
    return Disconnected(number, (SYMBOL,), "closed")
