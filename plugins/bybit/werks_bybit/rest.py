"""How Bybit's REST interface (v5) is asked, what it answers, and what its refusals mean."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Generic, Literal, TypeVar

import attrs
import msgspec
import numpy as np

from werks.components import Http, RateLimit, Request
from werks.errors import (
    DataError,
    ExchangeError,
    MessageError,
    RateLimitError,
    RejectedError,
    UnavailableError,
)
from werks.wire import Times, epoch

T = TypeVar("T")
Contract = Literal["linear", "inverse"]

HOST = "https://api.bybit.com"
MARKET_HELP = "spot, linear (USDT and USDC contracts) or inverse (coin-margined)"
CONTRACT_HELP = "linear (USDT and USDC contracts) or inverse (coin-margined)"
URL_HELP = "where the REST interface is; Bybit has hosts of its own for some countries"
LIMIT = RateLimit(600, 5.0)
MS = 1_000_000
_OK, _FORBIDDEN, _TOO_MANY, _SERVER = 200, 403, 429, 500
_TOO_FREQUENT = b"access too frequent"
# What a breach of the limit of an address costs: ten minutes; that of one endpoint is by second.
_BAN, _PAUSE = 600.0, 5.0
_VISITS, _INTERNAL, _ADDRESS = 10006, 10016, 10018


class Listing(msgspec.Struct, Generic[T]):
    """What a public answer holds; `category` is left out of some."""

    rows: list[T] = msgspec.field(name="list")
    category: str = ""
    nextPageCursor: str | None = None  # noqa: N815  (Bybit's name)


class Answer(msgspec.Struct, Generic[T]):
    """An answer that is no refusal; `time` is Bybit's clock in milliseconds."""

    retCode: int  # noqa: N815  (Bybit's name)
    time: int
    result: Listing[T]


class _Head(msgspec.Struct):
    retCode: int | None = None  # noqa: N815
    retMsg: str = ""  # noqa: N815
    ret_code: int | None = None


@attrs.frozen
class Face:
    """The public REST interface of one market."""

    rest_url: str
    market: str

    def url(self, path: str) -> str:
        """Return the address of an endpoint, which errors name."""
        return f"{self.rest_url.rstrip('/')}/v5/market/{path}"

    def ask(self, http: Http, path: str, query: Mapping[str, str], kind: Any) -> Any:
        """Return an `Answer`; DataError if it is of another market, our errors if refused."""
        url = self.url(path)
        request = Request(url, {"category": self.market, **query}, limit=LIMIT)
        answer = http.json(request, kind, partial(refusal, url))
        if answer.result.category not in ("", self.market):
            what = f"the answer is of {answer.result.category}, not of {self.market}"
            raise DataError(f"{url}: {what}")
        return answer


def refusal(url: str, status: int, body: bytes) -> ExchangeError | None:
    """Return the error that Bybit's own words mean; None where the status says it all.

    Nearly every refusal is HTTP 200 with a retCode that is not 0.
    """
    if status == _FORBIDDEN:
        return _forbidden(url, body)
    if status == _TOO_MANY or status >= _SERVER:
        return None
    try:
        head = msgspec.json.decode(body, type=_Head)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if head.retCode is None and head.ret_code is not None:
        what = "the answer is not v5 but of an interface that Bybit switched off (it has ret_code)"
        return RejectedError(f"{url}: {what}; check rest_url")
    return _refused(url, head) if head.retCode else None


def _refused(url: str, head: _Head) -> ExchangeError:
    what = f"{url}: {head.retMsg or 'refused'} (retCode {head.retCode})"
    if head.retCode == _VISITS:
        return RateLimitError(what, _PAUSE)
    if head.retCode == _ADDRESS:
        return RateLimitError(what, _BAN)
    return (UnavailableError if head.retCode == _INTERNAL else RejectedError)(what)


def _forbidden(url: str, body: bytes) -> ExchangeError:
    if _TOO_FREQUENT in body.lower():
        return RateLimitError(f"{url}: access too frequent (HTTP 403): wait ten minutes", _BAN)
    what = "Bybit does not serve the country of this address, or has banned it; see rest_url"
    return RejectedError(f"{url}: refused (HTTP 403): {what}")


def milliseconds(texts: Sequence[str], url: str) -> Times:
    """Return times written as whole milliseconds in nanoseconds since 1970."""
    for row, text in enumerate(texts, 1):
        if not (text.isascii() and text.isdecimal()):
            raise MessageError(f"{url}: row {row}: {text[:80]!r} is not a time in milliseconds")
    return epoch([int(text) for text in texts], MS, url)


def within(times: Times, first: int, last: int, url: str) -> None:
    """Check that times rise and lie between two; DataError names the time that does not.

    An answer with times that were not asked for is one that was given before.
    """
    wrong = (times < first) | (times > last)
    wrong[1:] |= np.diff(times) <= 0
    if wrong.any():
        time, rows = int(times[np.argmax(wrong)]) // MS, len(times)
        span = f"{first // MS} to {last // MS}"
        what = f"among {rows} rows from {span}, each once and newest first, there is {time}"
        raise DataError(f"{url}: {what}")


def only(symbols: Sequence[str], symbol: str, url: str) -> None:
    """Check that all rows are of one symbol."""
    for row, found in enumerate(symbols, 1):
        if found != symbol:
            raise DataError(f"{url}: row {row} is of {found}, not of {symbol}")


def whole(time: int, step: int) -> int:
    """Return the first multiple of a step that is not before a time."""
    return -(-time // step) * step


def begin(after: int | str, step: int, door: str) -> int:
    """Return where to go on: the first multiple of a step, or the time that a cursor holds."""
    if isinstance(after, int):
        return whole(after, step)
    if not (after.isascii() and after.isdecimal()):
        raise MessageError(f"{after[:80]!r} is no cursor of {door}")
    return int(after) * MS
