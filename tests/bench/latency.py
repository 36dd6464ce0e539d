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
_RATES, _SECONDS = (1_000, 10_000, 20_000), 8
# So many trades a second, sustained, on one core; the last of them durable so soon.
_GOAL, _BEHIND = 20_000, 1.0
_HEAD = [
    *("sink, trades a second sent", "came", "a second of CPU", "bar ms p50", "p99"),
    *("durable ms p50", "p99", "the last after s"),
]
Found = dict[tuple[str, int], dict[str, Any]]


def run(place: Place, rounds: int) -> None:
    """Measure each sink at each rate: werks on one core, the sender and the server on the other."""
    found: Found = {}
    with _database() as new:
        for rate in _RATES:
            with _sending(rate) as url:
                for sink, told in _measured(place, url, rate, rounds, new).items():
                    found[sink, rate] = told
    rows = [_line(f"{sink}, {rate:,}", told) for (sink, rate), told in sorted(found.items())]
    show(f"loopback socket → bars, committed rows ({_SECONDS} s each)", _HEAD, rows)
    show("goals", GOALS, _goals(found))
    print("A segment is made each 0.1 s. A trade's time is that of its sending; the first second")
    print("is left out. Where other processes share the cores, only the CPU column is to be read.")


def _measured(place: Place, url: str, rate: int, rounds: int, new: Any) -> dict[str, Any]:
    """Return the medians of all that is told, by sink."""

    def contender(sink: str) -> Contender:
        def command() -> list[str]:
            script = [sys.executable, str(HERE / "ours_latency.py"), url, str(rate * _SECONDS)]
            return [
                *pinned(1),
                *script,
                str(place.scratch()),
                *([new()] if sink[0] == "p" else []),
            ]

        return Contender(sink, command)

    contenders = [contender(sink) for sink in ("sqlite", "postgres")]
    interleaved(contenders, rounds, environment(place.compiled))
    found = {}
    for each in contenders:
        told = [json.loads(spent.output) for spent in each.spent]
        assert {one["rows"] for one in told} == {rate * _SECONDS}, each.name
        found[each.name] = {
            **{name: median(o[name] for o in told) for name in ("rows", "wall", "cpu", "behind")},
            **{n: [median(o[n][at] for o in told) for at in (0, 1)] for n in ("bar", "sink")},
        }
    return found


def _line(name: str, told: dict[str, Any]) -> list[str]:
    speeds = [f"{told['rows'] / told[what]:,.0f}" for what in ("wall", "cpu")]
    late = [f"{value:.0f}" for what in ("bar", "sink") for value in told[what]]
    return [name, *speeds, *late, f"{told['behind']:.2f}"]


def _goals(found: Found) -> list[list[str]]:
    lines = []
    for (sink, rate), told in sorted(found.items()):
        if rate == _GOAL:
            speed, behind = told["rows"] / told["cpu"] / _GOAL, told["behind"]
            lines.append(goal(f"{sink}: trades a second of CPU ÷ {_GOAL:,}", speed, 1.0))
            lines.append(goal(f"{sink}: seconds behind at {_GOAL:,}", behind, _BEHIND, False))
    return lines


@contextmanager
def _sending(rate: int) -> Iterator[str]:
    """Run the sender and yield its address."""
    script = [sys.executable, str(HERE / "latency_serve.py"), str(rate), str(rate * _SECONDS)]
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
