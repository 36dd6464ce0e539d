"""Live for a day: whether memory stays where it was; what a core does while nothing is traded."""

import json
import sys
from collections.abc import Sequence

from measure import Contender, environment, interleaved
from place import HERE, Place
from table import GOALS, goal, show

_SPEED = 1440.0  # a day a minute
_SYMBOLS, _SECONDS = 100, 20
_CONNECTIONS = (1, 10, 100)
_HEAD = ["MiB resident, by quarter of the day", "1", "2", "3", "4", "peak", "rows", "CPU s"]


def run(place: Place, trades: int) -> None:
    """Follow a day, then quiet symbols over few connections and over many."""
    day = _measured(place, "a day", "day", str(trades), str(_SPEED))
    cells = [f"{day[part]:.0f}" for part in ("1", "2", "3", "4", "peak")]
    line = [f"{trades:,} trades, a day in {86_400 / _SPEED:.0f} s", *cells]
    show(
        "memory of a live run",
        _HEAD,
        [[*line, f"{day['rows']:,.0f}", f"{day['cpu']:.1f}"]],
    )
    shares = {
        count: _measured(place, str(count), "rest", str(_SYMBOLS), str(count), str(_SECONDS))
        for count in _CONNECTIONS
    }
    rows = [[f"{n} connections", f"{each['share'] * 100:.2f}"] for n, each in shares.items()]
    title = f"{_SYMBOLS} quiet symbols for {_SECONDS} s"
    show(title, ["", "% of a core"], rows)
    goals = [
        goal("memory in the last ÷ the second quarter", day["4"] / day["2"], 1.1, at_least=False),
        goal("% of a core, 10 connections", shares[10]["share"] * 100, 3.0, at_least=False),
    ]
    show("goals", GOALS, goals)


def _measured(place: Place, name: str, *given: str) -> dict[str, float]:
    what, *numbers = given

    def command() -> Sequence[str]:
        return [sys.executable, str(HERE / "live_rest.py"), what, str(place.scratch()), *numbers]

    (done,) = interleaved([Contender(name, command)], 1, environment(place.compiled))
    found: dict[str, float] = json.loads(done.spent[0].output)
    return found
