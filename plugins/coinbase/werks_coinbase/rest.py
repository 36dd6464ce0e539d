"""How Coinbase Exchange is asked: its address, its limit, and what its error bodies mean."""

from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from werks.components import Http, RateLimit, Request
from werks.errors import (
    ExchangeError,
    MissingError,
    RejectedError,
    UnavailableError,
)
from werks.schema import Scales

EXCHANGE = "coinbase"
URL = "https://api.exchange.coinbase.com"
URL_HELP = "the REST interface of Coinbase Exchange, or another address of it"
# What one address may ask for; 15 at once would be let through.
LIMIT = RateLimit(weights=10, seconds=1)
# Some low-priced products need 12 digits; bases have 8 to 10.
SCALES = Scales(price=12, size=10)

_OK, _CLIENT, _NOT_FOUND, _SLOW_DOWN, _SERVER = 200, 400, 404, 429, 500
# By these words the answers of Coinbase's other interface, Advanced Trade, begin.
_ADVANCED = ("candles", "product_id", "pricebook", "products", "trades")


class _Error(msgspec.Struct):
    message: str


def request(url: str, path: str, query: Mapping[str, Any]) -> Request:
    """Return a request; what is None in the query is left out."""
    text = {name: str(value) for name, value in query.items() if value is not None}
    return Request(f"{url.rstrip('/')}/{path}", text, limit=LIMIT)


def product(symbol: str, page: str) -> str:
    """Return the path of a product's page."""
    return f"products/{quote(symbol, safe='')}/{page}"


def ask(http: Http, asked: Request, kind: Any) -> Any:
    """Return the answer as data of a type that msgspec knows, or raise what it was refused for."""
    return http.json(asked, kind, partial(refusal, asked.url))


def name(asked: Request) -> str:
    """Return the address with its query, to name what came from there."""
    return f"{asked.url}?{urlencode(asked.query)}" if asked.query else asked.url


def refusal(url: str, status: int, body: bytes) -> ExchangeError | None:
    """Return the error that an answer is by its own words; None where the status says it all."""
    # How long to wait after a 429 stands in a header, if anywhere.
    if status == _SLOW_DOWN or not body.lstrip().startswith(b"{"):
        return None
    if status == _OK:
        return _other_interface(url, body)
    try:
        said = msgspec.json.decode(body, type=_Error).message
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    what = f"{url}: Coinbase says {said!r} (HTTP {status})"
    if status >= _SERVER:
        return UnavailableError(what)
    if status == _NOT_FOUND:
        return MissingError(f"{what}: is it the id of a product, such as BTC-USD?")
    return RejectedError(what) if status >= _CLIENT else None


def _other_interface(url: str, body: bytes) -> ExchangeError | None:
    """Return why a table is no answer to what is asked here; all of those are lists."""
    try:
        names = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    known = [each for each in _ADVANCED if each in names]
    if not known:
        return None
    what = f"the answer holds {known[0]!r}, as those of Coinbase's Advanced Trade interface do"
    return RejectedError(f"{url}: {what}: set rest_url to that of Coinbase Exchange")
