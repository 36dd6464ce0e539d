"""Times cryptofeed's own handlers on frames in memory, with a callback that does nothing.

Kinds that it has no handler for are left out.
"""

import asyncio
import json
import logging
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cryptofeed import exchanges
from cryptofeed.defines import TRADES
from cryptofeed.symbols import Symbols

# Its class, its name of the symbol, and the address by which it tells markets apart.
_KNOWN: Mapping[str, tuple[str, str, str]] = {
    "binance.aggtrades": ("Binance", "BTC-USDT", "wss://stream.binance.com:9443/stream"),
    "bybit.trades": ("Bybit", "BTC-USDT-PERP", "wss://stream.bybit.com/v5/public/linear"),
    "bitmex.trades": ("Bitmex", "BTC-USDT-PERP", "wss://ws.bitmex.com/realtime"),
    "bitfinex.trades": ("Bitfinex", "BTC-USD", "wss://api-pub.bitfinex.com/ws/2"),
}
_LEAST, _PASSES = 0.3, 3


class _Connection:
    """What a handler asks of its connection."""

    uuid = "bench"

    def __init__(self, address: str) -> None:
        self.address = address


def _spelt(name: str, text: str) -> str:
    """Return a frame as this peer has it sent: of Bitfinex it asks for no time at the end."""
    return f"{text.rpartition(',')[0]}]" if name.startswith("bitfinex") and text[0] == "[" else text


class _Reading:
    """The frames of one kind, and how they are handled."""

    def __init__(self, name: str, given: Mapping[str, Any]) -> None:
        kind, symbol, address = _KNOWN[name]
        exchange = getattr(exchanges, kind)
        Symbols.set(exchange.id, {symbol: given["symbol"]}, {})
        self._connection = _Connection(address)
        self._frames = [_spelt(name, text) for text in given["frames"]]
        self._answers = [_spelt(name, text) for text in given["answers"]]
        self.trades = 0
        # One that is given by a list is called without being looked at.
        self._make = lambda call: exchange(
            symbols=[symbol], channels=[TRADES], callbacks={TRADES: call}
        )

    async def _count(self, trade: Any, received: float) -> None:
        self.trades += 1

    async def _nothing(self, trade: Any, received: float) -> None:
        pass

    async def _play(self, feed: Any) -> float:
        if hasattr(feed, "seq_no"):
            feed.seq_no[self._connection.uuid] = 0
        for text in self._answers:
            if "chanId" in text:
                await feed.message_handler(text, self._connection, 0.0)
        handle, connection = feed.message_handler, self._connection
        began = time.process_time()
        for text in self._frames:
            await handle(text, connection, 1.0)
        return time.process_time() - began

    async def measured(self) -> dict[str, Any]:
        """Return how many trades there are, and frames a second of CPU."""
        await self._play(self._make(self._count))
        feed, taken = self._make(self._nothing), []
        while len(taken) < _PASSES or sum(taken) < _LEAST:
            taken.append(await self._play(feed))
        return {"rows": self.trades, "speed": len(self._frames) / min(taken)}


async def _all(path: Path) -> dict[str, Any]:
    frames = json.loads(path.read_text(encoding="utf-8"))
    return {name: await _Reading(name, frames[name]).measured() for name in _KNOWN}


def main() -> None:
    """Measure all kinds of a file of frames that this peer has handlers for."""
    logging.disable()
    made: Callable[[], Any] = lambda: _all(Path(sys.argv[1]))  # noqa: E731
    sys.stdout.write(json.dumps(asyncio.run(made())) + "\n")


if __name__ == "__main__":
    main()
