"""`werks verify --sink`: a sink read back whole, against its receipts and the ledger."""

import json
from pathlib import Path
from typing import Any

import attrs
import click

from ..errors import WerksError
from ..ledger import Ledger
from ..pipeline import Proven, load, prove
from .run import refuse


def prove_sink(file: Path, plugins: tuple[Path, ...], sink: str, as_json: bool) -> int:
    """Prove that a sink holds what was committed; return the exit code: 0 if it does."""
    found: list[Proven] = []
    try:
        graph = load(file, plugin_files=plugins)
        ledger = Ledger(graph.config.settings.state, graph.config.settings.name)
        try:
            for each in prove(graph, ledger, sink):
                found.append(each)
                if not as_json:
                    _say(each)
        finally:
            ledger.close()
    except WerksError as error:
        return refuse(error, as_json)
    if as_json:
        click.echo(json.dumps([_plain(each) for each in found], indent=2))
    elif not found:
        click.echo("nothing to prove: the sink holds nothing, and the ledger knows of nothing")
    return 1 if any(each.problems for each in found) else 0


def _say(each: Proven) -> None:
    verdict = "NOT PROVEN" if each.problems else "proven"
    what = f"{each.node}, {each.exchange} {each.symbol}"
    days = f"{each.first} to {each.last}" if each.first != each.last else f"{each.first}"
    held = f"{each.windows:,} {'windows' if each.windows != 1 else 'window'}"
    sums = "".join(f", {name} {_short(value)}" for name, value in each.sums.items())
    click.echo(f"{verdict}: {what}: {held}, {days}, {each.rows:,} rows{sums}, {each.hash}")
    for problem in each.problems:
        click.echo(f"  {problem}")
    for note in each.notes:
        click.echo(f"  note: {note}")


def _short(amount: str) -> str:
    """Return exact decimal text without the zeros at its end."""
    return amount.rstrip("0").rstrip(".") if "." in amount else amount


def _plain(each: Proven) -> dict[str, Any]:
    days = {"first": str(each.first), "last": str(each.last)}
    return {**attrs.asdict(each), **days, "proven": not each.problems}
