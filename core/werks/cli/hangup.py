"""SIGHUP: symbols are taken up anew, unless the terminal of the run has gone away."""

import os
import signal
import sys
from collections.abc import Callable


def hear_hang_up(reload: Callable[[], None], end: Callable[[], None]) -> None:
    """Call `reload` at each SIGHUP, or `end` if a terminal has hung up; Windows has no SIGHUP."""
    number = getattr(signal, "SIGHUP", None)
    if number is None:
        return
    # Under nohup the run is to outlive its terminal.
    stays = signal.getsignal(number) == signal.SIG_IGN
    terminals = [
        file.fileno() for file in (sys.stdin, sys.stdout, sys.stderr) if _is_terminal(file)
    ]

    def heard(*_: object) -> None:
        gone = [each for each in terminals if _is_gone(each)]
        if gone:
            _silence(gone)
            terminals.clear()
        if not gone:
            reload()
        elif not stays:
            end()

    signal.signal(number, heard)


def _is_terminal(file: object) -> bool:
    return file is not None and bool(getattr(file, "isatty", bool)())


def _is_gone(terminal: int) -> bool:
    try:
        os.tcgetpgrp(terminal)
    except OSError:
        return True
    return False


def _silence(terminals: list[int]) -> None:
    """Have nobody be told what a terminal would have been: to write to one that is gone fails."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for each in terminals:
        os.dup2(nowhere, each)
    os.close(nowhere)
