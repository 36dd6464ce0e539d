"""The components that a plugin offers beside the one that a source names."""

from collections.abc import Mapping
from typing import Any

import attrs

from ..options import structure
from ..plugins import Plugins
from . import facts


@attrs.frozen
class Beside:
    """The other components of a source's plugin, with the options that they share with it."""

    plugins: Plugins
    type: str
    options: Mapping[str, Any]
    problems: list[tuple[str, str]] = attrs.field(factory=list)

    def find(self, short: str, hook: str, kind: str) -> Any:
        """Return a component of the plugin by its short name and hook; None if there is none.

        What is wrong with its facts, as those of a door of a kind, is kept in `problems`.
        """
        plugin = self.type.partition(".")[0]
        cls: Any = self.plugins.offers(plugin, hook).get(short)
        if cls is None:
            return None
        names = {field.name for field in attrs.fields(cls)}
        mine = {name: value for name, value in self.options.items() if name in names}
        component, problems = structure(cls, mine)
        if problems:
            return None
        self.problems.extend(facts.problems({kind: component}))
        return component
