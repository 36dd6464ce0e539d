"""An interrupt may come between any two steps of a write; nothing half-written outlasts it."""

import subprocess
import sys
from pathlib import Path

import pytest

CHILD = Path(__file__).with_name("interrupted_child.py")


@pytest.mark.parametrize("kind", ["csv", "feather", "parquet"])
def test_an_interrupt_at_any_step_of_a_commit_leaves_no_hidden_file(kind, tmp_path):
    command = [sys.executable, str(CHILD), kind, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 300
