"""Makes the frames of each exchange's trades, said by the simulators of the plugins' tests.

Called with a file to write, how many trades, and kinds if not all; prints nothing.
"""

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

import werks_binance
import werks_bitfinex
import werks_bitmex
import werks_bybit
import werks_coinbase
import werks_kraken
from werks import amounts
from werks.http import Http
from werks.schema import batch, times, word
from werks.testing import Venue
from werks.testing.words import texts

_PLUGINS = Path(__file__).parents[2] / "plugins"
_START = 1_704_110_400_000_000_000  # 2024-01-01 12:00
_STEP = 3_001_000_000  # no two trades at one moment: a message each
# The kind, by which the peers know what to do with it, its feed, and the symbol.
FEEDS = {
    "binance.trades": (werks_binance, "trades", "BTCUSDT"),
    "binance.aggtrades": (werks_binance, "aggtrades", "BTCUSDT"),
    "bybit.trades": (werks_bybit, "trades", "BTCUSDT"),
    "bitmex.trades": (werks_bitmex, "trades", "XBTUSDT"),
    "coinbase.trades": (werks_coinbase, "trades", "BTC-USD"),
    "kraken.trades": (werks_kraken, "trades", "BTC/USD"),
    "bitfinex.trades": (werks_bitfinex, "trades", "tBTCUSD"),
}


def feed_of(name: str) -> Any:
    """Return the feed of a kind of frames."""
    plugin, short, _ = FEEDS[name]
    hooks: Any = plugin
    return hooks.werks_feeds()[short]()


def tape(feed: Any, symbol: str, rows: int) -> pa.RecordBatch:
    """Return made trades in the shape of a feed: one a moment, of varying prices and sizes."""
    random = np.random.default_rng(5)
    of = feed.schema
    price_scale, size_scale = (of.field(name).type.scale for name in ("price", "size"))
    cents = 6_000_000 + np.cumsum(random.integers(-40, 41, rows))
    steps = random.integers(1, 200_000, rows)
    price = amounts.rescaled(cents, price_scale - 2)
    size = amounts.rescaled(steps, size_scale - 5)
    notional = amounts.rescaled(cents * steps, price_scale + size_scale - 7)
    numbers = np.arange(1, rows + 1)
    # Where ids are UUIDs, these are as long as those.
    ids = [f"00000000-006d-1000-0000-{n:012x}" if _has_uuids(feed) else str(n) for n in numbers]
    given: dict[str, Any] = {
        "exchange": word(feed.exchange, rows),
        "symbol": word(symbol, rows),
        "timestamp": times(_START + numbers * _STEP),
        "trade_id": pa.array(ids, pa.string()),
        "tick_rule": random.choice(np.array([-1, 1], np.int8), rows),
        "price": amounts.column(price, price_scale),
        "size": amounts.column(size, size_scale),
        "notional": amounts.column(notional, price_scale + size_scale),
    }
    if "ticks" in of.names:
        given["ticks"] = pa.array(np.full(rows, 3), of.field("ticks").type)
    return batch(of, **given)


def _has_uuids(feed: Any) -> bool:
    return str(feed.exchange).startswith(("bybit", "bitmex"))


def _tight(text: str) -> str:
    """Return JSON without the spaces of json.dumps, which no exchange sends."""
    return text.replace('": ', '":').replace(', "', ',"').replace("}, {", "},{")


def _words(exchange: str) -> Any:
    path = _PLUGINS / exchange / "tests" / f"ws_{exchange}.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module.Words


def said(name: str, rows: int) -> dict[str, Any]:
    """Return what an exchange says to a feed: the answers to its subscription, then the trades."""
    feed, symbol = feed_of(name), FEEDS[name][2]
    words = _words(name.partition(".")[0])(Venue())
    path = "/" + feed.url.split("/", 3)[3] if feed.url.count("/") > 2 else "/"
    answers = texts(words.opened(path))
    for asked in feed.converse(Http(), [symbol]).opened():
        answers += texts(words.said(asked))
    made = tape(feed, symbol, rows)
    frames = [
        _tight(text) for row in range(rows) for text in texts(words.trades(made.slice(row, 1)))
    ]
    return {"symbol": symbol, "rows": rows, "answers": answers, "frames": frames}


def main() -> None:
    """Write the frames of all kinds."""
    path, rows = Path(sys.argv[1]), int(sys.argv[2])
    made = {name: said(name, rows) for name in sys.argv[3:] or FEEDS}
    path.write_text(json.dumps(made), encoding="utf-8")


if __name__ == "__main__":
    main()
