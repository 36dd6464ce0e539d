"""End to end: trades from a loopback websocket to bars, and to committed rows of a database."""

import json
import os
import runpy
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

from measure import Contender, environment, interleaved
from place import HERE, Place, pinned
from table import GOALS, goal, show

_SERVERS = HERE.parents[1] / "sinks" / "tests" / "servers.py"
# Trades a second, of so many symbols, for so many seconds.
_CASES = ((1_000, 1, 8), (10_000, 1, 8), (20_000, 1, 8), (1_000, 100, 20), (5_000, 100, 20))
# So many trades a second, sustained, on one core; the last of them durable so soon.
_GOAL, _BEHIND = 20_000, 1.0
_HEAD = [
    *("sink, trades a second sent", "came", "a second of CPU", "% of a core", "bar ms p50", "p99"),
    *("durable ms p50", "p99", "the last after s"),
]
Case = tuple[int, int, int]
Found = dict[tuple[Case, str], dict[str, Any]]


def run(place: Place, rounds: int) -> None:
    """Measure each sink at each rate: werks on one core, the sender and the server on the other."""
    found: Found = {}
    with _database() as new:
        for case in _CASES:
            with _sending(case) as url:
                for sink, told in _measured(place, url, case, rounds, new).items():
                    found[case, sink] = told
    rows = [_line(case, sink, told) for (case, sink), told in found.items()]
    show("loopback socket → bars, committed rows", _HEAD, rows)
    show("goals", GOALS, _goals(found))
    print("A segment is made each 0.1 s, of 100 symbols each second. A trade's time is that of its")
    print("sending; the first second is left out. Where other processes share the cores, only what")
    print("is said of CPU is to be read.")


def _measured(place: Place, url: str, case: Case, rounds: int, new: Any) -> dict[str, Any]:
    """Return the medians of all that is told, by sink."""
    rate, symbols, seconds = case

    def contender(sink: str) -> Contender:
        def command() -> list[str]:
            script = [*pinned(1), sys.executable, str(HERE / "ours_latency.py")]
            given = [url, str(rate * seconds), str(symbols), str(place.scratch())]
            return [*script, *given, *([new()] if sink[0] == "p" else [])]

        return Contender(sink, command)

    contenders = [contender(sink) for sink in ("sqlite", "postgres")]
    interleaved(contenders, rounds, environment(place.compiled))
    found = {}
    for each in contenders:
        told = [json.loads(spent.output) for spent in each.spent]
        assert {one["rows"] for one in told} == {rate * seconds}, each.name
        found[each.name] = {
            **{name: median(o[name] for o in told) for name in ("rows", "wall", "cpu", "behind")},
            **{n: [median(o[n][at] for o in told) for at in (0, 1)] for n in ("bar", "sink")},
        }
    return found


def _line(case: Case, sink: str, told: dict[str, Any]) -> list[str]:
    rate, symbols, _ = case
    name = f"{sink}, {rate:,}" + (f" of {symbols} symbols" if symbols > 1 else "")
    speeds = [f"{told['rows'] / told[what]:,.0f}" for what in ("wall", "cpu")]
    speeds.append(f"{told['cpu'] / told['wall'] * 100:.0f}")
    late = [f"{value:.0f}" for what in ("bar", "sink") for value in told[what]]
    return [name, *speeds, *late, f"{told['behind']:.2f}"]


def _goals(found: Found) -> list[list[str]]:
    lines = []
    for ((rate, symbols, _), sink), told in found.items():
        if symbols > 1:
            share = told["cpu"] / told["wall"] * 100
            name = f"{sink}: % of a core, {rate:,} trades a second of {symbols} symbols"
            lines.append(goal(name, share, 100, at_least=False))
        elif rate == _GOAL:
            speed, behind = told["rows"] / told["cpu"] / _GOAL, told["behind"]
            lines.append(goal(f"{sink}: trades a second of CPU ÷ {_GOAL:,}", speed, 1.0))
            lines.append(goal(f"{sink}: seconds behind at {_GOAL:,}", behind, _BEHIND, False))
    return lines


@contextmanager
def _sending(case: Case) -> Iterator[str]:
    """Run the sender and yield its address."""
    rate, symbols, seconds = case
    sent = map(str, (rate, rate * seconds, symbols))
    script = [sys.executable, str(HERE / "latency_serve.py"), *sent]
    pipe = subprocess.PIPE
    with subprocess.Popen([*pinned(0), *script], stdin=pipe, stdout=pipe, text=True) as server:
        assert server.stdout
        assert server.stdin
        try:
            yield server.stdout.readline().strip()
        finally:
            server.stdin.close()


@contextmanager
def _database() -> Iterator[Any]:
    """Run a server that waits for its disk, beside the sender; yield what makes a database."""
    server = runpy.run_path(str(_SERVERS))["Postgres"](durable=True)
    server.make()
    everywhere = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(everywhere)})
    server.start()
    os.sched_setaffinity(0, everywhere)
    names = iter(range(1000))

    def new() -> str:
        name = f"latency_{next(names)}"
        with server.connect("postgres") as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return str(server.url(name))

    try:
        yield new
    finally:
        server.remove()
