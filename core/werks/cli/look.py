"""`werks check`, `plan`, `plugins`, `describe`: to look, without reading a single trade."""

import inspect
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import click

from ..errors import PluginError, WerksError
from ..http import Http
from ..ledger import Ledger
from ..options import words
from ..pipeline import Graph, Plan, load, make_plan
from ..plugins import DOORS, HOOKS, Plugins
from .run import refuse
from .show import spans

_DOORS = {"archive": "by the archive", "rest": "by REST", "snapshot": "as a list"}


def check_file(file: Path, plugins: tuple[Path, ...], as_json: bool) -> int:
    """Print every problem of a pipeline file; return the exit code."""
    try:
        graph = load(file, plugin_files=plugins)
    except WerksError as error:
        return refuse(error, as_json)
    config = graph.config
    counts = {
        "sources": len(config.sources),
        "transforms": len(config.of("transform")),
        "sinks": len(config.of("sink")),
    }
    if as_json:
        click.echo(json.dumps({"ok": True, **counts}, indent=2))
    else:
        words_ = ", ".join(
            f"{count} {kind if count != 1 else kind[:-1]}" for kind, count in counts.items()
        )
        click.echo(f"{file}: good: {words_}")
    return 0


def plan_file(file: Path, plugins: tuple[Path, ...], as_json: bool) -> int:
    """Print what a run would read; return the exit code."""
    try:
        graph = load(file, plugin_files=plugins)
        ledger = Ledger(graph.config.settings.state, graph.config.settings.name)
        try:
            with Http(graph.config.settings.tries) as http:
                plan = make_plan(graph, ledger, http, datetime.now(UTC))
        finally:
            ledger.close()
    except WerksError as error:
        return refuse(error, as_json)
    if as_json:
        click.echo(json.dumps(_plain(plan), indent=2))
    else:
        _print_plan(plan, graph)
    return 1 if plan.errors else 0


def _plain(plan: Plan) -> dict[str, Any]:
    days = [(file, day) for file in plan.files for day in file.days]
    return {
        "windows": {"wanted": plan.wanted, "to_do": plan.to_do},
        "files": [
            {
                "stream": str(day.stream),
                "day": str(day.day),
                "door": file.door,
                "reason": file.reason,
                "url": file.file.url,
                "redo": {node: list(sinks) for node, sinks in day.redo.items()},
            }
            for file, day in days
        ],
        "missing": [[str(s), str(day), why] for (s, day), why in plan.missing.items()],
        "waiting": [[str(s), str(day), why] for (s, day), why in plan.waiting.items()],
        "errors": [[where, str(error)] for where, error in plan.errors],
    }


def _print_plan(plan: Plan, graph: Graph) -> None:
    to_do: dict[Any, str] = {}
    known: dict[Any, str] = {}
    for file in plan.files:
        for day in file.days:
            if day.redo:
                every = len(day.redo) == sum(bool(s) for s in file.branch.sinks.values())
                nodes = "all nodes" if every else "only " + ", ".join(day.redo)
                why = f" ({file.reason})" if file.reason else ""
                to_do[day.stream, day.day] = f"{_DOORS[file.door]}{why}, {nodes}"
            else:
                known[day.stream, day.day] = "in the ledger already"
    for what, days in (
        ("read", to_do),
        ("done", known),
        ("missing", plan.missing),
        ("waiting", plan.waiting),
    ):
        for line in spans(days):
            click.echo(f"{what:>8}  {line}")
    for stream, first in plan.before.items():
        click.echo(f"{'before':>8}  {stream}: published from {first} on")
    for where, error in plan.errors:
        click.echo(f"error: {where}: {error}", err=True)
    click.echo(f"{plan.to_do:,} of {plan.wanted:,} windows to do ({graph.config.path})")


def show_plugins(plugins: tuple[Path, ...], as_json: bool) -> int:
    """Print all plugins and what they offer; a broken one is shown as such."""
    try:
        known = Plugins(plugins)
    except PluginError as error:
        return refuse(error, as_json)
    found: dict[str, Any] = {}
    for name in known.names():
        entry: dict[str, Any] = {"distribution": known.distribution(name)}
        try:
            offered = known.components(name)
        except PluginError as error:
            entry["error"] = str(error)
        else:
            entry["offers"] = {kind: sorted(types) for kind, types in offered.items()}
        found[name] = entry
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        _print_plugins(found)
    return 0


