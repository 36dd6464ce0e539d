"""The command line: the only room that speaks to a person.

Every command imports what it needs when it runs, so that `--help` is up at once.
"""

import sys
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import click

from .. import __version__
from ..errors import FOREIGN
from . import edge
from .loading import lasting

_FILE = click.Path(path_type=Path)
_THERE = click.Path(path_type=Path, exists=True)
_PLUGIN = click.option(
    "--plugin",
    "plugins",
    type=_FILE,
    multiple=True,
    help="A plugin of one Python file; may be given several times.",
)
_GROUP = "werks.commands"
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")


class _Commands(click.Group):
    """The commands of the core and those of the entry-point group `werks.commands`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(
            {*super().list_commands(ctx), *(point.name for point in entry_points(group=_GROUP))}
        )

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        own = super().get_command(ctx, name)
        if own is not None:
            return own
        points = [point for point in entry_points(group=_GROUP) if point.name == name]
        return _loaded(name, points) if points else None

    def invoke(self, ctx: click.Context) -> Any:
        with edge.said():
            return super().invoke(ctx)


def _loaded(name: str, points: list[EntryPoint]) -> click.Command:
    """Return the command of a plugin; if it is broken, one that says so, to spare the others."""
    owners = sorted({point.dist.name if point.dist else point.value for point in points})
    if len(owners) > 1:
        return _broken(name, f"is claimed by {' and '.join(owners)}: uninstall one of them")
    try:
        found: Any = points[0].load()
    except FOREIGN as error:  # foreign code
        why = f"cannot be loaded: {type(error).__name__}: {error}"
        return _broken(name, f"of {owners[0]} {why}")
    if not isinstance(found, click.Command):
        return _broken(name, f"of {owners[0]} is no click.Command: {found!r}")
    return found


def _broken(name: str, why: str) -> click.Command:
    def say(**_: Any) -> None:
        click.echo(f'error: the command "{name}" {why}', err=True)
        sys.exit(2)

    anything = click.Argument(["anything"], nargs=-1, type=click.UNPROCESSED)
    lenient = {"ignore_unknown_options": True}
    return click.Command(
        name, callback=say, params=[anything], context_settings=lenient, short_help="(broken)"
    )


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="werks")
def main() -> None:
    """Every trade of an exchange, exactly once, as ticks and bars.

    Write a pipeline file (werks new FILE), check it, run it. Exit codes: 0 done, 1 failed, 2 the
    file or a plugin is wrong.
    """
    edge.prepare()


@main.command()
@click.argument("file", type=_FILE)
@_PLUGIN
@click.option("--executor", help="Where tasks run: inline, processes, or a plugin's.")
@click.option("--workers", type=click.IntRange(0), help="How many tasks run side by side.")
@click.option("--quiet", is_flag=True, help="Print errors only.")
@_JSON
def run(file: Path, plugins: tuple[Path, ...], as_json: bool, **given: Any) -> None:
    """Read what FILE asks for and is not there yet."""
    with lasting():
        from .run import run_file

    quiet = given.pop("quiet")
    sys.exit(run_file(file, plugins, given, "json" if as_json else "quiet" if quiet else "plain"))


@main.command()
@click.argument("file", type=_FILE)
@_PLUGIN
@_JSON
def check(file: Path, plugins: tuple[Path, ...], as_json: bool) -> None:
    """Say all that is wrong with FILE; connects to nothing."""
    from .look import check_file

    sys.exit(check_file(file, plugins, as_json))


@main.command()
@click.argument("file", type=_FILE)
@_PLUGIN
@_JSON
def plan(file: Path, plugins: tuple[Path, ...], as_json: bool) -> None:
    """Show what a run of FILE would read."""
    from .look import plan_file

    sys.exit(plan_file(file, plugins, as_json))


@main.command()
@click.argument("file", type=_FILE)
@_PLUGIN
@_JSON
def repair(file: Path, plugins: tuple[Path, ...], as_json: bool) -> None:
    """Try to fill the gaps of FILE by another door."""
    from .mend import repair_file

    sys.exit(repair_file(file, plugins, as_json))


@main.command()
@click.argument("file", type=_FILE)
@_PLUGIN
@click.option("--again", "every", is_flag=True, help="Compare windows that have a result, too.")
@click.option("--sink", help="Prove that this sink has all rows as they were committed, instead.")
@_JSON
def verify(
    file: Path, plugins: tuple[Path, ...], every: bool, sink: str | None, as_json: bool
) -> None:
    """Compare FILE with candles, or a sink with its receipts."""
    if sink is not None:
        from .prove import prove_sink

        if every:
            raise click.UsageError("--again is for candles and does not go with --sink")
        sys.exit(prove_sink(file, plugins, sink, as_json))
    from .mend import verify_file

    sys.exit(verify_file(file, plugins, every, as_json))


@main.command()
@click.argument("file", type=_FILE)
@_PLUGIN
@click.option("--html", type=_FILE, help="Write it as one page that needs no network, too.")
@_JSON
def status(file: Path, plugins: tuple[Path, ...], html: Path | None, as_json: bool) -> None:
    """Show which days of FILE are there, as a calendar of each stream."""
    from .status import status_file

    sys.exit(status_file(file, plugins, html, as_json))


@main.command()
@click.argument("file", type=_FILE)
@_PLUGIN
@click.option("--all", "every", is_flag=True, help="List those that are settled, too.")
@_JSON
def gaps(file: Path, plugins: tuple[Path, ...], every: bool, as_json: bool) -> None:
    """List what FILE lacks, with the cause; 1 if a gap is open."""
    from .gaps import gaps_file

    sys.exit(gaps_file(file, plugins, every, as_json))


@main.command("plugins")
@_PLUGIN
@_JSON
def list_plugins(plugins: tuple[Path, ...], as_json: bool) -> None:
    """List the installed plugins and what they offer."""
    from .look import show_plugins

    sys.exit(show_plugins(plugins, as_json))


@main.command()
@click.argument("type_", metavar="TYPE")
@_PLUGIN
@_JSON
def describe(type_: str, plugins: tuple[Path, ...], as_json: bool) -> None:
    """Explain a component and its options."""
    from .look import describe_type

    sys.exit(describe_type(type_, plugins, as_json))


@main.command()
@click.argument("what", metavar="FILE | plugin", type=_FILE)
@click.argument("name", required=False)
def new(what: Path, name: str | None) -> None:
    """Write a first pipeline FILE, or with `plugin NAME` a plugin."""
    from .new import new_file, new_plugin

    if str(what) == "plugin" and name is None:
        raise click.UsageError("new plugin takes the NAME of the plugin")
    if str(what) != "plugin" and name is not None:
        raise click.UsageError("new takes one FILE, or `plugin` and the NAME of the plugin")
    sys.exit(new_plugin(name) if name is not None else new_file(what))


@main.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=_THERE)
@click.option("--type", "source", default="", help="What reads an exchange's file: PLUGIN.NAME.")
@click.option("-o", "--option", "options", multiple=True, help="An option of it: NAME=VALUE.")
@click.option("--symbol", "symbols", multiple=True, help="Look at this symbol of files of many.")
@click.option("--checksum", default="", help="The SHA-256 that the file should have.")
@click.option("--online", is_flag=True, help="Compare minutes with the exchange's candles.")
@_PLUGIN
@_JSON
def audit(paths: tuple[Path, ...], plugins: tuple[Path, ...], as_json: bool, **given: Any) -> None:
    """Look for what is wrong in files, ours or an exchange's."""
    from .audit import audit_paths

    sys.exit(audit_paths(paths, plugins, given, as_json))


