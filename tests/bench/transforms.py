"""The transforms alone: against the loops of the ancestor, and bars against mlfinpy."""

import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import peers
import pipeline_file
from measure import Contender, environment, interleaved
from place import HERE, Place
from table import show

_BARS = {"time": "1m", "ticks": 500, "volume": 25, "notional": 1_000_000}
_LOOPS = {"aggregate": 50, "filter": 500}
_AS_BARS = 100
_FROM = {
    "from arrays, with which both begin": "ready",
    "from arrays on its side, from rows with exact decimals on ours": "speed",
}
_SUMS = ("open", "high", "low", "close", "volume", "notional", "ticks")
_HEAD = ["", "werks M rows/s", "peer M rows/s", "ratio", "goal", "met", "came out"]


def run(place: Place, loops: int, bars: int, rounds: int) -> None:
    """Compare with the ancestor on a day of `loops` trades, with mlfinpy on one of `bars`.

    The fastest round of each counts: neighbours of a shared machine slow what works on arrays down
    more than loops, and not in the same rounds.
    """
    print("the fastest of all rounds counts, of each.")
    _against_loops(place, loops, rounds)
    _against_mlfinpy(place, bars, rounds)


def _ours(path: Path, wanted: Mapping[str, Any], *given: str) -> list[str]:
    script = str(HERE / "ours_transforms.py")
    return [sys.executable, script, str(path), json.dumps(wanted), *given]


def _against_loops(place: Place, rows: int, rounds: int) -> None:
    frames, said = peers.python(place, "frames")
    if frames is None:
        print(said)
        return
    path, least = place.day(rows), str(pipeline_file.LEAST)
    script, every = str(HERE / "ancestor.py"), str(pipeline_file.EVERY)
    contenders = [
        Contender("werks", lambda: _ours(path, {"filter": least})),
        Contender(
            "ancestor",
            lambda: [str(frames), script, str(path), str(place.scratch()), least, every],
            most=3,
        ),
    ]
    ours, theirs = map(_outputs, interleaved(contenders, rounds, environment(place.compiled)))
    place.clean()
    lines = [
        _line(name, (ours, theirs), bound, f"{ours[0][name]['rows']:,} rows")
        for name, bound in _LOOPS.items()
    ]
    show(f"against the ancestor's loops, {rows:,} trades in memory ({said})", _HEAD, lines)


def _against_mlfinpy(place: Place, rows: int, rounds: int) -> None:
    found, said = peers.python(place, "mlfinpy")
    if found is None:
        print(said)
        return
    path, floats = place.day(rows), place.root / f"trades-{rows}.npz"
    place.python("ours_transforms.py", str(path), "{}", str(floats))
    script, wanted = str(HERE / "mlfinpy_bars.py"), json.dumps(_BARS)
    contenders = [
        Contender("werks", lambda: _ours(path, _BARS)),
        Contender("mlfinpy", lambda: [str(found), script, str(floats), wanted]),
    ]
    ours, theirs = map(_outputs, interleaved(contenders, rounds, environment(place.compiled)))
    for title, speed in _FROM.items():
        lines = [
            _line(by, (ours, theirs), _AS_BARS, _same(ours[0][by], theirs[0][by]), speed)
            for by in _BARS
        ]
        show(f"bars against mlfinpy, {rows:,} trades in memory, {title} ({said})", _HEAD, lines)


def _outputs(contender: Contender) -> list[dict[str, Any]]:
    return [json.loads(spent.output) for spent in contender.spent]


def _line(
    name: str, both: tuple[Any, Any], bound: float, came: str, speed: str = "speed"
) -> list[str]:
    ours = max(float(each[name][speed]) for each in both[0])
    theirs = max(_speed(each[name]) for each in both[1])
    ratio = ours / theirs
    cells = [f"{ours / 1e6:.2f}", f"{theirs / 1e6:.3f}", f"{ratio:.0f}", f"≥ {bound:g}"]
    return [name, *cells, "yes" if ratio >= bound else "NO", came]


def _speed(given: Any) -> float:
    return float(given["speed"] if isinstance(given, dict) else given)


def _same(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> str:
    """Say how many complete bars there are, and where the two kinds differ.

    mlfinpy leaves out the last minute, and sums floats: a sum may miss its threshold by a hair.
    """
    counts = f"{ours['bars']:,} bars"
    if ours["bars"] != theirs["bars"]:
        return f"{counts}, theirs {theirs['bars']:,}"
    wrong = [name for name in _SUMS if not math.isclose(ours[name], theirs[name], rel_tol=1e-9)]
    return f"{counts}, {'sums equal' if not wrong else 'other sums of ' + ', '.join(wrong)}"
