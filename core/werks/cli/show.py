"""How a run looks: bars on a terminal, lines elsewhere, and a table at the end."""

import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from ..components import Stream, Window
from ..hookspecs import hookimpl
from ..pipeline import Graph, Plan, Report
from .live import Changes, live_table, status_line

if TYPE_CHECKING:
    from rich.console import RenderableType

_MOST_BARS = 12


class Silence:
    """Prints nothing of what goes on, but answers to what somebody has asked for meanwhile."""

    show = None

    def __enter__(self) -> "Silence":
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def say(self, line: str) -> None:
        """Print a line."""
        click.echo(line, err=True)


class Lines:
    """Prints a line for each window, for logs, and what changes while it is live."""

    def __init__(self) -> None:
        self._changes = Changes()

    def __enter__(self) -> "Lines":
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def read(self, stream: Stream, rows: int) -> None:
        """Take note of rows; a log shows whole windows only."""

    def say(self, line: str) -> None:
        """Print a line."""
        click.echo(line, err=True)

    def show(self, told: Mapping[str, Any]) -> None:
        """Say what has changed of a live run, and at times how it is doing."""
        for line in self._changes.of(told):
            self.say(line)

    @hookimpl
    def werks_run_started(self, plan: Plan) -> None:
        """Say how much there is to do."""
        click.echo(f"{_windows(plan.wanted)} wanted, {plan.to_do} to do", err=True)

    @hookimpl
    def werks_window_done(self, stream: Stream, window: Window, done: Mapping[str, Any]) -> None:
        """Say that a window is done."""
        again = f", {done['repeats']:,} repeats left out" if done["repeats"] else ""
        holes = f", {done['holes']:,} trade ids are missing" if done["holes"] else ""
        click.echo(f"{stream} {window.name}: {done['rows']:,} rows{again}{holes}", err=True)

    @hookimpl
    def werks_window_failed(self, stream: Stream, window: Window, error: Exception) -> None:
        """Say that a window could not be done."""
        click.echo(f"{stream} {window.name}: failed: {error}", err=True)

    @hookimpl
    def werks_observer_failed(self, observer: str, error: Exception) -> None:
        """Say what an observer has raised."""
        click.echo(f"{observer}: failed: {error}", err=True)


class Bars:
    """A progress bar for each stream on a terminal, with rows a second; a line while it is live."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
        )

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("days"),
            TextColumn("{task.fields[rows]:>14,} rows"),
            TextColumn("{task.fields[speed]:>12,}/s"),
            TimeElapsedColumn(),
        )
        self._console = Console(stderr=True, highlight=False, markup=False)
        self._status = ""
        self._tasks: dict[str, Any] = {}
        self._screen = Live(console=self._console, get_renderable=self._view)
        self._began = time.monotonic()

    def __enter__(self) -> "Bars":
        return self

    def __exit__(self, *exc: object) -> None:
        self._screen.stop()

    def _view(self) -> "RenderableType":
        from rich.console import Group
        from rich.text import Text

        bars = [self._progress] if self._tasks else []
        line = [Text(self._status, no_wrap=True, overflow="ellipsis")] if self._status else []
        return Group(*bars, *line)

    def say(self, line: str) -> None:
        """Print a line above what changes."""
        self._console.print(line, soft_wrap=True)

    def show(self, told: Mapping[str, Any]) -> None:
        """Show how a live run is doing; the bars of the past stay above."""
        if not self._status:
            self._screen.start()
            self._console.print(self._progress)
        over = {task.id for task in self._progress.tasks if task.finished or not self._status}
        for name in [name for name, task in self._tasks.items() if task in over]:
            self._progress.remove_task(self._tasks.pop(name))
        self._status = status_line(told)

    @hookimpl
    def werks_run_started(self, plan: Plan) -> None:
        """Draw a bar for each stream that has work, one for all where there are many."""
        self._screen.start()
        left = [day.stream for file in plan.files for day in file.days if day.redo]
        names = sorted({str(stream) for stream in left})
        self._one = len(names) > _MOST_BARS
        for name in [f"{len(names)} streams"] if self._one else names:
            total = len(left) if self._one else sum(str(stream) == name for stream in left)
            self._tasks[name] = self._progress.add_task(name, total=total, rows=0, speed=0)

    def read(self, stream: Stream, rows: int) -> None:
        """Count rows."""
        task = self._task(stream)
        if task is not None:
            have = task.fields["rows"] + rows
            speed = int(have / max(time.monotonic() - self._began, 0.001))
            self._progress.update(task.id, rows=have, speed=speed)

    @hookimpl
    def werks_window_done(self, stream: Stream, window: Window, done: Mapping[str, Any]) -> None:
        """Move the stream's bar on by a day."""
        task = self._task(stream)
        if task is not None:
            if not task.fields["rows"]:
                self.read(stream, done["rows"])
            self._progress.advance(task.id)

    @hookimpl
    def werks_window_failed(self, stream: Stream, window: Window, error: Exception) -> None:
        """Say what failed above the bars."""
        self._console.print(f"{stream} {window.name}: failed: {error}", style="red")

    @hookimpl
    def werks_observer_failed(self, observer: str, error: Exception) -> None:
        """Say what an observer has raised above the bars."""
        self._console.print(f"{observer}: failed: {error}", style="red")

    def _task(self, stream: Stream) -> Any:
        name = next(iter(self._tasks), None) if self._one else str(stream)
        number = self._tasks.get(name) if name is not None else None
        found = [task for task in self._progress.tasks if task.id == number]
        return found[0] if found else None


