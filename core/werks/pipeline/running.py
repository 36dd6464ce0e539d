"""Run a pipeline: its past first, then what goes on for ever."""

from collections.abc import Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ..archive import Apart, whole
from ..config import Config, read
from ..errors import FOREIGN, ConfigError, PluginError, WerksError, foreign
from ..http import Http
from ..ledger import Ledger
from .graph import Graph
from .plan import Again
from .report import Report
from .task import DAY
from .until import Until, guarded
from .walking import Means, walk
from .work import Progress


def load(path: Path | str, now: datetime | None = None, plugin_files: Sequence[Path] = ()) -> Graph:
    """Return the graph of a pipeline file; ConfigError holds all that is wrong with it."""
    graph = Graph(read(Path(path), now or datetime.now(UTC), plugin_files))
    _executor(graph.config)
    return graph


def run(
    graph: Graph,
    progress: Progress | None = None,
    now: datetime | None = None,
    again: Again | None = None,
    until: Until | None = None,
) -> Report:
    """Do all that is wanted and not done; errors of single windows are in the report.

    `again` names windows to read again, each with the door to take, whatever the ledger says.
    Sources without `stop` that have a live door go on until `until` says that it is over; with
    `again` they do not.
    """
    settings, now, until = graph.config.settings, now or datetime.now(UTC), until or Until()
    began = until.clock()
    for node in graph.config.of("observer"):
        if not graph.config.plugins.manager.is_registered(node.component):
            graph.config.plugins.manager.register(node.component, f"observers.{node.name}")
    graph.config.plugins.check_hooks()  # what the program that runs us has registered
    # Processes start before threads and databases exist here, so that they may be forked.
    with (
        _executor(graph.config).executor(settings.workers) as executor,
        closing(Apart(whole)) as apart,
    ):
        if getattr(executor, "here", False) and _reads_files(graph):
            apart.ready()
        ledger = Ledger(settings.state, settings.name)
        try:
            with Http(settings.tries, quarantine=settings.quarantine) as http, ExitStack() as stack:
                hooks = graph.config.plugins.events
                hooks.begin()
                until = guarded(until, hooks)
                means = Means(ledger, http, executor, hooks, progress, apart)
                live, ahead = again is None and graph.is_live, None
                if live:
                    from .ahead import early  # only now: websockets cost time to import
                    from .following import go_on

                    ahead = early((graph, ledger, until), http, stack)
                report = walk(graph, means, now, again)
                if not report.stopped:
                    _send_due(graph, report)
                if live and not report.stopped:
                    last = _catch_up(graph, means, (now, began), (report, until))
                    apart.close()
                    go_on(graph, means, (report, until), ahead, last)
                report.errors += hooks.taken()
                hooks.werks_run_ended(report=report)
                report.errors += hooks.taken()
                return report
        finally:
            ledger.close()


def _reads_files(graph: Graph) -> bool:
    """Tell whether there may be files to be read."""
    doors = [branch.source.doors for branch in graph.branches]
    return graph.config.settings.read_ahead and any("archive" in each for each in doors)


def _send_due(graph: Graph, report: Report) -> None:
    """Have sinks that upload send what earlier runs left: no window may have opened them."""
    for node in graph.config.of("sink"):
        if hasattr(node.component, "send_due"):
            try:
                node.component.send_due()
            except FOREIGN as error:
                ours = error if isinstance(error, WerksError) else foreign(node.name, error)
                report.errors.append((node.name, ours))


def _catch_up(
    graph: Graph, means: Means, began: tuple[datetime, int], given: tuple[Report, Until]
) -> int:
    """Read the days that have ended while the past was read; return when none had."""
    (now, since), (report, until) = began, given
    while not report.stopped and (clock := until.clock()) // DAY > since // DAY:
        now += timedelta(microseconds=(clock - since) // 1000)
        since = clock
        report.join(walk(graph, means, now))
    return since


def _executor(config: Config) -> Any:
    name = config.settings.executor
    try:
        found = config.plugins.find("executor", name)
    except PluginError as error:
        raise ConfigError([f"{config.path}: pipeline.executor: {error}"]) from error
    return next(iter(found.values()))()
