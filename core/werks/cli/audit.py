"""`werks audit`: what is in files that are there already, and whether it can be true."""

import json
import os
import sys
import tomllib
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import attrs
import click

from ..audit import Asked, Verdict, audit, compare_days, files
from ..audit.checksum import digest
from ..errors import ConfigError, WerksError
from ..http import Http
from ..plugins import Plugins
from .run import refuse

_FIGURES = ("rows", "repeats", "missing ids")
_MAY_BE = ("checksum", "candles")
_SIZE, _QUOTE = ("size", "total_size", "volume"), ("notional", "total_notional")


def audit_paths(
    paths: Sequence[Path], plugins: tuple[Path, ...], given: dict[str, Any], as_json: bool
) -> int:
    """Print what is found in files; return the exit code."""
    try:
        found = files(paths)
        asked = _asked(found, plugins, given)
    except WerksError as error:
        return refuse(error, as_json)
    with Http() if given["online"] else nullcontext() as http:
        verdicts = list(audit(found, attrs.evolve(asked, http=http)))
    compare_days(verdicts)
    if as_json:
        ok = all(each.ok for each in verdicts)
        click.echo(json.dumps({"ok": ok, "files": [each.plain() for each in verdicts]}, indent=2))
    else:
        _print(verdicts)
    return 0 if all(each.ok for each in verdicts) else 1


def _asked(found: Sequence[Path], plugins: tuple[Path, ...], given: dict[str, Any]) -> Asked:
    problems = []
    if not found:
        problems.append("there are no data files: .feather, .parquet, .csv, .gz or .zip")
    if given["checksum"] and digest(given["checksum"]) is None:
        problems.append("--checksum: 64 hexadecimal digits of a SHA-256 are expected")
    if given["checksum"] and len(found) > 1:
        problems.append(f"--checksum: is of one file, and these are {len(found)}")
    options = {}
    for text in given["options"]:
        name, sign, value = text.partition("=")
        if not sign:
            problems.append(f"-o: NAME=VALUE is expected, not {text}")
        options[name.strip()] = _value(value.strip())
    if problems:
        raise ConfigError(problems)
    asked = Asked(Plugins(plugins), given["source"], options, given["symbols"], given["checksum"])
    asked.require()
    return asked


def _value(text: str) -> Any:
    """Return a value as a pipeline file has it; what is none there is text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _print(verdicts: Sequence[Verdict]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    for name in ("file", "what"):
        table.add_column(name, overflow="fold")
    for name in (*_FIGURES, "size", "notional"):
        table.add_column(name, justify="right", no_wrap=True)
    shown = [name for name in _MAY_BE if any(getattr(each, name) for each in verdicts)]
    for name in ("order", *shown, "verdict"):
        table.add_column(name)
    names = _names(verdicts)
    for each, name in zip(verdicts, names, strict=True):
        more = [getattr(each, column) for column in shown]
        table.add_row(name, *_figures(each), each.order, *more, _word(each))
    # Where there is no terminal nothing is cut off.
    Console(width=None if sys.stdout.isatty() else 240, highlight=False).print(table)
    _say(verdicts, names)


def _figures(verdict: Verdict) -> list[str]:
    missing = "" if verdict.missing_ids is None else f"{verdict.missing_ids:,}"
    what = " ".join(each for each in (verdict.kind, verdict.exchange, verdict.symbol) if each)
    if not verdict.kind:
        return [what, *[""] * 5]
    return [
        what,
        f"{verdict.rows:,}",
        f"{verdict.repeats:,}",
        missing,
        _sum(verdict, _SIZE),
        _sum(verdict, _QUOTE),
    ]


def _sum(verdict: Verdict, names: Sequence[str]) -> str:
    found = next((verdict.sums[name] for name in names if name in verdict.sums), "")
    whole, point, digits = found.partition(".")
    return f"{int(whole):,}{point}{digits}" if whole else ""


def _word(verdict: Verdict) -> str:
    return "good" if verdict.ok else "[red]wrong[/red]"


def _say(verdicts: Sequence[Verdict], names: Sequence[str]) -> None:
    notes: dict[str, list[str]] = {}
    for each, name in zip(verdicts, names, strict=True):
        of = f"{name} {each.symbol}" if names.count(name) > 1 else name
        for note in each.notes:
            notes.setdefault(note, []).append(of)
        for problem in each.problems:
            click.echo(f"wrong: {of}: {problem}", err=True)
    for note, of_ in notes.items():
        more = f" and {len(of_) - 1:,} others" if len(of_) > 1 else ""
        click.echo(f"note: {of_[0]}{more}: {note}")
    wrong = sum(not each.ok for each in verdicts)
    count = len({each.path for each in verdicts})
    said = "all good" if not wrong else f"{wrong:,} of {len(verdicts):,} wrong"
    click.echo(f"{count:,} file{'' if count == 1 else 's'}: {said}")


def _names(verdicts: Sequence[Verdict]) -> list[str]:
    """Return the files' names, without the folder that all of them share."""
    paths = [each.path for each in verdicts]
    shared = Path(os.path.commonpath([path.parent.absolute() for path in paths]))
    return [path.absolute().relative_to(shared).as_posix() for path in paths]
