"""`werks chart`: the bars of a folder, in the terminal and as a page."""

from pathlib import Path

import click

from ..errors import WerksError


def draw_path(path: Path, html: Path | None, node: str | None) -> int:
    """Draw bars; return the exit code."""
    from rich.console import Console

    from .chart.bars import read
    from .chart.page import page
    from .chart.terminal import draw

    try:
        series = [each for each in read(path) if node in (None, each.node)]
    except WerksError as error:
        click.echo(f"error: {error}", err=True)
        return 1
    if not series:
        click.echo(f"error: {path}: there are no bars of a node {node}", err=True)
        return 1
    console = Console()
    for each in series[:1]:
        console.print(draw(each, min(console.width, 100), 18))
    if html is not None:
        try:
            html.write_text(page(series, f"werks: {path}"), encoding="utf-8")
        except OSError as error:
            click.echo(f"error: {html}: cannot be written: {error.strerror}", err=True)
            return 1
        click.echo(f"{html}: the same as a page, {len(series)} charts to choose from")
    return 0
