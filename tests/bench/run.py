"""Benchmarks: ratios against peers and physical limits that were measured in the same run."""

import argparse
from pathlib import Path

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
_WHAT = (
    "read",
    "transforms",
    "memory",
    "processes",
    "start",
    "rest",
    "live",
    "live-day",
    "verify",
    "sinks",
)


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
        if what == "read":
            read.run(place, rows or _READ, rounds)
        elif what == "transforms":
            transforms.run(place, (rows or [_LOOPS])[0], (rows or [_BARS])[-1], rounds)
        elif what == "memory":
            memory.run(place, rows or _MEMORY, max(1, rounds // 2))
        elif what == "processes":
            processes.run(place, (rows or [_PROCESSES])[0], rounds)
        elif what == "rest":
            rest.run(place, rounds)
        elif what == "sinks":
            sinks.run(place, (rows or [_VERIFIED])[0], rounds)
        elif what == "live":
            live.run(place, (rows or [_FRAMES])[0], rounds)
        elif what == "live-day":
            live_day.run(place, (rows or [_TRADES])[0])
        elif what == "verify":
            verify.run(place, (rows or [_VERIFIED])[0], rounds)
        else:
            start.run(place, rounds)


if __name__ == "__main__":
    main()
