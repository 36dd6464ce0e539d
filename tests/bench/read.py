"""From a day's file to ticks, significant ticks, minutes and bars by notional in files."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import peers
import pipeline_file
from measure import Contender, environment, interleaved, spend
from place import HERE, SYMBOLS, Place, werks
from table import COSTS, GOALS, costs, goal, show

WERKS, ANCESTOR, POLARS, UNPACK = "werks run", "ancestor's manner", "Polars, decimals", "isal only"
OVER_HTTP = "werks run, over HTTP"
_TINY = 2_000
_ANCESTOR_GOALS = {200_000: 15, 1_000_000: 40}
_SLOW = 2_000_000  # the ancestor takes minutes beyond
_LARGE = 5_000_000  # a day on which start-up counts for little


class Reading:
    """All contenders on one day; each round writes to a folder of its own."""

    def __init__(self, place: Place, url: str, rows: int) -> None:
        self._place, self._rows = place, rows
        self._path = place.day(rows)
        self._url = f"{url}/{rows}"
        self.folders: dict[str, Path] = {}
        self.notes: list[str] = []

    def contenders(self) -> list[Contender]:
        """Return those that can run here; what lacks is in the notes."""
        found = [
            Contender(UNPACK, lambda: [*self._python(), "decompress.py", str(self._path)]),
            Contender(WERKS, self._werks(), several=True),
            Contender(OVER_HTTP, self._werks(over_http=True), several=True),
        ]
        frames, said = peers.python(self._place, "frames")
        if frames is None:
            self.notes.append(said)
            return found
        found.append(Contender(POLARS, self._peer(POLARS, frames, "polars_way.py")))
        if self._rows < _SLOW:
            ancestor = self._peer(ANCESTOR, frames, "ancestor.py")
            found.append(Contender(ANCESTOR, ancestor, most=3 if self._rows <= 200_000 else 1))
        return found

    def _python(self) -> list[str]:
        return [str(Path(werks()[0]).with_name("python"))]

    def _folder(self, name: str) -> Path:
        self.folders[name] = self._place.scratch()
        return self.folders[name]

    def _werks(self, over_http: bool = False) -> Callable[[], Sequence[str]]:
        # The folder that is served, or read in place, as the other contenders do.
        folder = self._path.parent.parent.parent.as_uri()
        name, url = (OVER_HTTP, self._url) if over_http else (WERKS, folder)

        def command() -> Sequence[str]:
            file = pipeline_file.write(self._folder(name), url, SYMBOLS[:1])
            return werks("run", str(file), "--quiet")

        return command

    def _peer(self, name: str, python: Path, script: str) -> Callable[[], Sequence[str]]:
        least, every = str(pipeline_file.LEAST), str(pipeline_file.EVERY)

        def command() -> Sequence[str]:
            folder = self._folder(name)
            return [str(python), str(HERE / script), str(self._path), str(folder), least, every]

        return command

    def differences(self) -> list[str]:
        """Return what the contenders have written otherwise than werks did in the last round."""
        found = []
        for name in (OVER_HTTP, POLARS, ANCESTOR):
            if name in self.folders:
                given = ["--no-prices"] if name == ANCESTOR else []
                ours, theirs = (self._figures(each, given) for each in (WERKS, name))
                found.append(_difference(name, ours, theirs))
        return found

    def _figures(self, name: str, given: list[str]) -> Any:
        return json.loads(self._place.python("compare.py", str(self.folders[name]), *given))


def _difference(name: str, ours: Any, theirs: Any) -> str:
    wrong = [
        f"{node}.{what}: {value} and not {ours[node][what]}"
        for node, values in theirs.items()
        for what, value in values.items()
        if ours[node][what] != value
    ]
    counts = ", ".join(f"{values['rows']} {node}" for node, values in ours.items())
    return f"{name}: {'; '.join(wrong) if wrong else f'rows and sums equal ({counts})'}"


def run(place: Place, sizes: Sequence[int], rounds: int) -> None:
    """Measure every size and print a table for each."""
    env = environment(place.compiled)
    for rows in (_TINY, *sizes):
        place.day(rows)
    with place.served() as url:
        for contender in Reading(place, url, _TINY).contenders():
            spend(contender.command(), env)  # compiles the modules of all
        for rows in sizes:
            reading = Reading(place, url, rows)
            contenders = reading.contenders()
            for contender in contenders[:1] + contenders[2:3]:
                spend(contender.command(), env)  # brings the file into memory
            _print(rows, interleaved(contenders, rounds, env), reading)
            place.clean()


def _print(rows: int, contenders: Sequence[Contender], reading: Reading) -> None:
    ours = next(each for each in contenders if each.name == WERKS).middle("wall")
    head = [*COSTS, "÷ werks"]
    lines = [[*costs(each), f"{each.middle('wall') / ours:.2f}"] for each in contenders]
    show(
        f"csv.gz → ticks → significant, 1m and notional bars → files, {rows:,} trades", head, lines
    )
    goals = _goals(rows, {each.name: each for each in contenders})
    if goals:
        show("goals", GOALS, goals)
    for note in (*reading.differences(), *reading.notes):
        print(note)


def _goals(rows: int, by_name: dict[str, Contender]) -> list[list[str]]:
    ours = by_name[WERKS]
    found = []
    if ANCESTOR in by_name:
        ratio = by_name[ANCESTOR].middle("wall") / ours.middle("wall")
        found.append(goal("times as fast as the ancestor", ratio, _ANCESTOR_GOALS.get(rows, 15)))
    if rows < _LARGE:
        return found
    if POLARS in by_name:
        other = by_name[POLARS]
        for what, most in (("wall", 1.0), ("memory", 0.5)):
            ratio = ours.middle(what) / other.middle(what)
            found.append(goal(f"{what} of Polars", ratio, most, at_least=False))
    ratio = by_name[UNPACK].middle("wall") / ours.middle("wall")
    found.append(goal("of decompress-only speed", ratio, 0.30))
    return found
