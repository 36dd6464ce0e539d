"""What a live run looks like: a line that stays while it goes on, a table of its streams behind."""

import sys
from collections.abc import Mapping
from typing import Any

from ..pipeline import LiveFigures, Report

Plain = Mapping[str, Any]


def status_line(told: Plain) -> str:
    """Return how all streams are doing, in one line; the first problem stands at its end."""
    streams, problems = told["streams"], told["problems"]
    lags = [each["lag"] for each in streams if each["lag"] is not None]
    words = [
        f"{len(streams)} stream{'' if len(streams) == 1 else 's'}",
        f"{sum(each['rows'] for each in streams):,} rows",
        f"{sum(each['rows_per_second'] for each in streams):,.0f} rows/s",
    ]
    if lags:
        words.append(f"last row {max(0.0, min(lags)):,.1f} s ago")
    holes = sum(each["holes"] for each in streams)
    words += [f"{holes:,} hole{'' if holes == 1 else 's'}"] if holes else []
    words.append(f"{len(problems)} to look at: {problems[0]}" if problems else "all flows")
    return f"live: {', '.join(words)}".replace("\n", " ")


class Changes:
    """Tells a log how a live run is doing: what goes wrong, what is well again, a line at times.

    What is wrong for less than `patience` calls is not told, such as a connection that begins.
    """

    def __init__(self, every: int = 120, patience: int = 4) -> None:
        self._every, self._patience = every, patience
        self._calls = 0
        self._seen: dict[str, int] = {}

    def of(self, told: Plain) -> list[str]:
        """Return the lines to be said now; it is called twice a second."""
        # The first one says that the past is read; connections begin only now.
        lines = [status_line(told)] if self._calls % self._every == self._patience else []
        self._calls += 1
        before, self._seen = self._seen, {}
        for problem in told["problems"]:
            self._seen[problem] = count = before.get(problem, 0) + 1
            if count == self._patience:
                lines.append(problem)
        for problem, count in before.items():
            if problem not in self._seen and count >= self._patience:
                lines.append(f"no more: {problem}")
        return lines


def live_table(report: Report) -> None:
    """Print what came of each stream that was heard."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    table.add_column("live", no_wrap=True)
    for name in ("rows", "holes", "reconnects"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("last id", no_wrap=True)
    table.add_column("state")
    for stream, each in report.live.items():
        counts = (f"{count:,}" for count in (each.rows, each.holes, each.reconnects))
        table.add_row(str(stream), *counts, each.last_id, _state(each))
    wide = None if sys.stdout.isatty() else 200
    Console(width=wide, highlight=False, markup=False).print(table)


def _state(each: LiveFigures) -> str:
    if each.removed:
        return "removed"
    if each.stopped:
        return "refused" if each.refused else "stopped by an error"
    return f"waited: {each.waits}" if each.waits else "flowed" if each.connected else "lost"
