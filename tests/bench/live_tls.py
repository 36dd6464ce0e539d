"""A TLS websocket → a Feather file, against cryptofeed's own connection that calls nothing back."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import peers
from measure import Contender, environment, interleaved
from place import HERE, Place, pinned
from table import GOALS, goal, show

_HEAD = ["", "k frames a second", "CPU µs a frame", "CPU of cryptofeed ÷ its own"]
_KIND, _FRAMES = "binance.aggtrades", 50_000
_AT_ONCE = (1, 20)
_WAYS = {
    "listener": "werks: Listener → Feather",
    "recv_data": "websocket-client's recv_data → Feather",
}
_PEER, _GOAL = "cryptofeed", 1.1


def run(place: Place, rounds: int) -> None:
    """Compare the processor time of the receiving process; the sender has the other core."""
    peer, note = peers.python(place, _PEER)
    folder = _certificate(place)
    if peer is None or folder is None:
        print(f"TLS → Feather is not measured: {note if peer is None else 'there is no openssl'}")
        return
    frames = place.root / f"live-tls-{_FRAMES}.json"
    if not frames.exists():
        place.python("live_frames.py", str(frames), str(_FRAMES), _KIND)
    env = environment(place.compiled) | {"SSL_CERT_FILE": str(folder / "cert.pem")}
    goals = []
    for at_once in _AT_ONCE:
        with _sending(folder, frames, at_once) as url:
            found = _measured(place, peer, url, rounds, env)
        many = "a frame" if at_once == 1 else f"{at_once} frames"
        title = f"TLS socket → Feather ({_FRAMES:,} aggregates of Binance, {many} a record)"
        show(title, _HEAD, [_line(name, found) for name in found])
        ratio = found[_PEER][0] / found["listener"][0]
        goals.append(goal(f"{many} a record: CPU of cryptofeed ÷ werks", ratio, _GOAL))
    show("goals", GOALS, goals)


def _measured(
    place: Place, peer: Path, url: str, rounds: int, env: dict[str, str]
) -> dict[str, tuple[float, float]]:
    """Return seconds of processor and on the clock, medians, by contender."""

    def ours(way: str) -> Contender:
        script = [sys.executable, str(HERE / "ours_tls.py"), url, way, str(_FRAMES)]
        return Contender(way, lambda: [*pinned(1), *script, str(place.scratch())])

    theirs = [*pinned(1), str(peer), str(HERE / "cryptofeed_tls.py"), url, str(_FRAMES)]
    contenders = [*map(ours, _WAYS), Contender(_PEER, lambda: theirs)]
    interleaved(contenders, rounds, env)
    found = {}
    for each in contenders:
        told = [json.loads(spent.output) for spent in each.spent]
        assert {one["rows"] for one in told} == {_FRAMES}, each.name
        found[each.name] = (median(o["cpu"] for o in told), median(o["wall"] for o in told))
    return found


def _line(name: str, found: dict[str, tuple[float, float]]) -> list[str]:
    cpu, wall = found[name]
    shown = _WAYS.get(name, "cryptofeed: its connection and handler")
    times = f"{found[_PEER][0] / cpu:.2f}"
    return [shown, f"{_FRAMES / wall / 1000:.0f}", f"{cpu / _FRAMES * 1e6:.1f}", times]


def _certificate(place: Place) -> Path | None:
    """Return a folder with a certificate for this machine and its key; None without openssl."""
    folder = place.root / "tls"
    openssl = shutil.which("openssl")
    if openssl is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    made = ["-keyout", folder / "key.pem", "-out", folder / "cert.pem", "-days", "2"]
    command = [openssl, "req", "-x509", *key, *made, *names]
    subprocess.run(command, check=True, capture_output=True)
    return folder


@contextmanager
def _sending(folder: Path, frames: Path, at_once: int) -> Iterator[str]:
    """Run the sender and yield its address."""
    script = [sys.executable, str(HERE / "live_serve.py"), "--file", str(frames), "--kind", _KIND]
    command = [*pinned(0), *script, "--at-once", str(at_once), "--tls", str(folder)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as server:
        assert server.stdout
        assert server.stdin
        try:
            yield server.stdout.readline().strip()
        finally:
            server.stdin.close()
