"""Writes rows into a sink again and again, and is killed each time at another step.

Usage: kill_child.py SINK PATH STEPS RECEIPT, where STEPS are words out of `resume`, `commit`,
`append` and `finish`. For each number that it reads, a copy of the process is killed at that call
into the file system, and it says `killed`; `done` if there are not so many.
"""

import json
import os
import signal
import sys
from importlib import import_module
from pathlib import Path

from werks.testing.sink import DAY, SCHEMAS, prove, sample

A, B = sample("trades", rows=30), sample("trades", rows=20, seed=3)
CALLS = ("fsync", "replace", "unlink", "rmdir", "mkdir", "open")


def main(name: str, path: str, steps: str, receipt: str) -> None:
    sink = import_module(f"werks_sinks.{name}").werks_sinks()[name](path=Path(path))
    for line in sys.stdin:
        child = os.fork()
        if not child:
            kill_at(int(line))
            run(sink, steps.split(), json.loads(receipt))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        is_killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        sys.stdout.write("killed\n" if is_killed else f"done {status}\n")
        sys.stdout.flush()


def run(sink, steps, receipt):
    writer = sink.open(SCHEMAS)
    proof = {"trades": prove("trades", A, B)}
    for step in steps:
        if step == "resume":
            writer.resume(DAY, receipt)
        elif step == "commit":
            writer.write(DAY, "trades", A)
            writer.write(DAY, "trades", B)
            writer.commit(DAY, proof)
        elif step == "append":
            writer.write(DAY, "trades", B)
            writer.append(DAY, ["trades"])
        elif step == "finish":
            writer.finish(DAY, proof)
    writer.close()


def kill_at(number: int) -> None:
    """Die just before the call of that number into the file system, counted over all of them."""
    left = number

    def counted(call):
        def dying(*args, **kwargs):
            nonlocal left
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*args, **kwargs)

        return dying

    for name in CALLS:
        setattr(os, name, counted(getattr(os, name)))


if __name__ == "__main__":
    main(*sys.argv[1:])