def _print_plugins(found: dict[str, Any]) -> None:
    for kind in HOOKS:
        for entry in found.values():
            for type_ in entry.get("offers", {}).get(kind, []):
                click.echo(f"{kind:<10} {type_:<22} {entry['distribution']}")
    for entry in found.values():
        if "error" in entry:
            click.echo(f"error: {entry['error']}", err=True)


def describe_type(type_: str, plugins: tuple[Path, ...], as_json: bool) -> int:
    """Print the help, the options and the blind spots of a component."""
    try:
        kind, classes = _component(Plugins(plugins), type_)
    except PluginError as error:
        return refuse(error, as_json)
    cls = next(iter(classes.values()))
    described = {
        "type": type_,
        "kind": kind,
        "help": inspect.getdoc(cls) or "",
        "options": [_option(field) for field in _fields(classes)],
        "doors": [DOORS[hook] for hook in classes if hook in DOORS],
        "continuity": getattr(cls, "continuity", None),
        "reach": {
            DOORS[hook]: _reach(cls) for hook, cls in classes.items() if hasattr(cls, "reach")
        },
        "blind_spots": list(getattr(cls, "blind_spots", ())),
    }
    if isinstance(described["continuity"], property):
        described["continuity"] = None
    if as_json:
        click.echo(json.dumps(described, indent=2))
    else:
        _print_description(described)
    return 0


def _reach(cls: Any) -> str:
    """Return how far back a class of REST doors goes, as far as that does not depend on options."""
    reach = cls.reach
    if isinstance(reach, property):
        return "depends on the options"
    if reach is None:
        return "back to the beginning"
    return f"the last {reach.days} days" if reach.days else "the latest rows only"


def _component(plugins: Plugins, type_: str) -> tuple[str, dict[str, type]]:
    """Return the kind and the classes of a component; PluginError if no kind has it."""
    name, dot, _ = type_.partition(".")
    plugins.get(name)
    for kind in HOOKS:
        if (type_ if dot else name) in plugins.components(name).get(kind, {}):
            return kind, plugins.find(kind, type_)
    offered = [full for types in plugins.components(name).values() for full in types]
    raise PluginError(f'the plugin "{name}" has no "{type_}"; it has: {", ".join(sorted(offered))}')


def _fields(classes: dict[str, type]) -> list[Any]:
    """Return the options of all doors, each once."""
    found: dict[str, Any] = {}
    for cls in classes.values():
        for field in attrs.fields(attrs.resolve_types(cls)):
            found.setdefault(field.name, field)
    return list(found.values())


def _option(field: Any) -> dict[str, Any]:
    required = field.default is attrs.NOTHING
    default = None if required else field.default
    if isinstance(default, tuple):
        default = list(default)
    return {
        "name": field.name,
        "takes": words(field.type),
        "required": required,
        "default": default if isinstance(default, str | int | bool | list | None) else str(default),
        "help": field.metadata.get("help", ""),
    }


def _print_description(described: dict[str, Any]) -> None:
    click.echo(f"{described['type']} ({described['kind']})\n\n{described['help']}\n")
    if described["doors"]:
        live = ", record, replay" if "live" in described["doors"] else ""
        click.echo(f"core options: symbols, start, stop, via, verify{live}\n")
    click.echo("options:" if described["options"] else "no options of its own")
    for option in described["options"]:
        default = "required" if option["required"] else f"default {json.dumps(option['default'])}"
        click.echo(f"  {option['name']}: {option['takes']}; {default}")
        click.echo(f"      {option['help']}")
    if described["continuity"]:
        click.echo(f"\ntrade ids: {described['continuity']}")
    for door, reach in described["reach"].items():
        click.echo(f"reach of {door}: {reach}")
    for spot in described["blind_spots"]:
        click.echo(f"cannot be proven: {spot}")
