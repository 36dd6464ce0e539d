"""How Bitfinex is asked: its address, its limits, and what its error bodies mean."""

from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from werks.components import Http, RateLimit, Request
from werks.errors import (
    DataError,
    ExchangeError,
    RateLimitError,
    RejectedError,
    UnavailableError,
)
from werks.schema import Scales
from werks.wire import utc

EXCHANGE = "bitfinex"
URL = "https://api-pub.bitfinex.com/v2"
URL_HELP = "the public REST interface, or another address of it"
# Trades may have prices with 15 significant digits, as hidden orders have.
SCALES = Scales(price=16, size=8)
MS = 1_000_000

# Each address may be asked so often a minute by itself. The core keeps one budget for a host, so
# all share the largest, in which a request of a stricter one weighs more.
LIMIT = RateLimit(weights=30, seconds=60)
TRADES, CANDLES = 2.0, 1.0  # 15 and 30 a minute
OTHERS = 3.0  # not stated: 10 a minute is the least of all

_SLOW_DOWN, _BLOCKED = 429, 60.0
_RATE_LIMIT, _LATER = 11010, (10001, 20051, 20060)


class _Error(msgspec.Struct, array_like=True):
    event: str
    code: int
    message: str = ""


class _OldError(msgspec.Struct):
    error: str


def request(url: str, path: str, query: Mapping[str, Any], weight: float) -> Request:
    """Return a request."""
    text = {name: str(value) for name, value in query.items()}
    return Request(f"{url.rstrip('/')}/{quote(path, safe='/:,')}", text, weight, LIMIT)


def ask(http: Http, asked: Request, kind: Any) -> Any:
    """Return the answer as data of a type that msgspec knows, or raise what it was refused for."""
    return http.json(asked, kind, partial(refusal, name(asked)))


def name(asked: Request) -> str:
    """Return the address with its query, to name what came from there."""
    return f"{asked.url}?{urlencode(asked.query)}" if asked.query else asked.url


def refusal(where: str, status: int, body: bytes) -> ExchangeError | None:
    """Return the error that an answer is by its own words; None where the status says it all.

    Bitfinex says that a request is wrong with HTTP 500, which would be tried again by itself.
    """
    # How long to wait after a 429 stands in a header, if anywhere.
    error = None if status == _SLOW_DOWN else _error(body)
    if error is None:
        return None
    said = f"{where}: Bitfinex says {error.message!r} (code {error.code}, HTTP {status})"
    if error.code == _RATE_LIMIT:
        return RateLimitError(said, _BLOCKED)
    return UnavailableError(said) if error.code in _LATER else RejectedError(said)


def _error(body: bytes) -> _Error | None:
    start = body[:40].lstrip()
    try:
        if start.startswith(b"["):
            # Data is made of lists, but for the ticker, which is not asked for.
            is_error = start[1:].lstrip().startswith(b'"error"')
            return msgspec.json.decode(body, type=_Error) if is_error else None
        if start.startswith(b"{"):
            old = msgspec.json.decode(body, type=_OldError).error
            return _Error("error", _RATE_LIMIT if old == "ERR_RATE_LIMIT" else 0, old)
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass  # an error that cannot be read is what its status says
    return None


def check_market(symbol: str, example: str) -> None:
    """Raise RejectedError for what is no trading symbol: funding has other columns."""
    if not symbol.startswith("t"):
        what = f"a symbol that begins with t, such as {example}, is expected"
        raise RejectedError(f"bitfinex {symbol}: {what}")


def check_since(ms: int, start: int, where: str) -> None:
    """Raise DataError if the first time of a page lies before the one that was asked for."""
    if ms < start:
        at = f"{utc(ms * MS):%Y-%m-%d %H:%M:%S.%f}"
        raise DataError(f"{where}: the row of {at} was not asked for: try again later")
