"""`werks top`: how a live run is doing, as a table that goes on."""

import http.client
import json
import os
import select
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from ..config import Config, address
from ..errors import ConfigError, UnavailableError, WerksError
from ..pipeline import load
from .gaps import one_line
from .run import refuse

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

_REFRESH = 1.0
_PATIENCE = 5.0
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  (asked for here, not bound)
_EXAMPLE = 'watch = "127.0.0.1:9464"'

Plain = Mapping[str, Any]


def top_file(file: Path, plugins: tuple[Path, ...], as_json: bool) -> int:
    """Show how the run of a pipeline file is doing; return the exit code."""
    try:
        running = _Running.of(load(file, plugin_files=plugins).config)
        status = running.status()
    except WerksError as error:
        return refuse(error, as_json)
    if as_json:
        click.echo(json.dumps(status, indent=2))
    elif sys.stdout.isatty():
        _follow(running, status)
    else:
        from rich.console import Console

        # Where there is no terminal nothing is cut off.
        Console(width=250, highlight=False).print(_view(status, len(status["problems"])))
    return 0


@attrs.frozen
class _Running:
    """Where the run of a pipeline tells how it is doing."""

    file: Path
    name: str
    watch: str

    @classmethod
    def of(cls, config: Config) -> "_Running":
        """Return it; ConfigError if the file does not let anybody watch."""
        settings = config.settings
        if not settings.watch:
            what = f"write {_EXAMPLE} below [pipeline] and start the run anew"
            raise ConfigError([f"{config.path}: pipeline.watch: it is not set: {what}"])
        return cls(config.path, settings.name, settings.watch)

    def status(self) -> Plain:
        """Return what the run tells now; UnavailableError if nothing does."""
        host, port = address(self.watch)
        line = http.client.HTTPConnection(_ANY.get(host, host), port, timeout=_PATIENCE)
        try:
            line.request("GET", "/status")
            status = json.loads(line.getresponse().read())
        except OSError as error:
            why = f"nothing answers at {self.watch} ({error.strerror or error})"
            hint = f"`werks run {self.file}` does once it has read the past and listens"
            raise UnavailableError(f"{why}: {hint}") from error
        except (http.client.HTTPException, ValueError):
            status = None
        finally:
            line.close()
        if not isinstance(status, dict) or "streams" not in status:
            raise UnavailableError(f"{self.watch}: what answers there is no run of werks")
        if status.get("pipeline", self.name) != self.name:
            other = f'the pipeline "{one_line(str(status["pipeline"]))}", not "{self.name}"'
            raise UnavailableError(f"{self.watch}: what answers there is {other}")
        return status


def _follow(running: _Running, status: Plain) -> None:
    """Show it until somebody presses q or Ctrl-C; a run that ends may begin again."""
    from rich.console import Console, Group
    from rich.live import Live
    from rich.text import Text

    shown = _view(status)
    live = Live(shown, console=Console(highlight=False), screen=True, auto_refresh=False)
    try:
        with _keys() as is_over, live:
            live.refresh()
            while not is_over(_REFRESH):
                try:
                    shown = _view(running.status())
                    live.update(shown, refresh=True)
                except UnavailableError as error:
                    live.update(Group(Text(str(error), "bold red"), shown), refresh=True)
    except KeyboardInterrupt:
        return


@contextmanager
def _keys() -> Iterator[Callable[[float], bool]]:
    """Yield what waits so many seconds and tells whether q was pressed."""
    import termios
    import tty

    fd = sys.stdin.fileno() if sys.stdin is not None and sys.stdin.isatty() else None

    def is_over(seconds: float) -> bool:
        ready, _, _ = select.select([] if fd is None else [fd], [], [], seconds)
        if not ready or fd is None:
            return False
        pressed = os.read(fd, 64)
        return not pressed or b"q" in pressed.lower()

    if fd is None:
        yield is_over
        return
    before = termios.tcgetattr(fd)
    tty.setcbreak(fd)
    try:
        yield is_over
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)


def _view(status: Plain, most: int = 5) -> "RenderableType":
    """Return the tables below so many of the problems, which do not fit into a line of them."""
    from rich.console import Group
    from rich.text import Text

    streams, problems = status["streams"], status["problems"]
    rate = sum(each["rows_per_second"] for each in streams)
    head = Text.assemble(
        (one_line(str(status.get("pipeline", ""))), "bold"),
        f"  {len(streams)} stream{'' if len(streams) == 1 else 's'}  {rate:,.0f} rows/s  ",
        (f"{len(problems)} to look at", "bold red") if problems else ("all flows", "green"),
    )
    said = [Text(one_line(each), "red") for each in problems[:most]]
    if len(problems) > most:
        said.append(Text(f"… and {len(problems) - most} more: see --json", "red"))
    return Group(head, *said, _streams(streams), _sinks(status["sinks"]))


def _table(left: str, right: tuple[str, ...]) -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column(left)
    for name in right:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("state", no_wrap=True)
    return table


def _streams(streams: list[Plain]) -> "Table":
    """Return a line a stream; those that do not flow first, so that a low terminal shows them."""
    from rich.text import Text

    columns = ("rows", "rows/s", "lag s", "last id", "held", "gaps", "differ", "reconnects")
    table = _table("stream", columns)
    for each in sorted(streams, key=lambda each: _state(each) == "flows"):
        name = f"{each['exchange']} {each['symbol']} {each['component'].rpartition('.')[2]}"
        lag = "" if each["lag"] is None else f"{each['lag']:,.1f}"
        counts = [f"{each[what]:,}" for what in ("held", "gaps_open", "differ", "reconnects")]
        rates = [f"{each['rows']:,}", f"{each['rows_per_second']:,.0f}", lag]
        last, state = Text(_short(each["last_id"] or "")), _colored(_state(each), "flows")
        table.add_row(Text(one_line(name)), *rates, last, *counts, state)
    return table


def _sinks(sinks: list[Plain]) -> "Table":
    table = _table("sink", ("waiting bytes",))
    for each in sinks:
        state = _colored("fails" if each["failing"] else "takes rows", "takes rows")
        table.add_row(each["sink"], f"{each['waiting_bytes']:,}", state)
    return table


def _state(stream: Plain) -> str:
    if stream["refused"] or stream["failed"]:
        return "refused" if stream["refused"] else "stopped"
    if not stream["connected"]:
        return "lost" if stream["lost"] else "begins"
    return "waits" if stream["waits"] else "flows"


def _colored(state: str, good: str) -> "Text":
    from rich.text import Text

    return Text(state, "green" if state == good else "red")


def _short(name: str) -> str:
    """Return an id, of a long one such as a UUID its end."""
    return one_line(name if len(name) <= 20 else f"…{name[-12:]}")
