"""Takes trades from a websocket by cryptofeed's own connection and handlers; prints their cost.

Called with an address and how many frames come. The callback does nothing.
"""

import asyncio
import json
import logging
import sys
import time
from typing import Any

import uvloop  # as its FeedHandler does
from cryptofeed.connection import WebsocketEndpoint, WSAsyncConn
from cryptofeed.defines import TRADES
from cryptofeed.exchanges import Binance
from cryptofeed.symbols import Symbols


async def _nothing(trade: Any, received: float) -> None:
    pass


async def _all(url: str, frames: int) -> dict[str, float]:
    Symbols.set(Binance.id, {"BTC-USDT": "BTCUSDT"}, {})
    # A callback that is given by a list is called without being looked at.
    feed = Binance(symbols=["BTC-USDT"], channels=[TRADES], callbacks={TRADES: _nothing})
    connection = WSAsyncConn(url + "/stream", "bench", **WebsocketEndpoint(url).options)
    began, started, got = time.process_time(), time.perf_counter(), 0
    async with connection.connect():
        async for message in connection.read():
            await feed.message_handler(message, connection, connection.last_message)
            got += 1
            if got == frames:
                break
        cpu, wall = time.process_time() - began, time.perf_counter() - started
    return {"rows": got, "cpu": cpu, "wall": wall}


def main() -> None:
    """Receive all frames."""
    logging.disable()
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    found = asyncio.run(_all(sys.argv[1], int(sys.argv[2])))
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
