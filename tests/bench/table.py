"""Tables of plain text, and the line that says where they were made."""

import os
import platform
from collections.abc import Sequence
from pathlib import Path

from measure import MEGABYTE, Contender


def machine() -> str:
    """Return processor, cores, system and Python in one line."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text().splitlines()
        names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
        model = names[0] if names else model
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return (
        f"{model}, {os.cpu_count()} cores, {platform.system()}, "
        f"Python {platform.python_version()}{load}"
    )


def show(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; the first column is aligned to the left, all others to the right."""
    widths = [max(len(row[place]) for row in [head, *rows]) for place in range(len(head))]
    print(f"\n{title}")
    for row in [head, ["-" * width for width in widths], *rows]:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        print("  ".join(cells).rstrip())


COSTS = ["", "wall s", "min … max", "cpu s", "peak MiB", "rounds"]


def costs(contender: Contender) -> list[str]:
    """Return one contender's medians as cells."""
    low, high = contender.bounds("wall")
    return [
        contender.name,
        f"{contender.middle('wall'):.2f}",
        f"{low:.2f} … {high:.2f}",
        f"{contender.middle('cpu'):.2f}",
        f"{contender.middle('memory') / MEGABYTE:.0f}",
        str(len(contender.spent)),
    ]


def goal(what: str, value: float, bound: float, at_least: bool = True) -> list[str]:
    """Return a ratio beside what it ought to be, as cells."""
    met = value >= bound if at_least else value <= bound
    sign = "≥" if at_least else "≤"
    return [what, f"{value:.2f}", f"{sign} {bound:g}", "yes" if met else "NO"]


GOALS = ["", "measured", "goal", "met"]
