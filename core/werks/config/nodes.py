"""What a pipeline file says, as plain data."""

from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal

import attrs

from ..plugins import Plugins

# How many seconds live bars wait for what stands beside them.
WAIT = 10.0


def address(text: str) -> tuple[str, int]:
    """Return host and port of `127.0.0.1:9464` or `[::1]:9464`; ValueError if it is neither."""
    host, _, port = text.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    is_port = port.isascii() and port.isdigit() and int(port) < 1 << 16
    if not bare or not is_port or (":" in bare) != (bare != host) or set(bare) & set("/[] "):
        raise ValueError(f'host:port is expected, such as "127.0.0.1:9464", not "{text}"')
    return bare, int(port)


def _watch(_: Any, field: Any, value: str) -> None:
    try:
        port = address(value)[1] if value else None
    except ValueError as error:
        raise ValueError(f"{field.name}: {error}") from error
    if port == 0:
        raise ValueError(f"{field.name}: port 0 stands for any: name one that can be found")


def _state(_: Any, field: "attrs.Attribute[str]", value: str) -> None:
    if "://" in value:
        return
    if not value.strip() or "\0" in value:
        raise ValueError(f"{field.name}: a path or a database's URL is expected, not {value!r}")
    if Path(value).is_dir():
        raise ValueError(f"{field.name}: {value} is a folder: name a file in it")


@attrs.frozen
class Settings:
    """The table [pipeline]."""

    name: str = "pipeline"
    state: str = attrs.field(default="werks.db", validator=_state)
    cache: Path | None = None
    executor: str = "inline"
    workers: int = attrs.field(default=0, validator=attrs.validators.ge(0))
    read_ahead: bool = True
    tries: int = attrs.field(default=5, validator=attrs.validators.ge(1))
    rounds: int = attrs.field(default=3, validator=attrs.validators.ge(1))
    order: Literal["oldest", "newest"] = "oldest"
    quarantine: Path = Path("quarantine")
    commit_every: float = attrs.field(default=1.0, validator=attrs.validators.gt(0))
    repair_within: float = attrs.field(default=60.0, validator=attrs.validators.ge(0))
    reconnect_after: float = attrs.field(default=1.0, validator=attrs.validators.gt(0))
    spool_limit: int = attrs.field(default=10_000_000_000, validator=attrs.validators.ge(0))
    replay_speed: float = attrs.field(default=0.0, validator=attrs.validators.ge(0))
    watch: str = attrs.field(default="", validator=_watch)


@attrs.frozen
class Node:
    """A transform, sink or observer of the file; `options` are as they were written.

    `beside` are sources whose last known values stand beside the rows (`with` in the file); live
    rows wait for them so many seconds.
    """

    name: str
    kind: str
    type: str
    component: Any
    options: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    inputs: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    wait: float = WAIT


@attrs.frozen
class SourceNode:
    """A source of the file: what to read, from when until when, by which doors.

    `stop` is exclusive; None goes on for ever. `doors` holds a component for each door that a run
    goes through. `candles` is what its minutes are compared with, None if they are not. A symbol
    with `*` or `?` in it stands for all that `instruments` lists and that look so. `record` is the
    folder for what connections bring, `replay` the one that stands in for connections.
    """

    name: str
    type: str
    symbols: tuple[str, ...]
    start: date
    stop: datetime | None
    doors: Mapping[str, Any]
    options: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    candles: Any = None
    instruments: Any = None
    record: Path | None = None
    replay: Path | None = None

    @property
    def door(self) -> Any:
        """The first door; all of them state the same exchange and schema."""
        return next(iter(self.doors.values()))

    @property
    def anew(self) -> bool:
        """Whether all windows are read anew by each run: what they hold may have changed."""
        return "snapshot" in self.doors or getattr(self.door, "changes", False)

    @property
    def is_live(self) -> bool:
        """Whether it goes on for ever, by a websocket, or replays what has come by one."""
        feed = self.doors.get("live")
        if self.replay is not None:
            return True
        return self.stop is None and feed is not None and not getattr(feed, "off", "")

    @property
    def patterns(self) -> bool:
        """Whether symbols must be looked up before anything can be read."""
        return any(is_pattern(symbol) for symbol in self.symbols)


def is_pattern(symbol: str) -> bool:
    """Tell whether a symbol stands for several."""
    return "*" in symbol or "?" in symbol


@attrs.frozen
class Config:
    """A pipeline file that can be run, as far as can be told without running it."""

    path: Path
    settings: Settings
    sources: Mapping[str, SourceNode]
    nodes: Mapping[str, Node]
    plugins: Plugins = attrs.field(repr=False)

    def of(self, kind: str) -> list[Node]:
        """Return the nodes of one kind in the file's order."""
        return [node for node in self.nodes.values() if node.kind == kind]
