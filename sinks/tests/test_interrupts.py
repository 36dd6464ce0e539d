"""An interrupt may come between any two steps of a write; nothing half-written outlasts it."""

import gc
import sys
from importlib import import_module

import pytest

import werks_sinks
from werks.testing.sink import DAY, SCHEMAS, no_rows, prove, sample

OURS = werks_sinks.__path__[0]
ROWS = sample("trades", rows=10)


class Interrupt:
    """Raises KeyboardInterrupt at the n-th step through our code, as a signal's handler does."""

    def __init__(self, at):
        self.left, self.where = at, None

    def __enter__(self):
        self.before = sys.gettrace()
        sys.settrace(self.called)

    def __exit__(self, kind, *_):
        sys.settrace(self.before)
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
                sys.settrace(self.before)
                self.where = f"{frame.f_code.co_filename}:{frame.f_lineno}"
                raise KeyboardInterrupt
        return self.stepped


def hidden(folder):
    return [str(path) for path in folder.rglob(".*")]


def replace(sink, interrupt):
    """Write a day in place of one that is there, so far as the interrupt lets it."""
    writer = sink.open(SCHEMAS)
    try:
        with interrupt:
            writer.write(DAY, "trades", ROWS)
            writer.commit(DAY, {"trades": prove("trades", ROWS), **no_rows("bars")})
    finally:
        writer.close()


# An object that nobody holds any more closes its file as it goes.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("kind", ["csv", "feather", "parquet"])
def test_an_interrupt_at_any_step_of_a_commit_leaves_no_hidden_file(kind, tmp_path):
    sink = import_module(f"werks_sinks.{kind}").werks_sinks()[kind](path=tmp_path / "data")
    replace(sink, Interrupt(0))
    target = sink.path / "trades" / "bazaar" / "XBTUSD" / f"{DAY.day}.{kind}"
    whole, steps = target.read_bytes(), 0
    while True:
        interrupt = Interrupt(1 + steps)
        replace(sink, interrupt)
        if interrupt.where is None:
            break
        steps += 1
        if hidden(tmp_path):  # an object that hangs on to the interrupt itself
            gc.collect()
        assert not hidden(tmp_path), interrupt.where
        assert target.read_bytes() == whole
    assert steps > 300
