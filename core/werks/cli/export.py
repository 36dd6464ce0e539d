"""`werks export`: rows of a sink as one file."""

import os
import re
import secrets
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, BinaryIO

import click
import numpy as np

from ..components import Stream
from ..errors import ConfigError, WerksError
from ..export import Export, Wanted
from ..options import moment, structure
from ..pipeline import Graph, load
from ..pipeline.coverage import heard_live, ledger_of
from ..pipeline.plan import nanoseconds
from .run import refuse
from .show import spans

# By the end of a name: the sink that writes such a file, and the options that make it so.
_FORMATS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    ".parquet": ("parquet", {}),
    ".feather": ("feather", {}),
    ".csv": ("csv", {}),
    ".csv.gz": ("csv", {"compression": "gz"}),
    ".csv.zst": ("csv", {"compression": "zst"}),
}
_FRACTION = re.compile(r"(.*:\d\d)[.,](\d+)(.*)")
_STDOUT = "-"

# Up to when (ns) a day is kept of a market.
Heard = Mapping[tuple[Stream, date], int]
# Puts batches into an open file: has `write(batch)` and `close()`.
Encoder = Callable[[BinaryIO, Any], Any]


def export_file(file: Path, plugins: tuple[Path, ...], to: str, given: Mapping[str, Any]) -> int:
    """Write rows of a sink as one file; return the exit code: 0 if no day is missing.

    Today is not missing if a run has heard it so far.
    """
    try:
        graph = load(file, plugin_files=plugins)
        encoder = _encoder(graph, to, given["amounts"])
        export = Export(graph, _wanted(graph, given, datetime.now(UTC)))
        heard = _heard(graph, export.node)
        _require_some(export, heard)
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with _opened(to) as out:
            _write(export, out, encoder)
    except WerksError as error:
        return refuse(error, as_json=False)
    except KeyboardInterrupt:
        click.echo("stopped" if to == _STDOUT else f"stopped: {to} is as it was", err=True)
        return 1
    _say(export, to)
    return 1 if _say_missing(export, heard) else 0


def _today() -> date:
    return datetime.now(UTC).date()


def _heard(graph: Graph, node: str) -> Heard:
    """Return up to when (ns) today is kept of each market whose sources of a node are heard."""
    today, found = _today(), dict[tuple[Stream, date], int]()
    components = {each.source.type for each in graph.branches if node in each.schemas}
    with ledger_of(graph.config) as ledger:
        for stream, days in heard_live(ledger).items():
            if stream.component in components and today in days:
                key = _market(stream.exchange, stream.symbol), today
                found[key] = min(days[today], found.get(key, days[today]))
    return found


def _market(exchange: str, symbol: str) -> Stream:
    return Stream(exchange, symbol, "")


def _require_some(export: Export, heard: Heard) -> None:
    if not any(each.windows for each in export.holdings):
        _say_missing(export, heard)
        raise WerksError(f"{export.sink}: it holds no rows of {export.node} to export")


def _wanted(graph: Graph, given: Mapping[str, Any], now: datetime) -> Wanted:
    sinks = [node.name for node in graph.config.of("sink")]
    sink = given["sink"] or (sinks[0] if len(sinks) == 1 else None)
    if sink is None:
        said = f"there are several sinks, name one by --sink: {', '.join(sinks)}"
        raise ConfigError([f"{graph.config.path}: {said}"])
    asked = given["columns"]
    columns = tuple(filter(None, map(str.strip, (asked or "").split(","))))
    if asked is not None and not columns:
        raise ConfigError([f"--columns: names of columns are expected, not {asked!r}"])
    return Wanted(
        sink,
        given["node"],
        given["symbols"],
        _time("--start", given["start"], now),
        _time("--stop", given["stop"], now),
        given["open_"],
        tuple(dict.fromkeys(columns)),
    )


