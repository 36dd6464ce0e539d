"""`werks compact` and `werks upload`: what is left to do with rows that are in a sink."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from ..errors import WerksError
from ..pipeline import Graph, load
from .run import refuse


def compact_file(file: Path, plugins: tuple[Path, ...]) -> int:
    """Put the segments of days that are over into final files; return the exit code."""
    try:
        graph = load(file, plugin_files=plugins)
        for node in graph.config.of("sink"):
            _compact(graph, node.name, node.component)
    except WerksError as error:
        return refuse(error, as_json=False)
    return 0


def _compact(graph: Graph, name: str, sink: Any) -> None:
    writer = sink.open(_schemas(graph, name))
    try:
        if not hasattr(writer, "compact"):
            click.echo(f"{name}: its rows need no compaction")
            return
        count = 0
        for window, node, rows in writer.compact(datetime.now(UTC).date()):
            count += 1
            where = f"{node} {window.exchange} {window.symbol} {window.name}"
            click.echo(f"{name}: {where}: {rows:,} rows in one file now")
        if not count:
            click.echo(f"{name}: nothing to compact")
    finally:
        writer.close()


def _schemas(graph: Graph, sink: str) -> dict[str, Any]:
    """Return the schemas of the nodes whose rows a sink takes."""
    return {
        node: branch.schemas[node]
        for branch in graph.branches
        for node, sinks in branch.sinks.items()
        if any(each.name == sink for each in sinks)
    }


def upload_file(file: Path, plugins: tuple[Path, ...]) -> int:
    """Send what waits in sinks that upload; return the exit code: 1 if something still waits."""
    waiting = False
    try:
        graph = load(file, plugin_files=plugins)
        for node in graph.config.of("sink"):
            if not hasattr(node.component, "send"):
                click.echo(f"{node.name}: it uploads nothing")
            else:
                waiting |= _send(node.name, node.component)
    except WerksError as error:
        return refuse(error, as_json=False)
    return 1 if waiting else 0


def _send(name: str, sink: Any) -> bool:
    """Send all that waits in a sink; tell whether something still does."""
    done = sink.send()
    for key in done.sent:
        click.echo(f"{name}: uploaded {key}")
    for key in done.waiting:
        click.echo(f"{name}: waits: {key}", err=True)
    why = f": {done.reason}" if done.reason else ""
    counts = f"{len(done.sent):,} uploaded; {len(done.waiting):,} waiting, {done.bytes:,} bytes"
    click.echo(f"{name}: {counts}{why}")
    return bool(done.waiting)
