"""Replaces a day again and again, interrupted at one step further each time.

Prints the number of steps; fails at the first one that leaves a hidden file or another day. A
process of its own, as errors raised by a trace outlast their handling in some versions of Python.
"""

import gc
import sys
from importlib import import_module
from pathlib import Path

import werks_sinks
from werks.testing.sink import DAY, SCHEMAS, no_rows, prove, sample

OURS = werks_sinks.__path__[0]
ROWS = sample("trades", rows=10)


class Interrupt:
    """Raises KeyboardInterrupt at the n-th line of our code, as a signal's handler does."""

    def __init__(self, at):
        self.left, self.where = at, None

    def __enter__(self):
        sys.settrace(self.called)

    def __exit__(self, kind, *_):
        sys.settrace(None)
        return kind is KeyboardInterrupt

    def called(self, frame, event, arg):
        code = frame.f_code
        # The lock of a folder is let go of by the end of the process, if not before.
        is_ours = code.co_filename.startswith(OURS) and code.co_name != "locked"
        return self.stepped if is_ours else None

    def stepped(self, frame, event, arg):
        if event == "line":  # raised at a return or yield, it would pass by all that cleans up
            self.left -= 1
            if not self.left:
                sys.settrace(None)
                self.where = f"{frame.f_code.co_filename}:{frame.f_lineno}"
                raise KeyboardInterrupt
        return self.stepped


def replace(sink, interrupt):
    """Write a day in place of one that is there, so far as the interrupt lets it."""
    writer = sink.open(SCHEMAS)
    try:
        with interrupt:
            writer.write(DAY, "trades", ROWS)
            writer.commit(DAY, {"trades": prove("trades", ROWS), **no_rows("bars")})
    finally:
        writer.close()


def main(kind, folder):
    sink = import_module(f"werks_sinks.{kind}").werks_sinks()[kind](path=folder / "data")
    replace(sink, Interrupt(0))
    target = sink.path / "trades" / "bazaar" / "XBTUSD" / f"{DAY.day}.{kind}"
    whole, steps = target.read_bytes(), 0
    while True:
        interrupt = Interrupt(1 + steps)
        replace(sink, interrupt)
        if interrupt.where is None:
            break
        steps += 1
        if list(folder.rglob(".*")):  # of an object that hangs on to the interrupt itself
            gc.collect()
        assert not list(folder.rglob(".*")), interrupt.where
        assert target.read_bytes() == whole, interrupt.where
    sys.stdout.write(f"{steps}\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