def _time(name: str, text: str | None, now: datetime) -> int | None:
    """Return a day, a time to the nanosecond or -7d as nanoseconds since 1970."""
    if text is None:
        return None
    found = _FRACTION.fullmatch(text)
    whole, fraction = (f"{found[1]}{found[3]}", found[2]) if found else (text, "")
    if len(fraction) > 9:
        raise ConfigError([f"{name}: at most nine digits of a second are expected, not {text!r}"])
    try:
        return nanoseconds(moment(whole, now)) + int(fraction.ljust(9, "0"))
    except ValueError as error:
        raise ConfigError([f"{name}: {error}"]) from error


def _encoder(graph: Graph, to: str, amounts: str) -> Encoder:
    """Return what begins a file of the format that a name ends in."""
    ending = ".csv" if to == _STDOUT else next(filter(to.endswith, _FORMATS), "")
    if not ending:
        ends = ", ".join(_FORMATS)
        raise ConfigError([f"--to: a name that ends in one of {ends} is expected, or -, not {to}"])
    kind, options = _FORMATS[ending]
    if amounts != "decimal":
        if kind == "csv":
            raise ConfigError(["--amounts: CSV holds amounts as text, exactly: leave it out"])
        options = {**options, "amounts": amounts}
    cls = next(iter(graph.config.plugins.find("sink", kind).values()))
    component, problems = structure(cls, {"path": to, **options})
    if problems:
        raise ConfigError([f"--to: {kind}: {name}: {what}" for name, what in problems])
    encoder: Encoder = component.encoder
    return encoder


def _write(export: Export, out: BinaryIO, encoder: Encoder) -> None:
    """Write all rows; what is half-written at an error is closed all the same."""
    rows = encoder(out, export.schema)
    try:
        for batch in export.batches():
            rows.write(batch)
    except BaseException:
        with suppress(Exception):  # the file is thrown away, and the first error is told
            rows.close()
        raise
    rows.close()


@contextmanager
def _opened(to: str) -> Iterator[BinaryIO]:
    """Give a file that takes its place once it is whole; nothing is left of it at an error."""
    if to == _STDOUT:
        yield sys.stdout.buffer
        return
    out = Path(to)
    aside = out.with_name(f".{out.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        if out.is_dir():
            raise WerksError(f"{out}: a folder stands there: name a file")
        with aside.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        aside.replace(out)
        _sync(out.parent)
    except OSError as error:
        raise WerksError(f"{out}: cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            aside.unlink()


def _sync(folder: Path) -> None:
    """Make the names in a folder outlast a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _say(export: Export, to: str) -> None:
    told = export.told
    windows = sum(len(each.windows) for each in export.holdings)
    when = "" if told.first is None else f", {_shown(told.first)} to {_shown(told.last)}"
    days = f"{windows:,} window{'' if windows == 1 else 's'}"
    # With - the rows themselves are what is printed.
    click.echo(f"{to}: {told.rows:,} rows of {export.node}{when}, {days}", err=to == _STDOUT)


def _say_missing(export: Export, heard: Heard) -> bool:
    """Print the days that are not there, or not proven to be whole; tell whether there are any.

    One that is still heard is told, and counts as neither.
    """
    missing: dict[Any, str] = {}
    unproven: dict[Any, str] = {}
    nothing = [each for each in export.holdings if not each.windows and not each.missing]
    for each in export.holdings:
        stream = _market(each.exchange, each.symbol)
        missing |= {(stream, day): f"not in {export.sink}" for day in each.missing}
        unproven |= {(stream, day): "no receipt says that it is whole" for day in each.unproven}
    grows = {day: heard[day] for day in unproven if day in heard}
    for (stream, day), until in grows.items():
        click.echo(f"live: {stream} {day}: so far kept up to {_shown(until)}", err=True)
        del unproven[stream, day]
    lines = [
        f"missing: {each.exchange} {each.symbol}: nothing is in {export.sink}" for each in nothing
    ]
    lines += [f"missing: {line}" for line in spans(missing)]
    lines += [f"unproven: {line}" for line in spans(unproven)]
    for line in lines:
        click.echo(line, err=True)
    return bool(lines)


def _shown(time: int | None) -> str:
    """Return a time without the zeros at its end."""
    text = str(np.datetime_as_string(np.datetime64(time, "ns")))
    whole, _, fraction = text.partition(".")
    return f"{whole}.{fraction.rstrip('0')}".rstrip(".") + "Z"
