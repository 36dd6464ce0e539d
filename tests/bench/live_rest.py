"""Follows a simulated exchange live and prints what that cost, for `live_day.py`.

Called with what to do, a folder, and numbers:
`day` (trades a day, speed): memory in each quarter of a day, and its peak.
`rest` (symbols, connections, seconds): the seconds of processor while nothing is traded.
"""

import json
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from subprocess import PIPE, Popen

from measure import MEGABYTE

from werks.pipeline import Until, load, run
from werks.testing import Loopback, LoopbackSocket
from werks_sim import Course, Exchange, Words
from werks_sim.market import MARKETS

MIDNIGHT = 1_704_153_600_000_000_000  # 2024-01-02
DAY = 86_400 * 10**9
# So many seconds after its beginning REST has told what lies before each stream.
_SETTLED = 40.0
_FILE = """
[pipeline]
name = "bench"
state = "{folder}/werks.db"
quarantine = "{folder}/aside"

[sources.trades]
type = "sim.trades"
symbols = {symbols}
start = 2024-01-02
via = ["rest", "live"]
trades_per_day = {trades}
most_symbols = {most}
rest_url = "{rest}"
ws_url = "{ws}"

[transforms.minutes]
type = "bars"
by = "time"
every = "1m"

[sinks.db]
type = "sqlite"
inputs = ["trades", "minutes"]
path = "{folder}/rows.db"
"""


def serve(symbols: int, trades: int) -> None:
    """Be the exchange, in a process of its own; play when told a speed."""
    names = [f"S{number}USD" for number in range(symbols)] if symbols > 1 else ["BTCUSD"]
    MARKETS.update(dict.fromkeys(names, MARKETS["BTCUSD"]))
    course = Course(Exchange(trades_per_day=trades), names, MIDNIGHT)
    with Loopback() as rest, LoopbackSocket(partial(Words, snapshot=0), heartbeat=5.0) as socket:
        for path, answer in course.answers().items():
            rest.answer(path, answer)
        said = {"rest": rest.url, "ws": socket.url, "symbols": names}
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()
        for line in sys.stdin:
            socket.play(course.advance, MIDNIGHT, float(line), MIDNIGHT + DAY - 1)


@contextmanager
def _served(symbols: int, trades: int) -> Iterator[tuple["Popen[str]", dict[str, object]]]:
    command = [sys.executable, __file__, "serve", str(symbols), str(trades)]
    with Popen(command, stdin=PIPE, stdout=PIPE, text=True) as server:
        assert server.stdin
        assert server.stdout
        try:
            yield server, json.loads(server.stdout.readline())
        finally:
            server.stdin.close()


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _resident() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / MEGABYTE


def _spent() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _write(folder: Path, said: dict[str, object], trades: int, most: int) -> Path:
    path = folder / "bench.toml"
    named = said | {"symbols": json.dumps(said["symbols"])}
    path.write_text(_FILE.format(folder=folder, trades=trades, most=most, **named))
    return path


def day(folder: Path, trades: int, speed: float) -> dict[str, float]:
    """Return what is resident in each quarter of a day, the median, and the peak, in MiB."""
    quarters: list[list[float]] = [[], [], [], []]
    with _served(1, trades) as (server, said):
        began = 0.0

        def now() -> int:
            gone = (time.monotonic() - began) * speed * 1e9 if began else 0
            return MIDNIGHT + min(int(gone), DAY - 1)

        def is_over() -> bool:
            nonlocal began
            if not began and report:
                began = time.monotonic()
                assert server.stdin
                server.stdin.write(f"{speed}\n")
                server.stdin.flush()
            report.append(None)
            gone = (now() - MIDNIGHT) / DAY
            quarters[int(gone * 4)].append(_resident())
            return gone > 0.999

        report: list[None] = []
        graph = load(_write(folder, said, trades, 50))
        done = run(graph, now=_moment(now()), until=Until(is_over, now, speed * 2))
    rows = sum(each.rows for each in done.live.values())
    found = {str(number): median(each) for number, each in enumerate(quarters, 1)}
    return found | {"peak": _peak(), "rows": rows, "cpu": _spent()}


def rest(folder: Path, symbols: int, connections: int, seconds: float) -> dict[str, float]:
    """Return the share of a core that quiet symbols cost."""
    spent: list[tuple[float, float]] = []
    with _served(symbols, 100) as (_, said):
        until = time.monotonic() + _SETTLED + seconds

        def is_over() -> bool:
            clock = time.monotonic()
            if not spent and clock >= until - seconds:
                spent.append((clock, _spent()))
            return clock >= until

        graph = load(_write(folder, said, 100, -(-symbols // connections)))
        began = time.monotonic()
        now = lambda: MIDNIGHT + int((time.monotonic() - began) * 1e9)  # noqa: E731
        done = run(graph, now=_moment(MIDNIGHT), until=Until(is_over, now))
        assert not done.errors, done.errors[:3]
        clock, cpu = time.monotonic(), _spent()
    return {"share": (cpu - spent[0][1]) / (clock - spent[0][0])}


def _moment(now: int) -> datetime:
    return datetime.fromtimestamp(now // 10**9, UTC)


def main() -> None:
    """Do what the command line says."""
    what, *given = sys.argv[1:]
    if what == "serve":
        serve(*map(int, given))
        return
    folder = Path(given[0])
    if what == "day":
        found = day(folder, int(given[1]), float(given[2]))
    else:
        found = rest(folder, int(given[1]), int(given[2]), float(given[3]))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
