"""Commands in processes of their own: what each cost, round by round, one after the other.

This module stays small on purpose: a child's peak memory is never less than its parent's at the
time of the fork.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from tree import Peak

MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Spent:
    """What a process and its children cost: seconds by the clock, of processor, bytes at most."""

    wall: float
    cpu: float
    memory: int
    output: str


@dataclass
class Contender:
    """A command, made anew for each round; `most` bounds the rounds of those that take long.

    One of several processes is weighed in a round of its own, as to look at them takes time, too.
    """

    name: str
    command: Callable[[], Sequence[str]]
    most: int = 1000
    several: bool = False
    spent: list[Spent] = field(default_factory=list)
    weighed: int = 0

    def middle(self, what: str) -> float:
        """Return the median of one cost over all rounds."""
        return median(self._values(what))

    def bounds(self, what: str) -> tuple[float, float]:
        """Return the least and the greatest of one cost."""
        values = self._values(what)
        return min(values), max(values)

    def _values(self, what: str) -> list[float]:
        values = [float(getattr(each, what)) for each in self.spent]
        return [max(value, self.weighed) for value in values] if what == "memory" else values


def environment(cache: Path) -> dict[str, str]:
    """Return an environment in which modules are compiled once, outside of where they lie."""
    given = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return given | {"PYTHONPYCACHEPREFIX": str(cache)}


def spend(command: Sequence[str], env: Mapping[str, str], weigh: bool = False) -> Spent:
    """Run a command to its end; CalledProcessError, with what it printed, if it fails.

    Its memory is that of the largest process, or of all together if they are to be weighed.
    """
    began = time.perf_counter()
    process = subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=Path(__file__).parent
    )
    assert process.stdout
    assert process.stderr
    peak = Peak(process.pid) if weigh else None
    # Both are read to their ends by turns: nothing that runs here prints more than a pipe holds.
    output, errors = process.stdout.read().decode(), process.stderr.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    together = peak.end() if peak else 0
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    process.stderr.close()
    if process.returncode:
        sys.stderr.write(output + errors)
        raise subprocess.CalledProcessError(process.returncode, command)
    cpu = usage.ru_utime + usage.ru_stime
    kilobytes = 1 if sys.platform == "darwin" else 1024
    return Spent(wall, cpu, max(usage.ru_maxrss * kilobytes, together), output)


def interleaved(
    contenders: Sequence[Contender], rounds: int, env: Mapping[str, str]
) -> Sequence[Contender]:
    """Run all contenders by turns, every round beginning with another one."""
    for number in range(rounds):
        turn = number % len(contenders)
        for contender in [*contenders[turn:], *contenders[:turn]]:
            if number < contender.most:
                contender.spent.append(spend(contender.command(), env))
    for contender in contenders:
        if contender.several:
            contender.weighed = spend(contender.command(), env, weigh=True).memory
    return contenders
