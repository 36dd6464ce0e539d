"""Two symbols by two processes against the same by one; nothing is read ahead in either.

How much faster two processes can be at all on this machine, two bare loops tell in the same rounds.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import pipeline_file
from measure import Contender, environment, interleaved
from place import SYMBOLS, Place, werks
from table import COSTS, GOALS, costs, goal, show

_SETTINGS = {
    "one process": 'executor = "inline"\nread_ahead = false',
    "two processes": 'executor = "processes"\nworkers = 2\nread_ahead = false',
}


def run(place: Place, rows: int, rounds: int) -> None:
    """Run both by turns and compare their time on the clock."""
    for symbol in SYMBOLS:
        place.day(rows, symbol)
    # Read in place: a server would want its share of the cores that two processes need.
    folder = place.day(rows).parent.parent.parent.as_uri()

    def contender(name: str) -> Contender:
        def command() -> Sequence[str]:
            file = pipeline_file.write(place.scratch(), folder, SYMBOLS, _SETTINGS[name])
            return werks("run", str(file), "--quiet")

        return Contender(name, command, several=True)

    def loops(count: int) -> Contender:
        return Contender(f"bare loops, {count} at once", lambda: _loops(count))

    made = [*(contender(name) for name in _SETTINGS), loops(1), loops(2)]
    interleaved(made, rounds, environment(place.compiled))
    place.clean()
    show(
        f"two symbols of {rows:,} trades (memory: of all processes)",
        COSTS,
        [costs(each) for each in made],
    )
    one, two, loop, both = (each.middle("wall") for each in made)
    show(
        "goals",
        GOALS,
        [
            goal("times as fast by two processes", one / two, 1.7),
            ["times as fast are two bare loops", f"{loop / both:.2f}", "", ""],
        ],
    )


def _loops(count: int) -> Sequence[str]:
    return [sys.executable, str(Path(__file__).parent / "loops.py"), str(count)]
