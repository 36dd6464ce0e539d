"""The peers' own environments: werks' environment stays clean, and a peer may lack without harm."""

import re
import subprocess
import sys
from pathlib import Path

from place import Place

# pyarrow wants numpy 2 and mlfinpy numpy 1; mlfinpy does not say that it needs scikit-learn.
_WANTED = {
    "frames": ["numpy", "pandas", "polars", "pyarrow"],
    "ccxt": ["ccxt"],
    "cryptofeed": ["cryptofeed==2.4.1"],  # the last one for Python 3.11
    "mlfinpy": ["mlfinpy", "numpy<2", "scikit-learn"],
}


def python(place: Place, name: str) -> tuple[Path | None, str]:
    """Return the Python of an environment, made if it is not there; None and why if it cannot."""
    folder = place.root / f"peers-{name}-{sys.version_info.major}{sys.version_info.minor}"
    found, ready = folder / "bin" / "python", folder / "ready"
    if ready.exists():
        return found, ready.read_text()
    print(f"installing {', '.join(_WANTED[name])}", file=sys.stderr)
    uv = Path(sys.executable).parent / "uv"
    if uv.exists():
        make = [str(uv), "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)]
        fill = [str(uv), "pip", "install", "--quiet", "--python", str(found)]
    else:
        make = [sys.executable, "-m", "venv", "--clear", str(folder)]
        fill = [str(found), "-m", "pip", "install", "--quiet"]
    for command in (make, [*fill, *_WANTED[name]]):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            lines = (done.stderr or done.stdout).strip().splitlines()
            return None, f"{name} cannot be installed: {lines[-1] if lines else 'no reason given'}"
    ready.write_text(_versions(found, name))
    return found, ready.read_text()


def _versions(found: Path, name: str) -> str:
    names = [re.split("[<=]", wanted)[0] for wanted in _WANTED[name]]
    code = f"from importlib.metadata import version\nfor n in {names}: print(n, version(n))"
    done = subprocess.run([found, "-c", code], capture_output=True, text=True, check=True)
    return ", ".join(done.stdout.strip().splitlines())
