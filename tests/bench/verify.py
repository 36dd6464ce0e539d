"""What it costs to compare a day's minutes with the exchange's candles while the day is read."""

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import pipeline_file
from measure import Contender, environment, interleaved
from place import SYMBOLS, Place, werks
from serving import served
from table import COSTS, GOALS, costs, goal, show

_READ, _VERIFIED = "werks run", "werks run, verify = true"
_MOST = 0.05
_ASKED = "SELECT verified, verified_why FROM werks_ledger_windows"


class Verifying:
    """A day read with and without a comparison; each round goes to a folder of its own."""

    def __init__(self, place: Place, url: str, rows: int) -> None:
        self._place, self._url, self._rows = place, url, rows
        self.folders: dict[str, Path] = {}

    def contender(self, name: str, verify: bool) -> Contender:
        """Return the run of the day."""
        lines = f'rest_url = "{self._url}"\nverify = {str(verify).lower()}'
        return Contender(name, self._command(name, lines))

    def _command(self, name: str, lines: str) -> Callable[[], Sequence[str]]:
        def command() -> Sequence[str]:
            folder = self.folders[name] = self._place.scratch()
            url = f"{self._url}/{self._rows}"
            file = pipeline_file.write(folder, url, SYMBOLS[:1])
            text = file.read_text(encoding="utf-8")
            file.write_text(text.replace("archive_url", f"{lines}\narchive_url"), encoding="utf-8")
            return werks("run", str(file), "--quiet")

        return command

    def said(self) -> str:
        """Return what the comparison said; AssertionError unless all minutes are equal."""
        with sqlite3.connect(self.folders[_VERIFIED] / "werks.db") as ledger:
            ((verified, why),) = ledger.execute(_ASKED).fetchall()
        assert verified, why
        return str(why)


def run(place: Place, rows: int, rounds: int) -> None:
    """Compare the processor time of both, round by round."""
    day, candles = place.day(rows), place.root / f"candles-{rows}.json"
    place.python("candles.py", str(day), str(candles))
    given = ("--days", str(place.archive), "--candles", str(candles))
    env = environment(place.compiled)
    with served(*given) as url:
        both = Verifying(place, url, rows)
        contenders = [both.contender(_READ, False), both.contender(_VERIFIED, True)]
        interleaved(contenders, 1, env)  # compiles the modules, brings the file into memory
        for each in contenders:
            each.spent.clear()
        plain, verified = interleaved(contenders, rounds, env)
        said = both.said()
    place.clean()
    show(f"a day of {rows:,} trades against its candles", COSTS, [costs(plain), costs(verified)])
    ratios = [more.cpu / less.cpu for more, less in zip(verified.spent, plain.spent, strict=True)]
    show("goals", GOALS, [goal("cpu more to verify", median(ratios) - 1, _MOST, at_least=False)])
    print(f"{said}; the ratio is the median of {len(ratios)} pairs")
