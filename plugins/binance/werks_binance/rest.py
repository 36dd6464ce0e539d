"""How Binance's REST interface is asked: hosts, limits, and what its error bodies mean."""

from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import urlencode

import attrs
import msgspec

from werks.components import Http, RateLimit, Request
from werks.errors import DataError, ExchangeError, RateLimitError, RejectedError, UnavailableError
from werks.wire import Times, utc

from .days import Market

URLS: Mapping[Market, str] = {
    "spot": "https://api.binance.com",
    "usdm": "https://fapi.binance.com",
}
URL_HELP = "another address of the REST interface; empty for the market's own"
# Weights a minute and address; the header tells what all programs of the address have used.
LIMITS: Mapping[Market, RateLimit] = {
    "spot": RateLimit(6000, 60, used="X-MBX-USED-WEIGHT-1M"),
    "usdm": RateLimit(2400, 60, used="X-MBX-USED-WEIGHT-1M"),
}
STATISTICS = RateLimit(1000, 300)  # /futures/data, which no header tells of
FUNDING = RateLimit(500, 300)
MS = 1_000_000

_REGION, _SERVER, _SLOW_DOWN = 451, 500, (418, 429)
_TOO_MANY, _BUSY = -1003, (-1000, -1001, -1006, -1007, -1008)
_KEYS = (-2014, -2015)
_LONGEST_ERROR = 2000


class _Error(msgspec.Struct):
    code: int
    msg: str = ""


@attrs.frozen
class Host:
    """Where a market's REST interface is, and the key that some of it wants.

    With `micro` it is asked for times in microseconds, as the archive of spot has them.
    """

    market: Market
    url: str = ""
    key: str = attrs.field(default="", repr=False)
    micro: bool = False

    def request(
        self, path: str, weight: float, query: Mapping[str, Any], limit: RateLimit | None = None
    ) -> Request:
        """Return a request; what is None in the query is left out."""
        url = f"{(self.url or URLS[self.market]).rstrip('/')}{path}"
        headers = {"X-MBX-APIKEY": self.key} if self.key else {}
        headers |= {"X-MBX-TIME-UNIT": "MICROSECOND"} if self.micro else {}
        text = {name: str(value) for name, value in query.items() if value is not None}
        return Request(url, text, weight, limit or LIMITS[self.market], headers)


def ask(http: Http, request: Request, kind: Any) -> Any:
    """Return the answer as data of a type that msgspec knows, or raise what it was refused for."""
    return http.json(request, kind, partial(refusal, request.url))


def name(request: Request) -> str:
    """Return the address with its query, to name what came from there."""
    return f"{request.url}?{urlencode(request.query)}"


def refusal(url: str, status: int, body: bytes) -> ExchangeError | None:
    """Return the error that an answer is by Binance's own words; None where the status says it."""
    if status in _SLOW_DOWN:  # how long to wait stands in a header
        return None
    if status == _REGION:
        what = "Binance does not serve this country (HTTP 451): set rest_url to an address that may"
        return RejectedError(f"{url}: {what}")
    error = _error(body)
    if error is None:
        return None
    said = f"{url}: Binance says {error.msg!r} (code {error.code}, HTTP {status})"
    if error.code == _TOO_MANY:
        return RateLimitError(said, 60.0)
    if error.code in _BUSY or status >= _SERVER:
        return UnavailableError(said)
    if error.code in _KEYS:
        return RejectedError(f"{said}: set api_key to a key that is valid here")
    return RejectedError(said)


def _error(body: bytes) -> _Error | None:
    """Return an error body; a list is data, a small table with a code is an error."""
    if len(body) > _LONGEST_ERROR or not body.lstrip().startswith(b"{"):
        return None
    try:
        return msgspec.json.decode(body, type=_Error)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def check_within(times: Times, start: int, stop: int, where: str) -> None:
    """Raise DataError for a row outside of the times (ns) that were asked for.

    A query that USD-M does not understand is answered with the newest rows (as recorded).
    """
    wrong = (times < start) | (times >= stop)
    if wrong.any():
        row = int(wrong.argmax())
        what = f"the time {utc(int(times[row])):%Y-%m-%d %H:%M:%S.%f} was not asked for"
        raise DataError(f"{where}: row {row + 1}: {what}; try again later")
