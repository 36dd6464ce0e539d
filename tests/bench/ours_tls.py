"""Takes trades from a websocket into a Feather file; prints what each frame cost.

Called with an address, the way (`listener`, as werks does it, or `recv_data`, by websocket-client's
own calls), how many frames come and a folder.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

import pyarrow as pa
import websocket

from werks.components import Window
from werks.http import Http
from werks.live import Arrived, Inbox, Listener, Manner
from werks.proof import Digest
from werks_binance.feed_trades import AggTradesFeed
from werks_sinks.feather import Feather

SYMBOL, NODE = "BTCUSDT", "trades"
_FLUSH = 4096
_WAIT = 10.0


def _listened(feed: AggTradesFeed, frames: int) -> Iterator[pa.RecordBatch]:
    """Yield what a connection of werks brings to its inbox."""
    inbox, rows = Inbox(), 0
    listener = Listener(1, feed, [SYMBOL], inbox, (Http(), Manner(_refused)))
    listener.start()
    while rows < frames:
        for item in inbox.take(_WAIT):
            if isinstance(item, Arrived):
                rows += len(item.batch)
                yield item.batch
    listener.stop()


def _refused(url: str, message: bytes, why: str) -> None:
    raise AssertionError(f"{url}: {why}: {message!r}")


def _received(feed: AggTradesFeed, frames: int) -> Iterator[pa.RecordBatch]:
    """Yield the same by websocket-client alone, at its fastest."""
    connection = websocket.create_connection(
        feed.url, timeout=_WAIT, skip_utf8_validation=True, enable_multithread=False
    )
    talk = feed.converse(Http(), [SYMBOL])
    for text in talk.opened():
        connection.send(text)
    for place in range(1, frames + 1):
        talk.heard(connection.recv_data()[1], time.time_ns())
        if not place % _FLUSH or place == frames:
            yield from talk.rows()


WAYS: dict[str, Callable[[AggTradesFeed, int], Iterator[pa.RecordBatch]]] = {
    "listener": _listened,
    "recv_data": _received,
}


def main() -> None:
    """Receive, write, and print rows, seconds of CPU and on the clock."""
    url, way, frames, folder = sys.argv[1], WAYS[sys.argv[2]], int(sys.argv[3]), Path(sys.argv[4])
    feed = AggTradesFeed(ws_url=url)
    digest, window = Digest(feed.schema), Window(feed.exchange, SYMBOL, date(2024, 1, 1))
    began, started, rows = time.process_time(), time.perf_counter(), 0
    with closing(Feather(path=folder).open({NODE: feed.schema})) as writer:
        for batch in way(feed, frames):
            rows += len(batch)
            digest.add(batch)
            writer.write(window, NODE, batch)
        writer.commit(window, {NODE: digest.proof()})
    cpu, wall = time.process_time() - began, time.perf_counter() - started
    sys.stdout.write(json.dumps({"rows": rows, "cpu": cpu, "wall": wall}) + "\n")


if __name__ == "__main__":
    main()
