"""Serves an exchange's REST interface on 127.0.0.1 in a process of its own; prints its address.

`/asked` tells how many pages have been asked for so far.
"""

import argparse
import functools
import json
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from werks.testing import Loopback
from werks_sim import Exchange, answers

Answer = tuple[int, bytes, Mapping[str, str]]
_KLINE = "/v5/market/kline"
# Bybit's clock in milliseconds, long after the days, so that all candles are over.
_NOW = 1_750_000_000_000


def kept(answer: Callable[[Mapping[str, str]], Answer]) -> Callable[[Mapping[str, str]], Answer]:
    """Return a function of a query that makes each answer once: later ones cost next to nothing."""
    made = functools.cache(lambda query: answer(dict(query)))
    return lambda query: made(tuple(sorted(query.items())))


def kline(rows: list[list[str]], query: Mapping[str, str]) -> Answer:
    """Return the candles of a span of milliseconds, newest first, as Bybit does."""
    begin, end = int(query["start"]), int(query["end"])
    found = [row for row in rows if begin <= int(row[0]) <= end][: int(query["limit"])]
    result = {"category": query["category"], "symbol": query["symbol"], "list": found}
    said = {"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": _NOW}
    return 200, json.dumps(said).encode(), {}


def serve(server: Loopback, given: argparse.Namespace) -> None:
    """Have the server answer as it is asked to."""
    if given.sim:
        for path, answer in answers(Exchange(trades_per_day=given.sim)).items():
            server.answer(path, kept(answer))
    if given.candles:
        rows = json.loads(given.candles.read_text(encoding="utf-8"))
        server.answer(_KLINE, kept(functools.partial(kline, rows)))
    if given.days:
        for path in given.days.rglob("*.csv.gz"):
            server.put(path.relative_to(given.days).as_posix(), path)
    server.answer("/asked", lambda query: str(server.asked(query["path"])).encode())


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sim", type=int, help="the simulated exchange, so many trades a day")
    parser.add_argument("--days", type=Path, help="a folder of archive files")
    parser.add_argument("--candles", type=Path, help="what `candles.py` wrote")
    given = parser.parse_args()
    with Loopback() as server:
        serve(server, given)
        sys.stdout.write(server.url + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    threading.stack_size(1 << 18)
    main()
