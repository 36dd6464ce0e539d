import fcntl
import os
import subprocess
import sys
import tempfile

import pytest

from werks.scratch import scratch

HOLD = """
import sys, time
from werks.scratch import scratch
with scratch() as folder:
    (folder / "day.csv.gz").write_bytes(bytes(1000))
    sys.stdout.write(folder.name + "\\n")
    sys.stdout.flush()
    time.sleep(60)
"""


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def other(root):
    """A process that has a folder, and the name of it."""
    with subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE) as process:
        yield process, process.stdout.readline().decode().strip()
        process.kill()


def of_the_dead(root):
    """Make a folder with the name of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    (folder := root / f"werks-{process.pid}-abcd_123").mkdir()
    (folder / "day.csv.gz").write_bytes(bytes(10))
    return folder


def names(root):
    return sorted(path.name for path in root.iterdir())


def test_a_folder_is_gone_after_its_use(root):
    with scratch() as folder:
        (folder / "a").write_text("b")
        assert folder.parent == root
        assert folder.name.startswith(f"werks-{os.getpid()}-")
    assert names(root) == []


def test_what_a_killed_process_has_left_is_removed_by_the_next(root, other):
    process, name = other
    with scratch() as folder:
        assert names(root) == sorted([name, folder.name])
    process.kill()
    process.wait()
    assert (root / name / "day.csv.gz").exists()
    with scratch() as folder:
        assert names(root) == [folder.name]


def test_the_folder_of_a_process_in_another_container_stays(root):
    """Its number says nothing here, its lock does."""
    held = of_the_dead(root)
    handle = os.open(held, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with scratch():
        assert (held / "day.csv.gz").exists()
    os.close(handle)
    with scratch():
        assert not held.exists()


def test_what_is_not_ours_stays(root):
    there = root / "elsewhere"
    there.mkdir()
    (there / "a").write_text("b")
    gone = of_the_dead(root)
    link = gone.with_name(gone.name + "x")
    link.symlink_to(there)
    file = gone.with_name(gone.name + "y")
    file.write_text("no folder")
    others = [root / "werks-bench", root / "werks-pg-123", root / f"{gone.name}.old"]
    for each in others:
        each.mkdir()
    with scratch():
        assert not gone.exists()
    assert names(root) == sorted(each.name for each in (there, link, file, *others))
    assert (there / "a").read_text() == "b"


def test_a_folder_that_cannot_be_made_is_an_error_of_the_system(root, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(root / "nowhere"))
    with pytest.raises(OSError, match="nowhere"), scratch():
        pass
