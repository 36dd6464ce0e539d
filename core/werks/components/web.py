"""What a plugin may ask of an exchange's REST interface, and how the core asks for it."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import attrs

from ..errors import ExchangeError


@attrs.frozen
class RateLimit:
    """What an exchange lets one address ask for: so many weights within so many seconds.

    `used` and `left` name the headers, if there are any, in which answers say how many weights of
    the running interval are used or left.
    """

    weights: float
    seconds: float
    used: str = ""
    left: str = ""


@attrs.frozen
class Request:
    """A GET: its address, its query, and what it weighs against the limit of its host.

    Headers may hold a key: they are never printed.
    """

    url: str
    query: Mapping[str, str] = attrs.field(factory=dict)
    weight: float = 1.0
    limit: RateLimit | None = None
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)


# What an answer (HTTP status, body) means by the exchange's own words: an error to raise
# (UnavailableError and RateLimitError are tried again), or None where the status says it all.
Refusal = Callable[[int, bytes], ExchangeError | None]


class Http(Protocol):
    """What a plugin may ask of the core's HTTP client; it throttles, retries, raises our errors."""

    def text(self, url: str, **query: str) -> str:
        """Return the body of a GET as text; MissingError where there is nothing."""
        ...

    def json(self, request: Request, kind: Any, refusal: Refusal | None = None) -> Any:
        """Return the answer as data of a type that msgspec knows: structs, lists, Decimal, Raw.

        MessageError if it is not JSON of that type; such an answer is kept aside as it came.
        """
        ...
