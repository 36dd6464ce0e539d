"""Times ccxt.pro's own handlers on frames in memory: JSON, then what `watch_trades` waits for.

Kinds that it has no websocket of are left out.
"""

import asyncio
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ccxt.pro

# Its name of an exchange, and the address by which it tells markets apart.
_KNOWN: Mapping[str, tuple[str, str]] = {
    "binance.trades": ("binance", "wss://stream.binance.com:9443/ws"),
    "binance.aggtrades": ("binance", "wss://stream.binance.com:9443/ws"),
    "bybit.trades": ("bybit", "wss://stream.bybit.com/v5/public/spot"),
    "bitmex.trades": ("bitmex", "wss://ws.bitmex.com/realtime"),
    "coinbase.trades": ("coinbaseexchange", "wss://ws-feed.exchange.coinbase.com"),
    "kraken.trades": ("kraken", "wss://ws.kraken.com/v2"),
    "bitfinex.trades": ("bitfinex", "wss://api-pub.bitfinex.com/ws/2"),
}
_LEAST, _PASSES = 0.3, 2
# So many at most: it takes long.
_MOST = 5000


def _exchange(name: str, id_: str) -> Any:
    """Return an exchange that knows one market, so that it loads none."""
    made = getattr(ccxt.pro, name)({"enableRateLimit": False})
    symbol = id_ if "/" in id_ else "BTC/USDT"
    base, quote = symbol.split("/")
    market = made.safe_market_structure(
        {"id": id_, "symbol": symbol, "base": base, "quote": quote, "type": "spot", "spot": True,
         "swap": False, "future": False, "option": False, "contract": False, "active": True}
    )  # fmt: skip
    made.set_markets([market])
    return made


def _answered(client: Any, text: str) -> None:
    """Take note of the number that Bitfinex gives a subscription, as its own handler does."""
    said = json.loads(text)
    if isinstance(said, dict) and "chanId" in said:
        client.subscriptions[str(said["chanId"])] = said


async def _measured(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    kind, address = _KNOWN[name]
    exchange = _exchange(kind, given["symbol"])
    client = exchange.client(address)
    for text in given["answers"]:
        _answered(client, text)
    frames = given["frames"][:_MOST]
    handle, taken = client.handle_text_or_binary_message, []
    while len(taken) < _PASSES or sum(taken) < _LEAST:
        began = time.process_time()
        for text in frames:
            handle(text)
        taken.append(time.process_time() - began)
    await exchange.close()
    (kept,) = exchange.trades.values()
    assert kept, name
    return {"rows": len(kept), "speed": len(frames) / min(taken)}


async def _all(path: Path) -> dict[str, Any]:
    frames = json.loads(path.read_text(encoding="utf-8"))
    served = {name for name, (kind, _) in _KNOWN.items() if hasattr(ccxt.pro, kind)}
    return {name: await _measured(name, frames[name]) for name in _KNOWN if name in served}


def main() -> None:
    """Measure all kinds of a file of frames that this peer has a websocket of."""
    sys.stdout.write(json.dumps(asyncio.run(_all(Path(sys.argv[1])))) + "\n")


if __name__ == "__main__":
    main()
