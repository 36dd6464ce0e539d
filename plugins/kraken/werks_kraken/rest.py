"""How Kraken's public REST interface is asked, and what its error words mean."""

from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import urlencode

import msgspec

from werks.components import Http, RateLimit, Request
from werks.errors import (
    ExchangeError,
    MissingError,
    RateLimitError,
    RejectedError,
    UnavailableError,
)

URL = "https://api.kraken.com"
URL_HELP = "where the REST interface is"
# One a second for an address, and for a pair where there is one.
LIMIT = RateLimit(1, 1)

_OK = 200
_PAUSE, _LOCKOUT = 15.0, 900.0
_WAITS: Mapping[str, float] = {
    "EAPI:Rate limit exceeded": _PAUSE,
    "EGeneral:Too many requests": _PAUSE,
    "EService:Throttled": _PAUSE,  # until a time that stands behind it
    "EGeneral:Temporary lockout": _LOCKOUT,
}
# Busy, Unavailable, Timeout, Market in cancel_only mode, …: none of them is the question's fault.
_LATER = ("EService:", "EGeneral:Internal error")
_UNKNOWN = ("EQuery:Unknown asset pair", "EQuery:Unknown asset")


class _Said(msgspec.Struct):
    error: list[str]


def request(base: str, name: str, **query: str) -> Request:
    """Return a request of `/0/public/<name>`."""
    return Request(f"{base.rstrip('/')}/0/public/{name}", query, limit=LIMIT)


def ask(http: Http, asked: Request, kind: Any) -> Any:
    """Return the answer as data of a type that msgspec knows, or raise what it was refused for."""
    return http.json(asked, kind, partial(refusal, named(asked)))


def named(asked: Request) -> str:
    """Return the address with its query, to name what came from there."""
    return f"{asked.url}?{urlencode(asked.query)}" if asked.query else asked.url


def refusal(url: str, status: int, body: bytes) -> ExchangeError | None:
    """Return the error that an answer is by Kraken's own words: they come with status 200."""
    if status != _OK:  # from the edge of its network, with a page for people
        return None
    try:
        errors = msgspec.json.decode(body, type=_Said).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    words = [each.replace(": ", ":") for each in errors if not each.startswith("W")]
    if not words:
        return None
    said = f"{url}: Kraken says {'; '.join(words)}"
    for known, wait in _WAITS.items():
        if any(word.startswith(known) for word in words):
            return RateLimitError(said, wait)
    if any(word.startswith(_LATER) for word in words):
        return UnavailableError(said)
    if any(word.startswith(_UNKNOWN) for word in words):
        return MissingError(f"{said}: it is spelt wrong, or not listed any more")
    return RejectedError(said)
