"""Whether memory grows with the file."""

from collections.abc import Sequence

import pipeline_file
from measure import MEGABYTE, Contender, environment, interleaved
from place import SYMBOLS, Place, werks
from table import COSTS, GOALS, costs, goal, show


def run(place: Place, sizes: Sequence[int], rounds: int) -> None:
    """Run days of several sizes and compare their peaks."""
    for rows in sizes:
        place.day(rows)
    with place.served() as url:

        def contender(rows: int) -> Contender:
            def command() -> Sequence[str]:
                folder = place.scratch()
                file = pipeline_file.write(folder, f"{url}/{rows}", SYMBOLS[:1])
                return werks("run", str(file), "--quiet")

            return Contender(f"{rows:,} trades", command, several=True)

        done = interleaved([contender(n) for n in sizes], rounds, environment(place.compiled))
    place.clean()
    show("peak memory of werks run", COSTS, [costs(each) for each in done])
    least, most = (done[place].bounds("memory")[1] for place in (0, -1))
    growth = f"{sizes[-1]:,} against {sizes[0]:,} trades"
    lines = [
        goal(growth, most / least, 1.1, at_least=False),
        goal("MiB at the most", max(least, most) / MEGABYTE, 300, at_least=False),
    ]
    show("goals", GOALS, lines)
