import runpy
import subprocess
from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path

import pytest

# Loaded by its path, since folders of tests are no packages.
postgres, database = itemgetter("postgres", "database")(
    runpy.run_path(str(Path(__file__).with_name("servers.py")))
)

CHILD = Path(__file__).with_name("child.py")


@pytest.fixture
def child() -> Path:
    """The program that writes rows in a process of its own; it says how it is called."""
    return CHILD


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "werks-test", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk is not permitted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)
