"""How long it takes until help is up."""

import sys

from measure import Contender, environment, interleaved
from place import Place, werks
from table import GOALS, goal, show

_ROUNDS = 15


def run(place: Place, rounds: int) -> None:
    """Compare `werks --help` with a Python that does nothing."""
    contenders = [
        Contender("python -c pass", lambda: [sys.executable, "-c", "pass"]),
        Contender("werks --help", lambda: werks("--help")),
        Contender("werks plugins", lambda: werks("plugins")),
    ]
    env = environment(place.compiled)
    interleaved(contenders, 1, env)
    for each in contenders:
        each.spent.clear()
    nothing, usage, _ = interleaved(contenders, max(rounds, _ROUNDS), env)
    lines = [
        [each.name, f"{each.middle('wall') * 1000:.0f}", f"{each.bounds('wall')[0] * 1000:.0f}"]
        for each in contenders
    ]
    show("start-up", ["", "median ms", "min ms"], lines)
    over = (usage.middle("wall") - nothing.middle("wall")) * 1000
    show("goals", GOALS, [goal("ms of help beyond Python's own", over, 150, at_least=False)])
