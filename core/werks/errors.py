"""Every error that werks raises, sorted by what the runner does about it.

::

    WerksError
    ├── ConfigError              nothing has run; every problem, one a line          exit 2
    ├── PluginError              missing, broken or claimed twice                     exit 2
    ├── ExchangeError
    │   ├── UnavailableError         time-outs, 5xx, a dropped socket: tried again
    │   │   └── RateLimitError       429 and 418: waits as it is told
    │   ├── RejectedError            4xx: that stream stops, the others go on
    │   │   └── MissingError         404: the file or the path is not there
    │   └── MessageError             unreadable: named and kept out, the run goes on
    ├── DataError                readable, but it cannot be true: wrong day, unit or symbol
    │   └── ChecksumError            the bytes are not those that the exchange published
    └── SinkError                what was committed stays, nothing half-written stays
"""

import traceback
from collections.abc import Sequence
from pathlib import Path


class WerksError(Exception):
    """The root of all errors that werks raises on purpose."""


class ConfigError(WerksError):
    """The pipeline file asks for something that cannot be; holds every problem at once."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)

    def __reduce__(self) -> tuple[type["ConfigError"], tuple[tuple[str, ...]]]:
        return ConfigError, (self.problems,)


class PluginError(WerksError):
    """A plugin is missing, broken, or claimed by two distributions."""


class ExchangeError(WerksError):
    """The exchange, or the way to it, failed."""


class UnavailableError(ExchangeError):
    """The exchange cannot be reached now; asking again may help."""


class RateLimitError(UnavailableError):
    """The exchange asked to slow down; `wait` is the time in seconds that it asked for."""

    def __init__(self, message: str, wait: float = 0.0) -> None:
        super().__init__(message)
        self.wait = wait

    def __reduce__(self) -> tuple[type["RateLimitError"], tuple[str, float]]:
        return RateLimitError, (str(self), self.wait)


class RejectedError(ExchangeError):
    """The exchange refused the request; asking again would not help."""


class MissingError(RejectedError):
    """There is nothing at that address (404)."""


class MessageError(ExchangeError):
    """What the exchange sent cannot be read."""


class DataError(WerksError):
    """What the exchange sent can be read, but it cannot be true."""


class ChecksumError(DataError):
    """The bytes are not the ones whose checksum the exchange published."""


class SinkError(WerksError):
    """A sink could not keep what it was given."""


# What a plugin's code may raise; a sys.exit in it must not end the program as if all were done.
FOREIGN = (Exception, SystemExit)


def foreign(what: str, failure: BaseException) -> WerksError:
    """Return an error of a plugin as one line that says where in its code it came up."""
    *_, last = traceback.extract_tb(failure.__traceback__)
    said = str(failure).splitlines()[0] if str(failure) else ""
    where = f"{Path(last.filename).name}:{last.lineno}"
    return WerksError(f"{what}: {type(failure).__name__} in {where}: {said}")