def summary(report: Report, graph: Graph, quiet: bool) -> None:
    """Print what a run did: a table of streams, what is missing, and every error."""
    if not quiet:
        if report.done:
            _table(report, graph)
        if report.live:
            live_table(report)
        _say(report)
    for error, places in _once(report.errors).items():
        click.echo(f"error: {', '.join(places)}: {error}", err=True)
    if report.stopped:
        click.echo("stopped: what was committed stays; run again to go on", err=True)


def _once(errors: Sequence[tuple[str, Exception]]) -> dict[str, list[str]]:
    """Return each error with the places that it hit: a full disk hits many and is said once."""
    found: dict[str, list[str]] = {}
    for where, error in errors:
        places = found.setdefault(str(error), [])
        if where not in places:
            places.append(where)
    return found


def _say(report: Report) -> None:
    speed = f", {report.rows / report.seconds:,.0f} rows/s" if report.seconds else ""
    if report.done:
        known = f", {_windows(report.known)} known already" if report.known else ""
        click.echo(
            f"{_windows(report.done)} done{known}: {report.rows:,} rows"
            f" in {report.seconds:.2f} s{speed}"
        )
    elif report.known and report.ok:
        click.echo(f"nothing to do: {_windows(report.known)} in the ledger already")
    for each in report.streams.values():
        if each.by_rest:
            click.echo(f"by REST: {each.stream}: {_windows(each.by_rest)}")
        if each.verified:
            click.echo(f"verified: {each.stream}: {_results(each.verified)}")
        if each.holes:
            click.echo(f"holes: {each.stream}: {each.holes:,} trade ids are left out")
    for stream, first in report.before.items():
        click.echo(f"{stream}: published from {first} on")
    for what, days in (("missing", report.missing), ("waiting", report.waiting)):
        for line in spans(days):
            click.echo(f"{what}: {line}")


def _results(verified: Mapping[bool | None, int]) -> str:
    words = {True: "equal to the exchange's candles", False: "different", None: "not known yet"}
    return ", ".join(f"{verified[key]:,} {word}" for key, word in words.items() if verified[key])


def spans(days: Mapping[Any, str]) -> list[str]:
    """Return days that follow each other for one reason as one line."""
    spans: list[list[Any]] = []
    for (stream, day), reason in sorted(
        days.items(), key=lambda item: (str(item[0][0]), item[0][1])
    ):
        last = spans[-1] if spans else None
        if last and last[0] == stream and last[3] == reason and (day - last[2]).days == 1:
            last[2] = day
        else:
            spans.append([stream, day, day, reason])
    return [
        f"{stream} {first}{'' if first == last else f' … {last}'}: {reason}"
        for stream, first, last, reason in spans
    ]


def _windows(count: int) -> str:
    return f"{count:,} window{'' if count == 1 else 's'}"


def _table(report: Report, graph: Graph) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    read = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    for name in ("stream", "days"):
        read.add_column(name, no_wrap=True)
    for name in ("rows", "repeats"):
        read.add_column(name, justify="right", no_wrap=True)
    written: Counter[str] = Counter()
    for each in report.streams.values():
        written.update(each.written)
        if each.done:
            days = f"{each.first}" if each.first == each.last else f"{each.first} … {each.last}"
            read.add_row(str(each.stream), days, f"{each.rows:,}", f"{each.repeats:,}")
    nodes = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    for name in ("node", "type", "written to"):
        nodes.add_column(name, no_wrap=True)
    nodes.add_column("rows", justify="right", no_wrap=True)
    for name, rows in written.items():
        sinks = [node.name for node in graph.config.of("sink") if name in node.inputs]
        nodes.add_row(name, _type(graph, name), ", ".join(sinks), f"{rows:,}")
    # Where there is no terminal nothing is cut off.
    wide = None if sys.stdout.isatty() else 200
    console = Console(width=wide, highlight=False)
    console.print(read)
    console.print(nodes)


def _type(graph: Graph, name: str) -> str:
    sources = graph.config.sources
    return sources[name].type if name in sources else graph.config.nodes[name].type
