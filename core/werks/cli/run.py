"""`werks run`: progress while it goes, a summary at the end."""

import json
import signal
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import click

from ..errors import ConfigError, PluginError, WerksError
from ..pipeline import Again, Graph, Reload, Report, Until, load, run
from .hangup import hear_hang_up
from .loading import lasting
from .show import Bars, Lines, Silence, summary


def run_file(
    file: Path,
    plugins: tuple[Path, ...],
    given: Mapping[str, Any],
    manner: str,
    again: Again | None = None,
) -> int:
    """Run a pipeline file and print what came of it; return the exit code.

    `again` names windows to read again, each with the door to take.
    """
    began = datetime.now(UTC)

    def read() -> Graph:
        return _with(load(file, began, plugins), given)

    try:
        with lasting():
            graph = read()
    except WerksError as error:
        return refuse(error, manner == "json")
    ending = Ending()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ending.heard)
    watcher = _watcher(manner)
    reload = Reload(read, lambda line: watcher.say(f"reload: {line}"))
    if graph.is_live:
        hear_hang_up(reload, ending.hung_up)
    try:
        with watcher:
            report = _run(graph, watcher, again, Until(ending, reload=reload, show=watcher.show))
    except WerksError as error:
        return refuse(error, manner == "json")
    if manner == "json":
        click.echo(json.dumps(report.plain(), indent=2))
    else:
        summary(report, graph, quiet=manner == "quiet")
    return 0 if report.ok else 1


def _with(graph: Graph, given: Mapping[str, Any]) -> Graph:
    """Return the graph with what the command line says in place of the file."""
    said = {name: value for name, value in given.items() if value is not None}
    if not said:
        return graph
    settings = attrs.evolve(graph.config.settings, **said)
    return Graph(attrs.evolve(graph.config, settings=settings))


class Ending:
    """Whether a live run is to end: after the first signal it does so well, the second cuts it."""

    def __init__(self) -> None:
        self._is_live = self._asked = False

    def __call__(self) -> bool:
        """Tell whether it is over; whoever asks is live."""
        self._is_live = True
        return self._asked

    def heard(self, *_: object) -> None:
        """Take a signal: what is live comes to its end, all else is interrupted.

        One more ends the process, whatever it waits for.
        """
        if self._is_live and not self._asked:
            self._asked = True
            return
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        raise KeyboardInterrupt

    def hung_up(self) -> None:
        """Come to the end, as nobody sees what goes on."""
        if not self._asked:
            self.heard()


def _watcher(manner: str) -> Bars | Lines | Silence:
    if manner != "plain":
        return Silence()
    return Bars() if sys.stderr.isatty() else Lines()


def _run(
    graph: Graph, watcher: Bars | Lines | Silence, again: Again | None, until: Until
) -> Report:
    if isinstance(watcher, Silence):
        return run(graph, again=again, until=until)
    graph.config.plugins.manager.register(watcher, "werks.cli")
    return run(graph, watcher.read, again=again, until=until)


def refuse(error: WerksError, as_json: bool) -> int:
    """Print why nothing was done; return the exit code that fits."""
    problems = error.problems if isinstance(error, ConfigError) else (str(error),)
    if as_json:
        click.echo(json.dumps({"ok": False, "problems": list(problems)}, indent=2))
    else:
        for problem in problems:
            click.echo(f"error: {problem}", err=True)
    return 2 if isinstance(error, (ConfigError, PluginError)) else 1
