"""Each distribution by itself: a wheel of its package only, that works without the workspace."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DISTRIBUTIONS = {
    "core": ("werks", {"aggregate", "bars", "checks", "filter", "inline", "log", "processes"}),
    "sinks": (
        "werks_sinks",
        {"csv", "feather", "memory", "parquet", "postgres", "s3", "sqlite"},
    ),
    **{
        f"plugins/{path.name}": (f"werks_{path.name}", {path.name})
        for path in sorted((ROOT / "plugins").iterdir())
        if (path / "pyproject.toml").exists()
    },
}
QUICK = """
[pipeline]
state = "werks.db"
[sources.trades]
type = "sim.trades"
symbols = ["BTCUSD"]
start = 2024-01-01
stop = 2024-01-02
[transforms.minutes]
type = "bars"
by = "time"
every = "1m"
[sinks.files]
type = "feather"
path = "data"
"""


def call(*command: object, cwd: Path) -> str:
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheels(tmp_path_factory) -> Path:
    """Return a folder with the wheels of all distributions."""
    folder = tmp_path_factory.mktemp("wheels")
    for name in DISTRIBUTIONS:
        call(
            sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT / name
        )
    return folder


def environment(folder: Path, wheels: Path, *names: str) -> Path:
    """Return the programs of a fresh environment with these distributions out of their wheels."""
    uv = Path(sys.executable).with_name("uv")
    call(uv, "venv", "--quiet", "--python", sys.executable, folder / "fresh", cwd=folder)
    programs = folder / "fresh" / "bin"
    call(
        uv,
        *("pip", "install", "--quiet", "--python", programs / "python"),
        *("-c", ROOT / "constraints.txt", "--find-links", wheels),
        *names,
        cwd=folder,
    )
    return programs


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_a_wheel_holds_its_package_only(wheels, name):
    package, _ = DISTRIBUTIONS[name]
    (wheel,) = wheels.glob(f"{package}-*.whl")
    held = {path.split("/")[0] for path in zipfile.ZipFile(wheel).namelist()}
    assert {part for part in held if not part.endswith(".dist-info")} == {package}
    assert f"{package}/py.typed" in zipfile.ZipFile(wheel).namelist()


_SOME = ("core", "sinks", "plugins/sim", "plugins/binance")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in _SOME else [pytest.mark.long])
        for name in DISTRIBUTIONS
    ],
)
@pytest.mark.few(1)
def test_a_wheel_works_in_a_fresh_environment(wheels, name, tmp_path):
    package, plugins = DISTRIBUTIONS[name]
    programs = environment(tmp_path, wheels, package.replace("_", "-"))
    listed = json.loads(call(programs / "werks", "plugins", "--json", cwd=tmp_path))
    ours = {
        point
        for point, entry in listed.items()
        if package.replace("_", "-") in entry["distribution"].split()
    }
    assert ours == plugins
    assert not [entry for entry in listed.values() if "error" in entry]


def test_core_sinks_and_one_plugin_run_a_pipeline_by_themselves(wheels, tmp_path):
    programs = environment(tmp_path, wheels, "werks-sinks", "werks-sim")
    (tmp_path / "p.toml").write_text(QUICK, encoding="utf-8")
    report = json.loads(call(programs / "werks", "run", "p.toml", "--json", cwd=tmp_path))
    assert report["windows"] == {"done": 1, "known": 0}
    assert (tmp_path / "data/minutes/sim/BTCUSD/2024-01-01.feather").exists()
