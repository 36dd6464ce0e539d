"""Benchmarks: ratios against peers and physical limits that were measured in the same run."""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

import latency
import live
import live_day
import memory
import processes
import read
import rest
import start
import transforms
import verify
from place import Place, default_root
from table import machine

import sinks

_READ = [200_000, 1_000_000, 5_000_000]
_MEMORY = [5_000_000, 20_000_000]
_PROCESSES = 5_000_000
_VERIFIED = 1_000_000
_FRAMES = 10_000
_TRADES = 500_000
_LOOPS, _BARS = 200_000, 1_000_000
Rows = list[int] | None
# What can be asked for: it gets the rows that were asked for, if any were, and the rounds.
_WHAT: Mapping[str, Callable[[Place, Rows, int], None]] = {
    "read": lambda place, rows, rounds: read.run(place, rows or _READ, rounds),
    "transforms": lambda place, rows, rounds: transforms.run(
        place, (rows or [_LOOPS])[0], (rows or [_BARS])[-1], rounds
    ),
    "memory": lambda place, rows, rounds: memory.run(place, rows or _MEMORY, max(1, rounds // 2)),
    "processes": lambda place, rows, rounds: processes.run(
        place, (rows or [_PROCESSES])[0], rounds
    ),
    "start": lambda place, rows, rounds: start.run(place, rounds),
    "rest": lambda place, rows, rounds: rest.run(place, rounds),
    "live": lambda place, rows, rounds: live.run(place, (rows or [_FRAMES])[0], rounds),
    "latency": lambda place, rows, rounds: latency.run(place, max(1, rounds // 2)),
    "live-day": lambda place, rows, rounds: live_day.run(place, (rows or [_TRADES])[0]),
    "verify": lambda place, rows, rounds: verify.run(place, (rows or [_VERIFIED])[0], rounds),
    "sinks": lambda place, rows, rounds: sinks.run(place, (rows or [_VERIFIED])[0], rounds),
}


def _given() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=[*_WHAT, "all"], nargs="?", default="all")
    parser.add_argument("--rows", type=int, nargs="+", help="trades in a day; several for read")
    parser.add_argument("--rounds", type=int, default=5, help="how often each contender runs")
    parser.add_argument("--data", type=Path, default=default_root(), help="where days are kept")
    return parser.parse_args()


def main() -> None:
    """Run what the command line asks for."""
    given = _given()
    place, rows, rounds = Place(given.data.resolve()), given.rows, given.rounds
    print(f"{machine()}; medians of {rounds} interleaved rounds, each in fresh processes")
    for what in _WHAT if given.what == "all" else (given.what,):
        _WHAT[what](place, rows, rounds)


if __name__ == "__main__":
    main()
