"""The pipeline file: TOML in, named nodes out, every problem at once.

Nothing here opens a connection, a database or a data file.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs

from ..errors import ConfigError, PluginError
from ..options import moment, nearest, structure, unknown
from ..plugins import DOORS, Plugins
from . import facts
from .beside import Beside
from .frames import Frames
from .nodes import WAIT, Config, Node, Settings, SourceNode, address, is_pattern

__all__ = ["Config", "Node", "Settings", "SourceNode", "address", "is_pattern", "read"]

# The doors that a run can go through so far; the others are offered by plugins for later versions.
WALKED = ("archive", "rest", "snapshot", "live")
KINDS = {"sources": "source", "transforms": "transform", "sinks": "sink", "observers": "observer"}
_HEADER = re.compile(
    r"""^\s*\[\s*(sources|transforms|sinks)\s*\.\s*["']?([^\]"']+?)["']?\s*\]""", re.M
)
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")

Problems = list[tuple[str, str]]


def read(path: Path, now: datetime, plugin_files: Sequence[Path] = ()) -> Config:
    """Return the pipeline that a file describes; ConfigError holds all that is wrong with it."""
    try:
        text = path.read_text(encoding="utf-8-sig")  # Windows begins files by a mark
        raw = tomllib.loads(text, parse_float=Decimal)
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path}: is not TOML: {error}"]) from error
    reading = _Reading(path, Plugins(plugin_files), now)
    config = reading.config(raw, _order(text, raw))
    if reading.problems:
        raise ConfigError([f"{path}: {where}: {what}" for where, what in reading.problems])
    return config


def _order(text: str, raw: Mapping[str, Any]) -> dict[tuple[str, str], bool]:
    """Return (table, name) of all nodes in the file's order, and whether it can be told of each.

    TOML itself does not keep it; of inline tables it cannot be told.
    """
    headed = dict.fromkeys(at for at in _HEADER.findall(text) if at[1] in _table(raw, at[0]))
    listed = [(table, name) for table in KINDS for name in _table(raw, table)]
    told = all(at in headed for at in listed if at[0] in ("sources", "transforms"))
    return {at: told and at in headed for at in [*headed, *listed]}


def _table(raw: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = raw.get(name, {})
    return table if isinstance(table, dict) else {}


@attrs.define
class _Reading:
    path: Path
    plugins: Plugins
    now: datetime
    problems: Problems = attrs.field(factory=list)

    def config(self, raw: Mapping[str, Any], order: Mapping[tuple[str, str], bool]) -> Config:
        self._check_tables(raw)
        settings = self._settings(_table(raw, "pipeline"))
        sources: dict[str, SourceNode] = {}
        nodes: dict[str, Node] = {}
        above: str | None = None
        for (table, name), told in order.items():
            where, options = f"{table}.{name}", _table(raw, table)[name]
            if not self._named(where, name, options, {*sources, *nodes}):
                continue
            options = dict(options)
            if table == "sources":
                source = self._source(where, name, options)
                if source:
                    sources[name] = source
            else:
                node = self._node((table, name), options, above if told else None)
                if node:
                    nodes[name] = node
            if table in ("sources", "transforms"):
                above = name
        self._check_inputs(raw)
        return Config(self.path, settings, sources, nodes, self.plugins)

    def _check_tables(self, raw: Mapping[str, Any]) -> None:
        known = {"pipeline", *KINDS}
        for table, value in raw.items():
            if table not in known:
                near = nearest(table, sorted(known))
                self.problems.append((table, f"there is no such table; {near}"))
            elif not isinstance(value, dict):
                header = table if table == "pipeline" else f"{table}.NAME"
                self.problems.append((table, f"a table is expected: [{header}]"))
        if not _table(raw, "sources"):
            self.problems.append(("sources", "there is none: a pipeline needs a [sources.NAME]"))

    def _check_inputs(self, raw: Mapping[str, Any]) -> None:
        given = [*_table(raw, "sources"), *_table(raw, "transforms")]
        for table, kind in (("transforms", "transform"), ("sinks", "sink")):
            for name, node in _table(raw, table).items():
                inputs = node.get("inputs") if isinstance(node, dict) else None
                for wanted in (inputs or []) if _distinct(inputs) else []:
                    if wanted not in given:
                        sink = wanted in _table(raw, "sinks")
                        near = nearest(wanted, given)
                        why = "a sink gives no rows" if sink else f"there is no such node; {near}"
                        problem = f'"{wanted}": {why}'
                        self.problems.append((f"{kind}s.{name}.inputs", problem))

    def _named(self, where: str, name: str, options: Any, taken: set[str]) -> bool:
        if not isinstance(options, dict):
            self.problems.append((where, f"a table is expected: [{where}]"))
        elif name in taken:
            self.problems.append((where, "another node has this name: rename one of them"))
        elif not _NAME.fullmatch(name):
            self.problems.append((where, "a name is made of letters, digits, '_', '-' and '.'"))
        elif not isinstance(options.get("type"), str):
            self.problems.append((f"{where}.type", "this option is required"))
        else:
            return True
        return False

    def _settings(self, table: Mapping[str, Any]) -> Settings:
        settings, problems = structure(Settings, table)
        self._found("pipeline", problems)
        executor = table.get("executor", Settings.executor)
        if isinstance(executor, str):
            self._classes("pipeline.executor", "executor", executor)
        return settings or Settings()

    def _found(self, where: str, problems: Problems) -> None:
        found = [(f"{where}.{name}" if name else where, what) for name, what in problems]
        self.problems += [each for each in found if each not in self.problems]

    def _classes(self, where: str, kind: str, type_: str) -> dict[str, type]:
        try:
            return self.plugins.find(kind, type_)
        except PluginError as error:
            self.problems.append((where, str(error)))
            return {}

    def _node(self, at: tuple[str, str], options: dict[str, Any], above: str | None) -> Node | None:
        (table, name), where = at, ".".join(at)
        kind, type_ = KINDS[table], options.pop("type")
        inputs: tuple[str, ...] = ()
        if kind != "observer":
            inputs = self._inputs(where, options.pop("inputs", None), above)
        beside: tuple[str, ...] = ()
        wait = WAIT
        if kind == "transform":
            beside = self._beside(where, options.pop("with", None))
            wait = self._wait(where, options.pop("wait", wait)) if beside else wait
        classes = self._classes(f"{where}.type", kind, type_)
        if not classes:
            return None
        component, problems = structure(next(iter(classes.values())), options)
        if kind == "observer":
            problems += facts.hooks(component, self.plugins)
        self._found(where, problems)
        return component and Node(name, kind, type_, component, options, inputs, beside, wait)

    def _beside(self, where: str, given: Any) -> tuple[str, ...]:
        if given is not None and not _distinct(given):
            self.problems.append((f"{where}.with", "a list of names of sources is expected"))
            return ()
        return tuple(given or ())

    def _wait(self, where: str, given: Any) -> float:
        if isinstance(given, bool) or not isinstance(given, (int, float, Decimal)) or given < 0:
            self.problems.append((f"{where}.wait", f"seconds are expected, not {given!r}"))
            return WAIT
        return float(given)

    def _inputs(self, where: str, given: Any, above: str | None) -> tuple[str, ...]:
        if given is None:
            if above is None:
                problem = "the node above it cannot be told: give inputs = […]"
                self.problems.append((where, problem))
            return (above,) if above else ()
        if not _distinct(given):
            self.problems.append((f"{where}.inputs", "a list of names of nodes is expected"))
            return ()
        return tuple(given)

    def _source(self, where: str, name: str, options: dict[str, Any]) -> SourceNode | None:
        type_ = options.pop("type")
        classes = self._classes(f"{where}.type", "source", type_)
        listed = "werks_snapshots" in classes
        frames = Frames.taken(options, "werks_feeds" in classes)
        self._found(where, frames.problems)
        symbols = self._symbols(where, options.pop("symbols", ["*"] if listed else None))
        # A list is of now and of no other day; what is only heard begins now.
        heard = set(classes) == {"werks_feeds"} or options.get("via") == ["live"]
        heard = heard or frames.replay is not None
        today = self.now.date() if listed or heard else None
        start = self._moment(f"{where}.start", options.pop("start", today), required=True)
        stop = self._moment(f"{where}.stop", options.pop("stop", None))
        via, verify = options.pop("via", frames.via), options.pop("verify", False)
        if start and start.year < 1970:
            self.problems.append((f"{where}.start", "no time before 1970 can be counted"))
        if start and stop and stop <= start:
            self.problems.append((f"{where}.stop", f"{stop:%Y-%m-%d} is not after start"))
        doors = self._doors(where, classes, via, options)
        if not (classes and symbols and start and doors):
            return None
        beside = Beside(self.plugins, type_, options)
        candles = self._candles(where, beside, verify)
        instruments = None
        if any(map(is_pattern, symbols)) and frames.replay is None:
            instruments = doors.get("snapshot")
            instruments = instruments or beside.find("instruments", "werks_snapshots", "snapshot")
            if instruments is None:
                problem = "the plugin lists no instruments: name each symbol"
                self.problems.append((f"{where}.symbols", problem))
        self._found(where, beside.problems)
        given = (type_, symbols, start.date(), stop, doors, options, candles, instruments)
        return SourceNode(name, *given, frames.record, frames.replay)

    def _candles(self, where: str, beside: Beside, verify: Any) -> Any:
        """Return what a source is compared with, None if it need not be."""
        if not isinstance(verify, bool):
            self.problems.append((f"{where}.verify", f"true or false is expected, not {verify!r}"))
        elif verify:
            candles = beside.find("candles", "werks_histories", "candles")
            if candles is None:
                problem = "the plugin has no candles to compare with"
                self.problems.append((f"{where}.verify", problem))
            return candles
        return None

    def _symbols(self, where: str, given: Any) -> tuple[str, ...]:
        if given is None:
            self.problems.append((f"{where}.symbols", "this option is required"))
            return ()
        if not _distinct(given):
            self.problems.append((f"{where}.symbols", "a list of symbols, each once, is expected"))
            return ()
        return tuple(given)

    def _moment(self, where: str, given: Any, required: bool = False) -> datetime | None:
        if given is None:
            if required:
                self.problems.append((where, "this option is required: a day, or -7d"))
            return None
        try:
            return moment(given, self.now)
        except ValueError as error:
            self.problems.append((where, str(error)))
            return None

    def _doors(
        self, where: str, classes: Mapping[str, type], via: Any, options: Mapping[str, Any]
    ) -> dict[str, Any]:
        offered = {DOORS[hook]: cls for hook, cls in classes.items()}
        if not offered:
            return {}
        chosen = list(offered) if via is None else via
        if not _distinct(chosen) or set(chosen) - set(offered):
            has = ", ".join(offered)
            self.problems.append((f"{where}.via", f"a list out of the doors it has: {has}"))
            return {}
        if not set(chosen) & set(WALKED):
            walked = ", ".join(WALKED)
            self.problems.append((f"{where}.via", f"this version reads by {walked} only"))
            return {}
        chosen = [door for door in offered if door in chosen]
        # A door takes the options that it has; what no door has is misspelt.
        fields = {door: [f.name for f in attrs.fields(cls)] for door, cls in offered.items()}
        known = list(dict.fromkeys(name for names in fields.values() for name in names))
        self._found(where, [(name, unknown(name, known)) for name in options if name not in known])
        doors = {}
        for door in chosen:
            mine = {name: value for name, value in options.items() if name in fields[door]}
            component, problems = structure(offered[door], mine)
            self._found(where, problems)  # options that several doors have are said once
            if component is not None:
                doors[door] = component
        self._found(where, facts.problems(doors))
        return doors


def _distinct(given: Any) -> bool:
    """Tell whether something is a list of words, none of them twice or empty, and not empty."""
    good = isinstance(given, list) and all(isinstance(word, str) and word for word in given)
    return good and 0 < len(given) == len(set(given))
