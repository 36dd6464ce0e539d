"""What happens in a run, told to observers and plugins, each by itself."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pluggy

from .errors import FOREIGN, WerksError, foreign

_FAILED = "werks_observer_failed"


class Events:
    """Calls the event hooks by their names, like a plugin manager's `hook`.

    What one implementation raises keeps no other from being told, and ends nothing: it is told as
    an event itself, and kept until it is taken; of each implementation and event the first error,
    and none twice.
    """

    def __init__(self, manager: pluggy.PluginManager) -> None:
        self._manager = manager
        self._known: set[tuple[str, str]] = set()
        self._failed: list[tuple[str, WerksError]] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        if not name.startswith("werks_"):
            raise AttributeError(name)
        return partial(self._tell, name)

    def begin(self) -> None:
        """Forget what an earlier run has left."""
        self._known, self._failed = set(), []

    def taken(self) -> Sequence[tuple[str, WerksError]]:
        """Return what was raised since the last time, with the name of who raised it."""
        failed, self._failed = self._failed, []
        return failed

    def guarded(
        self, name: str, call: Callable[..., Any], otherwise: Any = None
    ) -> Callable[..., Any]:
        """Return a call of the program that runs us which raises nothing, as observers do not.

        Where it would, `otherwise` is returned.
        """

        def called(*given: Any) -> Any:
            try:
                return call(*given)
            except FOREIGN as error:
                self._keep(name, name, f"the program, at {name}", error)
                return otherwise

        return called

    def _tell(self, event: str, **given: Any) -> None:
        for impl in reversed(getattr(self._manager.hook, event).get_hookimpls()):
            try:
                impl.function(*(given[name] for name in impl.argnames))
            except FOREIGN as error:
                self._keep(self._name(impl.plugin), event, f"an observer, at {event}", error)

    def _keep(self, name: str, event: str, where: str, error: BaseException) -> None:
        if not isinstance(error, WerksError):
            error = foreign(where, error)
        if not self._known.isdisjoint(((name, event), (name, str(error)))):
            return
        self._known |= {(name, event), (name, str(error))}
        self._failed.append((name, error))
        if event != _FAILED:
            self._tell(_FAILED, observer=name, error=error)

    def _name(self, plugin: object) -> str:
        name = self._manager.get_name(plugin) or ""
        # One that was registered without a name bears a number.
        return type(plugin).__name__ if not name or name.isdigit() else name
