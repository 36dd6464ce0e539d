"""What an audit is asked for, and the doors by which it reads: given, or told by a file's name."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, Literal, get_args, get_origin

import attrs

from ..errors import ConfigError, PluginError
from ..http import Http
from ..options import structure, unknown
from ..plugins import Plugins
from ..schema import kind

_ARCHIVES, _HISTORIES = "werks_archives", "werks_histories"
_TRADES = ("TRADE", "TICK")
_CANDLES = "candles"


@attrs.frozen
class Door:
    """A way to read a file: the component and the type that it is known by."""

    type: str
    component: Any

    def __str__(self) -> str:
        market = getattr(self.component, "market", "")
        return f"{self.type}{f' with market={market}' if market else ''}"


@attrs.frozen(slots=False)
class Asked:
    """What the user says of the files; without a source, all plugins are asked.

    Each door takes those of the options that it knows. `symbols` are those to look at in files of
    many. With `http`, minutes are compared with candles.
    """

    plugins: Plugins
    source: str = ""
    options: Mapping[str, Any] = attrs.field(factory=dict)
    symbols: tuple[str, ...] = ()
    checksum: str = ""
    http: Http | None = None

    def require(self) -> None:
        """Raise PluginError or ConfigError unless there is a door that takes all this."""
        if self.source:
            self.plugins.find("source", self.source)
        classes = dict(self._classes(_ARCHIVES)) | dict(self._classes(_HISTORIES))
        known = sorted({name for cls in classes.values() for name in _fields(cls)})
        problems = [(name, unknown(name, known)) for name in self.options if name not in known]
        if not problems and not any(True for cls in classes.values() for _ in self._made(cls)):
            problems = [each for cls in classes.values() for each in self._wrong(cls)]
        if problems:
            raise ConfigError([f"{name}: {what}" for name, what in dict(problems).items()])

    @cached_property
    def archives(self) -> list[Door]:
        """The doors that may read a published file, one for each market that is not given."""
        return list(self._doors(_ARCHIVES))

    def continuity(self, exchange: str) -> str:
        """Return what ids of an exchange prove by all of its doors; empty if they do not agree."""
        doors = [each.component for hook in (_ARCHIVES, _HISTORIES) for each in self._doors(hook)]
        trades = (each for each in doors if kind(each.schema) in _TRADES)
        said = {each.continuity for each in trades if each.exchange == exchange}
        if said == {"contiguous", "increasing"}:
            return "increasing"
        return said.pop() if len(said) == 1 else ""

    def candles(self, exchange: str) -> Any | None:
        """Return the door of an exchange's own candles; None if there is none."""
        for plugin in self.plugins.names():
            cls = self._offered(plugin, _HISTORIES).get(_CANDLES)
            for each in self._made(cls) if cls else ():
                if each.exchange == exchange:
                    return each
        return None

    def _doors(self, hook: str) -> Iterator[Door]:
        for type_, cls in self._classes(hook):
            for each in self._made(cls):
                yield Door(type_, each)

    def _classes(self, hook: str) -> Iterator[tuple[str, type]]:
        """Yield the doors of the type, or of all plugins."""
        plugin, dot, short = self.source.partition(".")
        wanted = (short if dot else plugin) if plugin else ""
        for name in [plugin] if plugin else self.plugins.names():
            for offered, cls in self._offered(name, hook).items():
                if wanted in ("", offered):
                    yield f"{name}.{offered}", cls

    def _offered(self, plugin: str, hook: str) -> Mapping[str, type]:
        try:
            return self.plugins.offers(plugin, hook)
        except PluginError:  # a broken plugin is the affair of `werks plugins`
            return {}

    def _made(self, cls: type) -> Iterator[Any]:
        """Yield components with the options, for each market that there is if none is given."""
        given, fields = self._given(cls), _fields(cls)
        choices: tuple[Any, ...] = (None,)
        if "market" not in given and get_origin(fields.get("market")) is Literal:
            choices = get_args(fields["market"])
        for choice in choices:
            component, _ = structure(cls, given if choice is None else {**given, "market": choice})
            if component is not None:
                yield component

    def _given(self, cls: type) -> dict[str, Any]:
        known = _fields(cls)
        return {name: value for name, value in self.options.items() if name in known}

    def _wrong(self, cls: type) -> list[tuple[str, str]]:
        return structure(cls, self._given(cls))[1]


def _fields(cls: type) -> dict[str, Any]:
    return {field.name: field.type for field in attrs.fields(attrs.resolve_types(cls))}
