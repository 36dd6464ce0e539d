"""How the REST doors ask: limits, what an error body means, and answers made on the spot."""

from typing import Any

import attrs
import msgspec

from werks.components import Http, RateLimit, Refusal, Request
from werks.errors import ExchangeError, MissingError, RejectedError

from .exchange import Exchange
from .pages import answers

# What one address may ask for in a minute; each page weighs one.
LIMIT = RateLimit(weights=1200, seconds=60)


class _Said(msgspec.Struct):
    error: str
    reason: str = ""


def refusal(status: int, body: bytes) -> ExchangeError | None:
    """Return what an error body says; None where it says nothing, so that the status decides."""
    try:
        said = msgspec.json.decode(body, type=_Said)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    error = MissingError if said.error == "no_such_market" else RejectedError
    return error(f"sim refuses: {said.reason or said.error} (HTTP {status})")


def address(url: str, page: str) -> str:
    """Return where a page is; without a URL it is made on the spot."""
    return f"{url.rstrip('/') or 'sim:'}/{page}"


def request(url: str, page: str, **query: str) -> Request:
    """Return the request of a page."""
    return Request(address(url, page), query, weight=1, limit=LIMIT)


@attrs.frozen
class Spot:
    """Answers without a network; a plugin of a real exchange has no such."""

    exchange: Exchange

    def text(self, url: str, **query: str) -> str:
        """Return nothing: the exchange has no pages of text."""
        raise MissingError(f"{url}: there is nothing at this address")

    def json(self, request: Request, kind: Any, refusal: Refusal | None = None) -> Any:
        """Return what the exchange answers, as data of a type that msgspec knows."""
        path = request.url.removeprefix("sim:")
        status, body, _ = answers(self.exchange)[path](request.query)
        error = refusal(status, body) if refusal else None
        if error is not None:
            raise error
        return msgspec.json.decode(body, type=kind)


def client(http: Http, url: str, exchange: Exchange) -> Http:
    """Return who is asked: the exchange at the URL, or without one the exchange made here."""
    return http if url else Spot(exchange)
