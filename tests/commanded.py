"""`werks run` as a process of its own, whose file is edited; its exchange goes by our clock."""

import fcntl
import os
import pty
import re
import subprocess
import sys
import termios
import threading
import time
from contextlib import contextmanager

from .playing import served
from .reloading import wait

A_DAY = 30_000
COMMAND = """
[pipeline]
name = "reloaded"
state = "{root}/werks.db"
commit_every = 0.2
reconnect_after = 0.05
quarantine = "{root}/aside"

[sources.trades]
type = "sim.trades"
symbols = {symbols}
start = "-1d"
trades_per_day = {per_day}
stale_after = 2
rest_url = "{rest}"
ws_url = "{ws}"

[transforms.minutes]
type = "bars"
by = "time"
every = "1m"

[sinks.db]
type = "sqlite"
inputs = ["trades", "minutes"]
path = "{root}/rows.db"
"""


class Command:
    """`werks run` as a process of its own, on a terminal of its own or without one."""

    def __init__(self, loopback, server, root):
        begin = time.time_ns()
        self.course = served(loopback, begin, A_DAY)
        server.play(self.course.advance, begin)
        self.server, self.rest, self.root = server, loopback, root
        self.file, self._out = root / "p.toml", b""

    def write(self, symbols):
        given = {"rest": self.rest.url, "ws": self.server.url, "per_day": A_DAY}
        self.file.write_text(COMMAND.format(root=self.root, symbols=symbols, **given))

    @contextmanager
    def started(self, terminal=True):
        call = [sys.executable, "-m", "werks", "run", str(self.file)]
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (40, 100))
        env = os.environ | {"TERM": "xterm"}
        out = theirs if terminal else subprocess.PIPE
        given = {"stdin": theirs, "stdout": out, "stderr": out, "env": env}

        def lead():  # the terminal is this process's own: it hangs up with it
            os.setsid()
            fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

        with subprocess.Popen(call, preexec_fn=lead, **given) as self.process:
            os.close(theirs)
            self.ours = ours
            source = ours if terminal else self.process.stderr.fileno()
            reading = threading.Thread(target=self._read, args=(source,), daemon=True)
            reading.start()
            try:
                yield self
            finally:
                self.process.kill()
                self.process.wait()
                self.hang_up()

    def hang_up(self):
        if self.ours is not None:
            os.close(self.ours)
            self.ours = None

    def _read(self, source):
        try:
            while got := os.read(source, 1 << 16):
                self._out += got
        except OSError:
            return

    @property
    def out(self):
        """What it has said, without colours and moves."""
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self._out.decode(errors="replace"))

    def until_said(self, text, seconds=40):
        wait(lambda: text in self.out or self.process.poll() is not None, seconds)
        assert text in self.out, self.out[-3000:]

    def signal(self, number):
        self.process.send_signal(number)

    def end(self, seconds=15):
        return self.process.wait(seconds)
