"""Tasks one after the other, in this process."""

from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from typing import Any, ClassVar

import attrs

from ..hookspecs import hookimpl


@attrs.frozen
class Inline:
    """Runs one task after the other in this process."""

    def executor(self, workers: int) -> Executor:
        """Return an executor that runs what it is given at once."""
        return _Here()


class _Here(Executor):
    here: ClassVar[bool] = True
    at_once: ClassVar[int] = 1

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


@hookimpl
def werks_executors() -> Mapping[str, type]:
    """Offer `inline`."""
    return {"inline": Inline}
