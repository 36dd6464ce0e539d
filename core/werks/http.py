"""The only place that speaks HTTP: one client, throttled per host, with bounded retries.

Failures become the classes of `errors`: time-outs, dropped connections and 5xx are tried again with
growing pauses, 429 and 418 wait as long as the server asks, 404 is `MissingError`, any other 4xx is
`RejectedError`, unless the plugin knows better what the body says.
"""

import functools
import hashlib
import importlib
import logging
import random
import ssl
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, unquote, urlencode, urlsplit

from .components import Refusal, Request
from .errors import (
    ExchangeError,
    MessageError,
    MissingError,
    RateLimitError,
    RejectedError,
    UnavailableError,
    WerksError,
)
from .throttle import Throttle

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")
E = TypeVar("E", bound=WerksError)

_OK, _NOT_FOUND, _CLIENT, _SERVER = 200, 404, 400, 500
_SLOW_DOWN = {418, 429}
_LONGEST_PAUSE = 30.0
_LONGEST_WAIT = 900.0


class Http:
    """A client for one run; `tries` bounds how often one request is sent.

    Answers that cannot be read are kept in the folder `quarantine`, if there is one.
    """

    def __init__(
        self,
        tries: int = 5,
        sleep: Callable[[float], None] = time.sleep,
        quarantine: Path | None = None,
    ) -> None:
        self._tries = tries
        self._sleep = sleep
        self._quarantine = quarantine
        self._throttle = Throttle()
        self._patience = 30.0
        self._last: tuple[Request, bytes] | None = None
        self._client: httpx.Client | None = None

    def __enter__(self) -> "Http":
        return self

    def __exit__(self, *exc: object) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def twin(self, tries: int, patience: float = 30.0) -> "Http":
        """Return a client for another thread, with the same budgets a host.

        It waits for an answer no longer than `patience` seconds.
        """
        twin = Http(tries, quarantine=self._quarantine)
        twin._throttle, twin._patience = self._throttle, patience
        return twin

    def text(self, url: str, **query: str) -> str:
        """Return the body of a GET as text; a folder of this machine (file:) as a page of links."""
        if url.startswith("file:"):
            return _local(Path(unquote(urlsplit(url).path)))
        return self._tried(url, lambda: self._text(url, query))

    def json(self, request: Request, kind: Any, refusal: Refusal | None = None) -> Any:
        """Return the answer as data of a type that msgspec knows.

        `refusal` tells what the exchange's own error bodies mean. MessageError if the answer is
        not JSON of that type; it is kept aside as it came.
        """
        import msgspec

        body = self._tried(request.url, lambda: self._asked(request, refusal))
        self._last = request, body
        try:
            return msgspec.json.decode(body, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            said = body[:120].decode("utf-8", "replace")
            unreadable = MessageError(f"{_whole(request)}: cannot be read: {error}: {said!r}")
            raise self.set_aside(unreadable) from error

    def set_aside(self, error: E) -> E:
        """Keep the last answer as it came; return the error that it has led to, saying where."""
        if self._last is None:
            return error
        (request, body), self._last = self._last, None
        return type(error)(f"{error}{self._aside(_whole(request), body)}")

    def keep(self, url: str, body: bytes, why: str) -> None:
        """Keep a message of a websocket aside that could not be read, and say so."""
        logging.getLogger("werks").warning("%s%s", why, self._aside(url, body))

    def _aside(self, url: str, body: bytes) -> str:
        if self._quarantine is None:
            return ""
        name = hashlib.sha256(url.encode() + body).hexdigest()[:16]
        path = self._quarantine / f"{urlsplit(url).hostname}-{name}.txt"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(f"GET {url}\n\n".encode() + body)
        except OSError as error:
            return f"; it could not be kept as {path}: {error.strerror}"
        return f"; kept as {path}"

    def _asked(self, request: Request, refusal: Refusal | None) -> bytes:
        self._wait(self._throttle.take(request))
        with self._sent(request.url, request.query, request.headers) as response:
            response.read()
            self._throttle.heard(request, response.headers)
            error = refusal(response.status_code, response.content) if refusal else None
            if isinstance(error, RateLimitError) and "retry-after" in response.headers:
                raise RateLimitError(str(error), max(error.wait, _wait(response))) from error
            if error is not None:
                raise error
            _raise_for_status(request.url, response)
            return response.content

    def download(self, url: str, to: Path) -> None:
        """Write the body of a GET to a file; a body shorter than announced is tried again."""
        self._tried(url, lambda: self._download(url, to))

    def _tried(self, url: str, ask: Callable[[], T]) -> T:
        for attempt in range(1, self._tries + 1):
            self._wait(self._throttle.wait(url))
            try:
                return ask()
            except RateLimitError as error:
                if attempt == self._tries or error.wait > _LONGEST_WAIT:
                    raise
                self._throttle.pause(url, error.wait)
            except UnavailableError:
                if attempt == self._tries:
                    raise
                pause = min(2.0 ** (attempt - 1), _LONGEST_PAUSE)
                self._sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311  (jitter, not a secret)
        raise UnavailableError(f"{url}: not asked, because no tries are allowed")

    def _wait(self, seconds: float) -> None:
        if seconds > 0:
            self._sleep(seconds)

    def _text(self, url: str, query: dict[str, str]) -> str:
        with self._sent(url, query) as response:
            _raise_for_status(url, response)
            response.read()
            return response.text

    def _download(self, url: str, to: Path) -> None:
        with self._sent(url, {}) as response, to.open("wb") as file:
            _raise_for_status(url, response)
            for chunk in response.iter_raw(1 << 20):
                file.write(chunk)
            expected = response.headers.get("content-length")
        size = to.stat().st_size
        if expected is not None and int(expected) != size:
            raise UnavailableError(f"{url}: the download broke off at {size} of {expected} bytes")

    @contextmanager
    def _sent(
        self, url: str, query: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> "Iterator[httpx.Response]":
        client = self._open()
        import httpx

        try:
            with client.stream("GET", url, params=query or None, headers=headers) as response:
                yield response
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise RejectedError(f"{url}: not a URL: {error}") from error
        except httpx.HTTPError as error:
            what = str(error) or type(error).__name__
            raise UnavailableError(f"{url}: {what}") from error

    def _open(self) -> "httpx.Client":
        _spare_command_line()
        import httpx

        if self._client is None:
            # At INFO httpx logs whole URLs, secrets in their queries included.
            logging.getLogger("httpx").setLevel(logging.WARNING)
            timeout = httpx.Timeout(self._patience, connect=min(10.0, self._patience))
            headers = {"accept-encoding": "identity", "user-agent": "werks"}
            self._client = httpx.Client(
                timeout=timeout, headers=headers, follow_redirects=True, verify=_certificates()
            )
        return self._client


def _whole(request: Request) -> str:
    return f"{request.url}?{urlencode(request.query)}" if request.query else request.url


def _local(path: Path) -> str:
    """Return a file as text, or a folder as the page of links that a server would make of it."""
    if path.is_dir():
        return "".join(f'<a href="{quote(each.name)}"></a>' for each in sorted(path.iterdir()))
    if not path.is_file():
        raise MissingError(f"{path}: there is no such file or folder")
    return path.read_text(encoding="utf-8")


@functools.cache
def _spare_command_line() -> None:
    """Import httpx without its command line, which costs a short run a tenth: rich, pygments."""
    if "httpx" in sys.modules:
        return
    sys.modules["httpx._main"] = command_line = ModuleType("httpx._main")
    command_line.main = lambda: None  # type: ignore[attr-defined]
    importlib.import_module("httpx")
    del sys.modules["httpx._main"]


@functools.cache
def _certificates() -> ssl.SSLContext:
    """Return the trusted certificates; loading them costs more than a small request."""
    import httpx

    return httpx.create_ssl_context()


def _raise_for_status(url: str, response: "httpx.Response") -> None:
    status = response.status_code
    if status == _OK:
        return
    error: ExchangeError
    if status in _SLOW_DOWN:
        error = RateLimitError(f"{url}: too many requests (HTTP {status})", _wait(response))
    elif status == _NOT_FOUND:
        error = MissingError(f"{url}: there is nothing at this address (HTTP 404)")
    elif _CLIENT <= status < _SERVER:
        error = RejectedError(f"{url}: refused (HTTP {status})")
    else:
        error = UnavailableError(f"{url}: the server failed (HTTP {status})")
    raise error


def _wait(response: "httpx.Response") -> float:
    """Return the seconds that the server asks to wait; one minute where it does not say."""
    try:
        return max(0.0, float(response.headers.get("retry-after", "")))
    except ValueError:
        return 60.0
