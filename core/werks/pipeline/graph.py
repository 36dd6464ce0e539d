"""The named nodes of a file as a graph: who takes whose rows, in which order, by which schema."""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any

import attrs
import pyarrow as pa

from ..config import Config, Node, SourceNode
from ..errors import FOREIGN, ConfigError, WerksError, foreign
from ..options import nearest
from ..schema import VERSION
from ..transforms.join import joined
from .prints import Prints, digest


@attrs.frozen
class Branch:
    """All that one source feeds: its transforms in order, their schemas, the sinks of each node.

    `prints` tell whether the rows of a node would still be the same.
    """

    source: SourceNode
    transforms: tuple[Node, ...]
    schemas: Mapping[str, pa.Schema]
    sinks: Mapping[str, tuple[Node, ...]]
    prints: Prints

    @property
    def in_order(self) -> bool:
        """Whether a stream's windows go one after the other: something carries, or only appends."""
        appends = (not node.component.replaces for sinks in self.sinks.values() for node in sinks)
        return any(self.prints.carried.values()) or any(appends)

    def above(self, names: frozenset[str]) -> tuple[Node, ...]:
        """Return the transforms that these nodes need, themselves included, in order."""
        needed = set(names)
        for node in reversed(self.transforms):
            if node.name in needed:
                needed.update(node.inputs)
        return tuple(node for node in self.transforms if node.name in needed)


class Graph:
    """The graph of a configuration; ConfigError holds every problem with it."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._problems: list[str] = []
        self._order = self._sorted()
        self._raise()
        self.branches = [self._branch(source) for source in config.sources.values()]
        self._check_use()
        self._raise()

    def sink(self, name: str) -> Any:
        """Return the sink of that name, to be asked for its rows; ConfigError if there is none."""
        sinks = {node.name: node.component for node in self.config.of("sink")}
        if name not in sinks:
            problem = f"there is no such sink; {nearest(name, list(sinks))}"
            raise ConfigError([f"{self.config.path}: sinks.{name}: {problem}"])
        return sinks[name]

    @property
    def is_live(self) -> bool:
        """Whether a source goes on for ever."""
        return any(branch.source.is_live for branch in self.branches)

    def _problem(self, where: str, what: str) -> None:
        line = f"{self.config.path}: {where}: {what}"
        if line not in self._problems:
            self._problems.append(line)

    def _raise(self) -> None:
        if self._problems:
            raise ConfigError(self._problems)

    def _sorted(self) -> list[Node]:
        """Return the transforms so that each stands behind its inputs."""
        left = self.config.of("transform")
        done = set(self.config.sources)
        order: list[Node] = []
        while left:
            ready = [node for node in left if set(node.inputs) <= done]
            if not ready:
                names = ", ".join(node.name for node in left)
                self._problem(f"transforms.{left[0].name}.inputs", f"a circle: {names}")
                return order
            order += ready
            done.update(node.name for node in ready)
            left = [node for node in left if node not in ready]
        return order

    def _branch(self, source: SourceNode) -> Branch:
        door = next(iter(source.doors.values()))
        schemas: dict[str, pa.Schema] = {source.name: door.schema}
        prints = {source.name: digest([source.type, _identity(door, source.options), VERSION])}
        carried: dict[str, frozenset[str]] = {source.name: frozenset()}
        transforms = []
        for node in self._order:
            inputs = {name: schemas[name] for name in node.inputs if name in schemas}
            if not inputs:
                continue
            if len(inputs) > 1:
                twice = f'takes the rows of "{source.name}" twice, by {" and by ".join(inputs)}'
                self._problem(f"transforms.{node.name}.inputs", twice)
            try:
                schemas[node.name] = node.component.output(inputs)
                carries = node.component.seam == "never"
            except FOREIGN as error:
                said = error if isinstance(error, WerksError) else foreign(node.type, error)
                self._problem(f"transforms.{node.name}.inputs", str(said))
                continue
            above = [prints[name] for name in inputs] + self._beside(node, source, schemas)
            identity = _identity(node.component, node.options)
            prints[node.name] = digest([node.type, identity, above, VERSION])
            mine = frozenset([node.name] if carries else [])
            carried[node.name] = mine.union(*(carried[name] for name in inputs))
            transforms.append(node)
        sinks = {
            name: tuple(node for node in self.config.of("sink") if name in node.inputs)
            for name in schemas
        }
        for node in self.config.of("sink"):
            prints[node.name] = digest([node.type, _identity(node.component, node.options)])
        return Branch(source, tuple(transforms), schemas, sinks, Prints(prints, carried))

    def _beside(self, node: Node, source: SourceNode, schemas: dict[str, pa.Schema]) -> list[str]:
        """Put the columns of `with` behind those of a node; return what they depend on."""
        if not node.beside:
            return []
        where, found = f"transforms.{node.name}.with", []
        for name in node.beside:
            other = self.config.sources.get(name)
            if other is None or "rest" not in other.doors:
                self._problem(where, f'"{name}" is no source that is read by REST')
            elif other.door.exchange != source.door.exchange:
                of = f"{other.door.exchange}, not of {source.door.exchange}"
                self._problem(where, f'"{name}" is of {of}')
            else:
                found.append(other)
        try:
            beside = [other.door.schema for other in found]
            schemas[node.name] = joined(schemas[node.name], beside)
        except ConfigError as error:
            self._problem(where, str(error).removeprefix("with: "))
        return [digest([each.type, _identity(each.door, each.options)]) for each in found]

    def _check_use(self) -> None:
        used = {
            name for node in self.config.nodes.values() for name in (*node.inputs, *node.beside)
        }
        for kind, names in (
            ("sources", list(self.config.sources)),
            ("transforms", [node.name for node in self.config.of("transform")]),
        ):
            for name in names:
                if name not in used:
                    self._problem(f"{kind}.{name}", "nothing takes its rows: name it as an input")
        for node, source, other in self._clashes():
            self._problem(
                f"sources.{other}", f'"{node}" gets the same symbols and days from {source}, too'
            )

    def _clashes(self) -> Iterator[tuple[str, str, str]]:
        """Yield (node, source, source) where two sources would write the same windows."""
        for number, one in enumerate(self.branches):
            for other in self.branches[number + 1 :]:
                shared = (set(one.schemas) & set(other.schemas)) - {one.source.name}
                if shared and _overlap(one.source, other.source):
                    yield min(shared), one.source.name, other.source.name


def _overlap(one: SourceNode, other: SourceNode) -> bool:
    """Tell whether two sources have a window in common: a market's symbol on one day."""
    exchanges = {next(iter(source.doors.values())).exchange for source in (one, other)}
    if len(exchanges) > 1 or not set(one.symbols) & set(other.symbols):
        return False
    first, second = (_last_day(source) for source in (one, other))
    return (first is None or other.start <= first) and (second is None or one.start <= second)


def _last_day(source: SourceNode) -> date | None:
    return (source.stop - timedelta(microseconds=1)).date() if source.stop else None


def _identity(component: Any, options: Mapping[str, Any]) -> dict[str, str]:
    """Return the options that the rows depend on, as they stand in the file, defaults included."""
    fields = {field.name: field for field in attrs.fields(type(component))}
    return {
        name: str(options.get(name, getattr(component, name)))
        for name, field in sorted(fields.items())
        if field.metadata.get("identity", True)
    }
