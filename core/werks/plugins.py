"""From an entry point to a plugin to a component by its name.

The name of an entry point in the group `werks` is the word before the dot in a node's `type`. Only
plugins that are asked for are imported, so a broken one that nobody uses breaks nothing.
"""

import difflib
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs
import pluggy

from . import hookspecs
from .errors import FOREIGN, PluginError, WerksError, foreign
from .events import Events

GROUP = "werks"
HOOKS: Mapping[str, Sequence[str]] = {
    "source": ("werks_archives", "werks_histories", "werks_snapshots", "werks_feeds"),
    "transform": ("werks_transforms",),
    "sink": ("werks_sinks",),
    "executor": ("werks_executors",),
    "observer": ("werks_observers",),
}
DOORS = {
    "werks_archives": "archive",
    "werks_histories": "rest",
    "werks_snapshots": "snapshot",
    "werks_feeds": "live",
}


class Plugins:
    """The plugins of one program; `files` are plugins of one file each, beside the installed."""

    def __init__(self, files: Sequence[Path] = ()) -> None:
        self.manager = pluggy.PluginManager(GROUP)
        self.manager.add_hookspecs(hookspecs)
        self.manager.add_hookcall_monitoring(lambda *_: None, _told)
        self.events = Events(self.manager)
        self.files = tuple(files)
        self._loaded: dict[str, Any] = {}
        self._points: dict[str, list[EntryPoint]] = {}
        for point in entry_points(group=GROUP):
            known = self._points.setdefault(point.name, [])
            if not any(_distribution(point) == _distribution(other) for other in known):
                known.append(point)
        for path in self.files:
            self._load_file(path)

    def names(self) -> list[str]:
        """Return the names of all plugins, loaded or not."""
        return sorted({*self._points, *self._loaded})

    def distribution(self, name: str) -> str:
        """Return the name and version of the distribution that a plugin comes from."""
        points = self._points.get(name)
        return _distribution(points[0]) if points else "a file"

    def get(self, name: str) -> Any:
        """Return a plugin by its name; PluginError says what is wrong or missing."""
        if name not in self._loaded:
            plugin = self._load(name)
            self._register(name, plugin)
        return self._loaded[name]

    def offers(self, name: str, hook: str) -> Mapping[str, type]:
        """Return what one plugin offers by one hook, by name."""
        plugin = self.get(name)
        impls = getattr(self.manager.hook, hook).get_hookimpls()
        where = f'the plugin "{name}": {hook}'
        try:
            answers = [impl.function() for impl in impls if impl.plugin is plugin]
        except FOREIGN as error:  # foreign code
            raise PluginError(f"{where}: {type(error).__name__}: {error}") from error
        found: dict[str, type] = {}
        for offered in answers:
            _require_components(offered, where)
            found.update(offered)
        return found

    def find(self, kind: str, type_: str) -> dict[str, type]:
        """Return the classes of a component, by hook (a source has one for each of its doors)."""
        plugin, dot, short = type_.partition(".")
        short = short if dot else plugin
        found = {}
        for hook in HOOKS[kind]:
            offered = self.offers(plugin, hook).get(short)
            if offered is not None:
                found[hook] = offered
        if not found:
            raise PluginError(self._unknown(kind, plugin, short))
        return found

    def components(self, name: str) -> dict[str, dict[str, type]]:
        """Return all that a plugin offers: {kind: {type: class}}."""
        found: dict[str, dict[str, type]] = {}
        for kind, hooks in HOOKS.items():
            for hook in hooks:
                for short, component in self.offers(name, hook).items():
                    full = name if short == name else f"{name}.{short}"
                    found.setdefault(kind, {}).setdefault(full, component)
        return found

    def check_hooks(self, observer: Any = None) -> None:
        """Raise PluginError if an observer, or one that is registered, has an unknown hook.

        An argument that its hook does not have is one, too.
        """
        try:
            manager = self.manager
            if observer is not None:
                manager = pluggy.PluginManager(GROUP)
                manager.add_hookspecs(hookspecs)
                manager.register(observer, type(observer).__name__)
            manager.check_pending()
        except pluggy.PluginValidationError as error:
            raise PluginError(f"an observer: {_said(error)}") from error

    def _unknown(self, kind: str, plugin: str, short: str) -> str:
        offered = list(self.components(plugin).get(kind, {}))
        if not offered:
            other = ", ".join(sorted(self.components(plugin))) or "nothing"
            return f'the plugin "{plugin}" offers no {kind} (it offers: {other})'
        near = _near(f"{plugin}.{short}", offered)
        return f'the plugin "{plugin}" has no {kind} "{short}"; it has: {", ".join(offered)}{near}'

    def _load(self, name: str) -> Any:
        points = self._points.get(name, [])
        if not points:
            hint = _near(name, self.names())
            if not hint and name.strip():
                hint = f"; if there is one: pip install werks-{name}"
            raise PluginError(f'no plugin "{name}" is installed{hint}')
        if len(points) > 1:
            owners = " and ".join(_distribution(point) for point in points)
            raise PluginError(f'the plugin "{name}" is claimed by {owners}: uninstall one of them')
        try:
            return points[0].load()
        except FOREIGN as error:  # foreign code
            raise PluginError(
                f'the plugin "{name}" of {_distribution(points[0])} cannot be loaded:'
                f" {type(error).__name__}: {error}"
            ) from error

    def _load_file(self, path: Path) -> None:
        name = path.stem
        if name in self._points or name in self._loaded:
            raise PluginError(f'{path}: the plugin "{name}" is installed already: rename the file')
        module = _module(path, f"werks_file_{name}")
        self._register(name, module)

    def _register(self, name: str, plugin: Any) -> None:
        try:
            if not self.manager.is_registered(plugin):  # one module may bear several names
                self.manager.register(plugin, name)
            self.manager.check_pending()
        except pluggy.PluginValidationError as error:
            if self.manager.is_registered(plugin):  # else the next one would be blamed for it
                self.manager.unregister(plugin)
            raise PluginError(f'the plugin "{name}": {_said(error)}') from error
        self._loaded[name] = plugin


def _said(error: pluggy.PluginValidationError) -> str:
    # What follows shows the plugin itself, with all of its options: a token may be among them.
    return " ".join(str(error).partition(" in plugin ")[0].split())


def _told(outcome: pluggy.Result[Any], hook: str, *_: Any) -> None:
    """Make one clear error of what an observer raises; what offers classes is looked at above."""
    error = outcome.exception
    offers = any(hook in hooks for hooks in HOOKS.values())
    if isinstance(error, FOREIGN) and not isinstance(error, WerksError) and not offers:
        outcome.force_exception(foreign(f"an observer, at {hook}", error))


def _require_components(offered: Any, where: str) -> None:
    if not isinstance(offered, Mapping):
        raise PluginError(f"{where}: a table of classes by name is expected, not {offered!r}")
    for short, component in offered.items():
        if not (isinstance(component, type) and attrs.has(component)):
            raise PluginError(f'{where}: "{short}" is no attrs class: {component!r}')


def _module(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise PluginError(f"{path}: there is no Python file")
    module = importlib.util.module_from_spec(spec)
    # Under its name before it runs, so that its classes can be pickled for other processes.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except FOREIGN as error:  # foreign code
        del sys.modules[name]
        raise PluginError(f"{path}: {type(error).__name__}: {error}") from error
    return module


def _distribution(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.value


def _near(word: str, words: Sequence[str]) -> str:
    found = difflib.get_close_matches(word, words, 1)
    return f'; did you mean "{found[0]}"?' if found else ""