@main.command()
@click.argument("file", type=_FILE)
@click.option("--sink", help="The sink to read; needed where FILE has several.")
@click.option("--node", help="The node whose rows are wanted; needed where the sink has several.")
@click.option("--symbol", "symbols", multiple=True, help="Only this symbol; may be given again.")
@click.option("--start", help="The first day or time, to the nanosecond; or -7d.")
@click.option("--stop", help="The day or time before which to end.")
@click.option("--open", "open_", is_flag=True, help="Take what is not complete, too, at the end.")
@click.option("--columns", help="Only these columns: a,b,c.")
@click.option(
    "--amounts",
    type=click.Choice(["decimal", "float64"]),
    default="decimal",
    help="How Parquet and Feather are to keep amounts: exactly, or as floats.",
)
@click.option("--to", required=True, help="A .parquet, .feather, .csv[.gz|.zst]; - prints CSV.")
@_PLUGIN
def export(file: Path, plugins: tuple[Path, ...], to: str, **given: Any) -> None:
    """Write rows of a sink of FILE as one file; 1 if a day is missing."""
    from .export import export_file

    sys.exit(export_file(file, plugins, to, given))


@main.command()
@click.argument("file", type=_FILE)
@_PLUGIN
def compact(file: Path, plugins: tuple[Path, ...]) -> None:
    """Put days that a live run left in pieces into final files."""
    from .upkeep import compact_file

    sys.exit(compact_file(file, plugins))


@main.command()
@click.argument("file", type=_FILE)
@_PLUGIN
def upload(file: Path, plugins: tuple[Path, ...]) -> None:
    """Upload what waits for it; 1 if something still does."""
    from .upkeep import upload_file

    sys.exit(upload_file(file, plugins))


@main.command()
@click.argument("file", type=_FILE)
@_PLUGIN
@_JSON
def top(file: Path, plugins: tuple[Path, ...], as_json: bool) -> None:
    """Show how the live run of FILE is doing; 1 if nothing answers."""
    from .top import top_file

    sys.exit(top_file(file, plugins, as_json))


@main.command()
@click.argument("path", type=_FILE)
@click.option("--html", type=_FILE, help="Write the chart as one page that needs no network, too.")
@click.option("--node", help="Show the bars of this node only.")
def chart(path: Path, html: Path | None, node: str | None) -> None:
    """Draw the bars that are in files below PATH."""
    from .draw import draw_path

    sys.exit(draw_path(path, html, node))
