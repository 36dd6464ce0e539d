"""`werks status`: which days of each stream are there, as a calendar, with totals."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import WerksError
from ..pipeline import load
from ..pipeline.coverage import MARKS, coverage, ledger_of
from .calendar.terminal import GLYPHS, draw, legend
from .calendar.totals import Totals, span
from .run import refuse

if TYPE_CHECKING:
    from rich.console import Console

# Four months beside each other: a third of a year is found with one look.
_WIDEST = 4 * 41


def status_file(file: Path, plugins: tuple[Path, ...], html: Path | None, as_json: bool) -> int:
    """Print what is there of each stream, and write it as a page; return the exit code."""
    now = datetime.now(UTC)
    try:
        config = load(file, now, plugins).config
        with ledger_of(config) as ledger:
            found = [Totals.of(each) for each in coverage(config, ledger, now)]
    except WerksError as error:
        return refuse(error, as_json)
    name, read = config.settings.name, ledger is not None
    if html is not None:
        from .calendar.page import page

        try:
            html.write_text(page(found, f"werks: {name}", now), encoding="utf-8")
        except OSError as error:
            return refuse(WerksError(f"{html}: cannot be written: {error.strerror}"), as_json)
    if as_json:
        streams = [each.plain() for each in found]
        told = {"pipeline": name, "at": now.isoformat(), "read": read, "streams": streams}
        click.echo(json.dumps(told, indent=2))
        return 0
    if not read:
        click.echo(f"{config.settings.state}: there is no ledger yet: nothing has been read\n")
    _print(found)
    if html is not None:
        click.echo(f"\n{html}: the same as a page")
    return 0


def _print(found: Sequence[Totals]) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    for named in (True, False):
        mine = [each for each in found if each.covered.named is named]
        if mine and not named:
            console.print("no longer in the file:\n", style="bold")
        for each in mine:
            _stream(each, console)
    console.print(legend(mark for each in found for mark in each.covered.marks), soft_wrap=True)


def _stream(totals: Totals, console: "Console") -> None:
    from rich.text import Text

    days = totals.covered.days
    when = span(days[0].day, days[-1].day) if days else "no day is wanted yet"
    console.print(Text.assemble((totals.name, "bold"), f"  {when}"), soft_wrap=True)
    if totals.drawn:
        console.print(draw(totals.drawn, min(console.width, _WIDEST)), soft_wrap=True)
    marks, counts = totals.covered.marks, Text()
    for mark in MARKS:
        if marks[mark]:
            counts.append("  " if counts else "")
            counts.append(GLYPHS[mark][0], GLYPHS[mark][1])
            counts.append(f" {marks[mark]:,} {mark}")
    console.print(counts, soft_wrap=True)
    for line in totals.words():
        console.print(Text(line), soft_wrap=True)
    console.print()
