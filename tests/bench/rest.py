"""REST: how fast pages are read, against ccxt and reading row by row; and back-fills."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from statistics import median

import backfill
import peers
from measure import Contender, environment, interleaved
from place import HERE, Place
from table import show

WERKS, BY_ROW, CCXT = "werks", "row by row", "ccxt"
_HEAD = ["k rows a second of CPU", WERKS, "in order, once", BY_ROW, "×", CCXT, "×"]


def run(place: Place, rounds: int) -> None:
    """Compare the reading of pages, then measure back-fills."""
    pages = place.root / "rest-pages.json"
    place.python("rest_pages.py", str(pages))
    _parsing(place, pages, rounds)
    backfill.run(place, rounds)


def _parsing(place: Place, pages: Path, rounds: int) -> None:
    def command(python: str, script: str) -> list[str]:
        return [python, str(HERE / script), str(pages)]

    contenders = [
        Contender(WERKS, lambda: command(sys.executable, "ours_rest.py")),
        Contender(BY_ROW, lambda: command(sys.executable, "rest_by_row.py")),
    ]
    python, said = peers.python(place, "ccxt")
    if python is not None:
        found = str(python)
        contenders.append(Contender(CCXT, lambda: command(found, "rest_ccxt.py"), most=3))
    interleaved(contenders, rounds, environment(place.compiled))
    outputs = {each.name: _Output(each) for each in contenders}
    for name in outputs[WERKS].kinds:
        assert outputs[WERKS].sums(name) == outputs[BY_ROW].sums(name), name
    rows = [_line(name, outputs) for name in outputs[WERKS].kinds]
    show("pages of REST in memory → rows; rows and sums of prices are equal", _HEAD, rows)
    print(f"{said}; row by row: json.loads, exact Decimals and a dict a row; ccxt: floats")


class _Output:
    """What the rounds of a contender printed: speeds of each kind of page."""

    def __init__(self, contender: Contender) -> None:
        self._rounds = [json.loads(spent.output) for spent in contender.spent]
        self.kinds: Mapping[str, object] = self._rounds[0]

    def speed(self, name: str, of: str = "speed") -> float:
        """Return the median in thousands of rows a second."""
        return median(each[name][of] for each in self._rounds) / 1000

    def sums(self, name: str) -> tuple[int, str]:
        """Return how many rows there were, and the sum of their prices."""
        given = self._rounds[0][name]
        return given["rows"], given["sum"]


def _line(name: str, outputs: Mapping[str, _Output]) -> list[str]:
    ours = outputs[WERKS].speed(name)
    cells = [name, f"{ours:.0f}", f"{outputs[WERKS].speed(name, 'ordered'):.0f}"]
    for other in (BY_ROW, CCXT):
        if other in outputs and name in outputs[other].kinds:
            theirs = outputs[other].speed(name)
            cells += [f"{theirs:.0f}", f"{ours / theirs:.1f}"]
        else:
            cells += ["–", "–"]
    return cells
