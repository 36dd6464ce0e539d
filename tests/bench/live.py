"""Live: frames → rows against cryptofeed's and ccxt.pro's handlers; the socket → messages."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import live_tls
import peers
from measure import Contender, environment, interleaved
from place import HERE, Place
from table import GOALS, goal, show

WERKS, CRYPTOFEED, CCXT = "werks", "cryptofeed", "ccxt"
_PEERS = ((CRYPTOFEED, "live_cryptofeed.py", 2.2, 1000), (CCXT, "live_ccxt.py", 20.0, 3))
_HEAD = ["k frames a second of CPU", WERKS, CRYPTOFEED, "×", "ccxt.pro", "×"]
_WAYS = {
    "line": "werks.live.Line",
    "recv_data": "websocket-client, recv_data, no UTF-8 check",
    "recv": "websocket-client, recv",
}
_LINE_HEAD = ["", "k frames a second", "CPU µs a frame", "× CPU of Line"]
_FRAMES, _SIZE = 100_000, 170
# At least so many times less CPU than websocket-client's fastest way.
_LINE_GOAL = 1.8


def run(place: Place, trades: int, rounds: int) -> None:
    """Compare what a frame costs, then what it costs to get it from a socket."""
    _handling(place, trades, rounds)
    _receiving(place, rounds)
    live_tls.run(place, rounds)


def _handling(place: Place, trades: int, rounds: int) -> None:
    frames = place.root / f"live-frames-{trades}.json"
    place.python("live_frames.py", str(frames), str(trades))

    def contender(name: str, python: str, script: str, most: int) -> Contender:
        return Contender(name, lambda: [python, str(HERE / script), str(frames)], most)

    contenders, notes = [contender(WERKS, sys.executable, "ours_live.py", 1000)], []
    for name, script, _, most in _PEERS:
        python, said = peers.python(place, name)
        notes.append(said)
        if python is not None:
            contenders.append(contender(name, str(python), script, most))
    interleaved(contenders, rounds, environment(place.compiled))
    speeds = {each.name: _speeds(each) for each in contenders}
    title = f"frames in memory → rows ({trades:,} trades of each kind, one a frame, to Arrow)"
    show(title, _HEAD, [_line(name, speeds) for name in speeds[WERKS]])
    show("goals", GOALS, _goals(speeds))
    print(f"{'; '.join(notes)}. The peers call nothing back; – where one has no such handler:")
    print("the fastest of all rounds counts, of each.")
    print("cryptofeed 2.4 reads Kraken's version 1, Coinbase's Advanced Trade and aggTrade only.")


def _speeds(contender: Contender) -> Mapping[str, float]:
    """Return thousands of frames a second by kind, by the fastest of the rounds.

    Each is some milliseconds of processor only: equal rounds differ by half where others share it.
    """
    rounds = [json.loads(spent.output) for spent in contender.spent]
    return {name: max(each[name]["speed"] for each in rounds) / 1000 for name in rounds[0]}


def _line(name: str, speeds: Mapping[str, Mapping[str, float]]) -> list[str]:
    ours = speeds[WERKS][name]
    cells = [name, f"{ours:.0f}"]
    for peer, *_ in _PEERS:
        theirs = speeds.get(peer, {}).get(name)
        cells += ["–", "–"] if theirs is None else [f"{theirs:.0f}", f"{ours / theirs:.1f}"]
    return cells


def _goals(speeds: Mapping[str, Mapping[str, float]]) -> list[list[str]]:
    return [
        goal(f"{name}: werks ÷ {peer}", speeds[WERKS][name] / theirs, bound)
        for peer, _, bound, _ in _PEERS
        for name, theirs in speeds.get(peer, {}).items()
    ]


def _receiving(place: Place, rounds: int) -> None:
    with _sending() as url:

        def contender(way: str) -> Contender:
            script = str(HERE / "live_line.py")
            return Contender(way, lambda: [sys.executable, script, url, way, str(_FRAMES)])

        contenders = [contender(way) for way in _WAYS]
        interleaved(contenders, rounds, environment(place.compiled))
    found = {each.name: [json.loads(spent.output) for spent in each.spent] for each in contenders}
    assert {each["size"] for ways in found.values() for each in ways} == {_FRAMES * _SIZE}
    cpu = {way: _middle(found[way], "cpu") / _FRAMES * 1e6 for way in _WAYS}
    rows = [
        [name, f"{_FRAMES / _middle(found[way], 'wall') / 1000:.0f}", f"{cpu[way]:.2f}",
         f"{cpu[way] / cpu['line']:.1f}"]
        for way, name in _WAYS.items()
    ]  # fmt: skip
    show(f"loopback socket → messages ({_FRAMES:,} frames of {_SIZE} bytes)", _LINE_HEAD, rows)
    ratio = cpu["recv_data"] / cpu["line"]
    show("goals", GOALS, [goal("Line: less CPU than recv_data", ratio, _LINE_GOAL)])


def _middle(rounds: list[dict[str, Any]], what: str) -> float:
    return float(median(each[what] for each in rounds))


@contextmanager
def _sending() -> Iterator[str]:
    """Run the sender and yield its address."""
    made = ["--frames", str(_FRAMES), "--size", str(_SIZE)]
    command = [sys.executable, str(Path(HERE) / "live_serve.py"), *made]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as server:
        assert server.stdout
        assert server.stdin
        try:
            yield server.stdout.readline().strip()
        finally:
            server.stdin.close()
