"""Which processes are there, and whether this one may fork."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from werks.processes import lives, may_fork


def test_a_process_lives_until_it_is_gone():
    assert lives(os.getpid())
    assert lives(1)  # which is another user's, as a rule
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    assert not lives(process.pid)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only Linux tells")
def test_one_that_has_ended_and_waits_to_be_noticed_does_not_live():
    process = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    with process:
        assert process.stdout.read() == b""  # it is about to end
        end = time.monotonic() + 20
        while lives(process.pid) and time.monotonic() < end:
            time.sleep(0.01)
        assert not lives(process.pid)
        os.kill(process.pid, 0)  # for nobody has waited for it yet


def test_beside_a_thread_there_is_no_forking():
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    assert not may_fork()
    over.set()
    thread.join()
