"""Two symbols by two processes against the same by one; nothing is read ahead in either."""

from collections.abc import Sequence

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
    with place.served() as url:

        def contender(name: str) -> Contender:
            def command() -> Sequence[str]:
                folder = place.scratch()
                file = pipeline_file.write(folder, f"{url}/{rows}", SYMBOLS, _SETTINGS[name])
                return werks("run", str(file), "--quiet")

            return Contender(name, command)

        made = [contender(name) for name in _SETTINGS]
        one, two = interleaved(made, rounds, environment(place.compiled))
    place.clean()
    show(
        f"two symbols of {rows:,} trades (memory: the largest process)",
        COSTS,
        [costs(one), costs(two)],
    )
    ratio = one.middle("wall") / two.middle("wall")
    show("goals", GOALS, [goal("times as fast by two processes", ratio, 1.7)])
